//! The situations for one kernel, and the files that they use.

mod causes;
mod companions;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use testkit::{ModuleBuilder, Signature, patch};

use super::situation::{Situation, Who};
use crate::guest;
use crate::trees::{self, KernelTree};

/// The situations of a kernel.
#[derive(Default)]
pub(super) struct List {
    pub(super) situations: Vec<Situation>,
    /// The files in `/agree/files`, by name.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// Whether these are not all.
    pub(super) is_sample: bool,
}

/// What a made module must have for a kernel to take it.
struct Kernel {
    vermagic: Vec<u8>,
    struct_size: usize,
    layout: Option<u32>,
    printk: Option<u32>,
    kfree: Option<u32>,
}

/// Modules of a tree that are not loaded: they test the kernel for minutes, or wait for hardware that is not there.
const SLOW: [&str; 8] = ["test", "torture", "kunit", "bench", "watchdog", "softdog", "ipmi", "hangcheck"];

/// Parameters of real modules: what the kernel takes, and what it refuses.
const VALUES: [(&str, &[&str], &[&str]); 7] = [
    (
        "dummy",
        &[
            "numdummies=0",
            "numdummies=3",
            "numdummies=0x2",
            "numdummies=02",
            "numdummies=-1",
            "nosuch=1",
            "nosuch",
            "",
        ],
        &[
            "numdummies=many",
            "numdummies=",
            "numdummies",
            "numdummies=08",
            "numdummies=4294967296",
            "numdummies=1x",
        ],
    ),
    (
        "ifb",
        &["numifbs=1", "numifbs=+2", "numifbs=0"],
        &["numifbs=two", "numifbs=99999999999", "numifbs=-2147483649", "numifbs=0x"],
    ),
    (
        "null_blk",
        &[
            "nr_devices=1",
            "nr_devices=0 queue_mode=2",
            "gb=1 nr_devices=1 memory_backed=1",
            "nr_devices=0 blocking=Y",
        ],
        &["nr_devices=-1", "gb=much", "blocking=perhaps", "nr_devices=4294967296"],
    ),
    (
        "brd",
        &["rd_nr=1 rd_size=100", "rd_nr=0", "max_part=1 rd_nr=1"],
        &["rd_nr=x", "rd_size=-1", "rd_size=99999999999999999999", "max_part=1.5"],
    ),
    ("nbd", &["nbds_max=1", "nbds_max=0 max_part=1"], &["nbds_max=none", "max_part=", "nbds_max=0b1"]),
    (
        "zram",
        &["num_devices=1", "num_devices=0x1", "num_devices=2"],
        &["num_devices=-1", "num_devices=q", "num_devices=4294967296"],
    ),
    (
        "bonding",
        &["mode=1", "max_bonds=0", "max_bonds=0 arp_ip_target=1.2.3.4", "max_bonds=0 miimon=100"],
        &["max_bonds=x", "miimon=1s", "num_grat_arp=1,2", "use_carrier=maybe"],
    ),
];

impl List {
    /// All of it, with so many of the tree's own modules, and the companion modules where there are any.
    pub(super) fn of(tree: &KernelTree, modules: usize, companions: Option<&Path>) -> Result<List> {
        let mut list = List::default();
        let plain = |name: &str| guest::plain_module(tree, name);
        // Our own kernel has few modules, and not those whose parameters and states are tried.
        let (dummy, is_stock) = match plain("dummy") {
            Ok(dummy) => (dummy, true),
            Err(_) => (plain("loop")?, false),
        };
        let kernel = Kernel::of(&dummy)?;
        list.made(&kernel);
        list.signatures(&kernel, &dummy);
        list.damaged("stock", &dummy);
        if is_stock {
            list.changed(tree, &dummy)?;
            list.values();
            list.states(&dummy, &plain("vfat")?, &kernel);
            list.configuration();
        }
        list.causes(tree, &kernel, &dummy)?;
        if let Some(companions) = companions {
            list.companions(companions)?;
        }
        list.own(tree, modules)?;
        Ok(list)
    }

    /// Some of those that need no parameters of the kernel, spread over all.
    pub(super) fn sampled(mut self, count: usize) -> List {
        self.situations.retain(|situation| situation.boot.is_empty());
        let step = (self.situations.len() / count.max(1)).max(1);
        self.situations = self.situations.into_iter().step_by(step).take(count).collect();
        self.is_sample = true;
        self
    }

    fn add(&mut self, situation: Situation) {
        self.situations.push(situation);
    }

    /// A file, and the situation that it is given to insmod.
    fn file(&mut self, name: &str, bytes: Vec<u8>, parameters: &str) -> Situation {
        let file = format!("{name}.ko");
        let path = path(&file);
        self.files.insert(file, bytes);
        Situation::file(name, &path, parameters)
    }

    fn file_only(&mut self, name: &str, bytes: Vec<u8>) {
        let situation = self.file(name, bytes, "");
        self.add(situation);
    }

    fn refused(&mut self, name: &str, bytes: Vec<u8>, cause: &'static str) {
        let situation = self.file(name, bytes, "").cause(cause);
        self.add(situation);
    }

    /// Modules made from nothing.
    fn made(&mut self, kernel: &Kernel) {
        let bare = |name: &str| kernel.bare(name).modinfo("license", "GPL");
        let module = |name: &str| bare(name).modinfo("vermagic", &kernel.vermagic);
        self.file_only("made", module("made").build());
        self.file_only("made-dash-name", module("made-dash").build());
        self.file_only(
            "made-proprietary",
            kernel.bare("made_p").modinfo("license", "X").modinfo("vermagic", &kernel.vermagic).build(),
        );
        self.file_only(
            "made-no-license",
            kernel.bare("made_n").modinfo("vermagic", &kernel.vermagic).build(),
        );
        self.file_only("made-no-vermagic", bare("made_v").build());
        self.file_only("made-no-modinfo", kernel.bare("made_m").build());
        self.file_only(
            "made-no-crcs",
            ModuleBuilder::new("made_c")
                .this_module_size(kernel.struct_size)
                .modinfo("license", "GPL")
                .modinfo("vermagic", &kernel.vermagic)
                .build(),
        );
        for (name, from, to) in [
            ("flags", "mod_unload", "mod_onload"),
            ("smp", "SMP", "smp"),
            ("release", ".", ","),
            ("blank", " mod_unload", "  mod_unload"),
        ] {
            let vermagic = String::from_utf8_lossy(&kernel.vermagic).replacen(from, to, 1);
            let name = format!("made-vermagic-{name}");
            let module =
                kernel.bare("made_w").modinfo("license", "GPL").modinfo("vermagic", vermagic).build();
            self.file_only(&name, module);
        }
        for (name, change) in [("less", -8_isize), ("more", 8), ("much-more", 512), ("tiny", -64)] {
            let size = kernel.struct_size.saturating_add_signed(change);
            self.file_only(&format!("made-struct-{name}"), module("made_s").this_module_size(size).build());
        }
        self.file_only("made-no-struct", module("made_t").this_module_size(0).build());
        let other = |crc: Option<u32>| crc.map(|crc| crc ^ 1);
        self.file_only(
            "made-needs",
            module("made_a").needs("_printk", kernel.printk).needs("kfree", kernel.kfree).build(),
        );
        self.file_only("made-needs-no-crc", module("made_b").needs("_printk", None).build());
        self.file_only("made-needs-weak", module("made_d").needs_weak("no_such_symbol_here", None).build());
        self.refused(
            "made-needs-nothing",
            module("made_e").needs("no_such_symbol_here", None).build(),
            "missing_symbol",
        );
        // The kernel has them, and does not export them.
        for symbol in ["start_kernel", "do_one_initcall", "load_module", "linux_proc_banner"] {
            let name = format!("made-needs-{}", symbol.replace('_', "-"));
            self.refused(&name, module("made_f").needs(symbol, None).build(), "missing_symbol");
        }
        if kernel.printk.is_some() {
            self.refused(
                "made-other-crc",
                module("made_g").needs("_printk", other(kernel.printk)).build(),
                "symbol_version",
            );
            let layout = ModuleBuilder::new("made_h").this_module_size(kernel.struct_size);
            let layout = layout.modinfo("license", "GPL").modinfo("vermagic", &kernel.vermagic);
            self.refused("made-other-layout", layout.version("module_layout", 1).build(), "symbol_version");
        }
        // GPL only, for two licences.
        for (licence, name) in
            [("GPL", "gpl"), ("Dual BSD/GPL", "dual"), ("GPL v3", "v3"), ("Proprietary", "none")]
        {
            for symbol in
                ["__rcu_read_lock", "class_create", "platform_driver_unregister", "kfree", "single_open"]
            {
                let module =
                    kernel.bare("made_l").modinfo("license", licence).modinfo("vermagic", &kernel.vermagic);
                let name = format!("made-{name}-{}", symbol.replace('_', "-"));
                self.file_only(&name, module.needs(symbol, None).build());
            }
        }
    }

    /// Modules of this kernel with one change each.
    fn changed(&mut self, tree: &KernelTree, dummy: &[u8]) -> Result<()> {
        let unsigned = |name: &str| guest::plain_module(tree, name).map(patch::unsigned);
        let dummy = patch::unsigned(dummy.to_vec());
        self.file_only("changed-unsigned", dummy.clone());
        for (name, number) in [("s390", 22), ("arm64", 183), ("i386", 3), ("none", 0)] {
            self.refused(
                &format!("changed-machine-{name}"),
                patch::for_machine(dummy.clone(), number),
                "machine",
            );
        }
        self.file_only("changed-struct", patch::smaller_struct(dummy.clone()));
        let replaced = |from: &[u8], to: &[u8]| patch::replaced(dummy.clone(), from, to);
        // Kernels differ in what the module calls.
        let called = ["register_netdevice", "register_netdev", "alloc_netdev_mqs"];
        let called = called.into_iter().find(|name| has(&dummy, format!("\0{name}\0").as_bytes()));
        if let Some(called) = called {
            let (from, to) = (format!("\0{called}\0"), format!("\0{}Q\0", &called[..called.len() - 1]));
            self.refused("changed-symbol", replaced(from.as_bytes(), to.as_bytes()), "missing_symbol");
        }
        self.refused("changed-licence", replaced(b"license=GPL\0", b"license=XYZ\0"), "gpl_only");
        self.refused("changed-vermagic", replaced(b" mod_unload ", b" mod_onload "), "vermagic");
        self.file_only("changed-no-vermagic", replaced(b"vermagic=", b"vermagix="));
        let fat = unsigned("fat")?;
        let again = patch::replaced(fat.clone(), b"\0fat\0\0", b"\0fax\0\0");
        let twice =
            self.file("changed-duplicate", again, "").before("/sbin/modprobe fat").cause("duplicate_symbol");
        self.add(twice);
        let foreign = self.file("changed-fat-alone", fat, "");
        self.add(foreign);
        Ok(())
    }

    /// Signatures, in a kernel that insists on them and in one that does not.
    fn signatures(&mut self, kernel: &Kernel, dummy: &[u8]) {
        let unsigned = patch::unsigned(dummy.to_vec());
        let made = |signature: Signature| {
            let module =
                kernel.bare("made_z").modinfo("license", "GPL").modinfo("vermagic", &kernel.vermagic);
            module.signature(signature).build()
        };
        let key = std::sync::Arc::new(testkit::SigningKey::new("A foreign key", "0x77"));
        let foreign = kernel.bare("made_y").modinfo("license", "GPL").modinfo("vermagic", &kernel.vermagic);
        let pkcs7 = |bytes: &[u8]| Signature::pkcs7(bytes.to_vec());
        let files = [
            ("unsigned", unsigned.clone()),
            ("own", dummy.to_vec()),
            ("foreign", foreign.clone().signed_by(&key, "sha256").build()),
            ("foreign-sha512", foreign.signed_by(&key, "sha512").build()),
            ("bare-magic", [unsigned.as_slice(), b"~Module signature appended~\n"].concat()),
            ("id-type-3", made(Signature { id_type: 3, signature: vec![1; 40], ..Signature::default() })),
            (
                "id-type-1",
                made(Signature {
                    id_type: 1,
                    hash: 4,
                    signer: b"S".to_vec(),
                    signature: vec![1; 40],
                    ..Signature::default()
                }),
            ),
            ("odd-fields", made(Signature { hash: 4, ..pkcs7(&[0x30; 40]) })),
            ("too-long", made(Signature { claimed_len: Some(u32::MAX), ..pkcs7(&[1; 40]) })),
        ];
        for (boot, name) in
            [("", "free"), ("module.sig_enforce=1", "enforced"), ("lockdown=integrity", "locked")]
        {
            for (file, bytes) in &files {
                let mut situation =
                    self.file(&format!("signature-{name}-{file}"), bytes.clone(), "").boot(boot);
                // Only the kernel has the keys.
                situation.hides = !boot.is_empty() && matches!(*file, "own" | "foreign" | "foreign-sha512");
                self.add(situation);
            }
        }
        for (boot, name) in [("lockdown=integrity", "locked"), ("lockdown=confidentiality", "confidential")] {
            let situation = self.file(&format!("signature-{name}-hidden"), unsigned.clone(), "").boot(boot);
            let hidden = situation.before("umount /sys/kernel/security");
            self.add(hidden.after("mount -t securityfs securityfs /sys/kernel/security").cause("not_signed"));
        }
    }

    fn values(&mut self) {
        for (module, good, bad) in VALUES {
            for (number, values) in (1..).zip(good.iter().chain(bad)) {
                self.add(Situation::name(format!("value-{module}-{number}"), module, values));
            }
        }
    }

    /// Files made from a module, that are cut off or have bytes changed.
    fn damaged(&mut self, whose: &str, module: &[u8]) {
        let unsigned = patch::unsigned(module.to_vec());
        let len = unsigned.len();
        for (name, cut) in [
            ("empty", 0),
            ("three", 3),
            ("header", 64),
            ("half", len / 2),
            ("tail", len - 1),
            ("table", len - 100),
        ] {
            self.file_only(&format!("damaged-{whose}-{name}"), unsigned[..cut].to_vec());
        }
        for (name, place, byte) in [
            ("magic", 1, b'X'),
            ("class", 4, 1),
            ("order", 5, 2),
            ("type-executable", 16, 2),
            ("type-shared", 16, 3),
            ("entry-size", 58, 63),
            ("names-index", 62, 0xff),
            ("section-count", 60, 0xff),
        ] {
            let mut bytes = unsigned.clone();
            bytes[place] = byte;
            self.file_only(&format!("damaged-{whose}-{name}"), bytes);
        }
        self.file_only(&format!("damaged-{whose}-text"), b"This is no module at all.\n".repeat(20));
        self.file_only(&format!("damaged-{whose}-zeros"), vec![0; 5000]);
        for (name, section, field, value) in [
            ("text-far", b".text".as_slice(), 24, u64::MAX / 2),
            ("text-long", b".text", 32, 1 << 40),
            ("struct-renamed", b".gnu.linkonce.this_module", 4, 8),
            ("modinfo-far", b".modinfo", 24, 1 << 33),
            ("symtab-nothing", b".symtab", 4, 0),
            ("symtab-link", b".symtab", 40, 0xffff),
            ("strtab-far", b".strtab", 24, 1 << 40),
            ("symtab-odd-entries", b".symtab", 56, 7),
        ] {
            let width = if matches!(field, 4 | 40) { 4 } else { 8 };
            let bytes = patch::section_field(unsigned.clone(), section, field, width, value);
            self.file_only(&format!("damaged-{whose}-{name}"), bytes);
        }
        for (name, program) in [("xz", "xz"), ("zst", "zstd"), ("gz", "gzip")] {
            let Ok(packed) = guest::packed(program, &unsigned) else { continue };
            let cut = packed[..packed.len() / 2].to_vec();
            for (how, bytes) in [("whole", packed), ("cut", cut)] {
                let file = format!("{how}-{whose}.ko.{name}");
                self.files.insert(file.clone(), bytes);
                self.add(Situation::file(format!("packed-{whose}-{name}-{how}"), &path(&file), ""));
            }
        }
    }

    /// States of the system, and who asks.
    fn states(&mut self, dummy: &[u8], vfat: &[u8], kernel: &Kernel) {
        let loaded = |situation: Situation| situation.before("/sbin/modprobe dummy");
        let file = self.file("state-present-file", dummy.to_vec(), "");
        self.add(loaded(file).cause("present"));
        self.add(loaded(Situation::name("state-present-name", "dummy", "")));
        let alone = self.file("state-dependency-absent", vfat.to_vec(), "");
        self.add(alone.cause("symbol_not_loaded"));
        let with = self.file("state-dependency-present", vfat.to_vec(), "");
        self.add(with.before("/sbin/modprobe fat"));
        self.add(Situation::name("state-by-name", "vfat", ""));
        for (who, name) in [(Who::Nobody, "nobody"), (Who::Namespace, "namespace")] {
            let file = self.file(&format!("state-{name}-file"), dummy.to_vec(), "");
            self.add(file.by(who).cause("not_permitted"));
            self.add(
                Situation::name(format!("state-{name}-name"), "dummy", "").by(who).cause("not_permitted"),
            );
        }
        let written = self.file("state-written", dummy.to_vec(), "");
        let written = written.before(format!("exec 9>>{}", path("state-written.ko")));
        self.add(written.cause("open_for_writing").shows("open for writing"));
        // The last of several counts, and names are compared as they stand.
        let dash = "module_blacklist=ifb module_blacklist=virtio-rng,dummy";
        self.add(Situation::name("state-refused-by-boot", "dummy", "").boot(dash).cause("blacklisted"));
        self.add(Situation::name("state-not-refused-by-boot", "virtio-rng", "").boot(dash));
        self.add(Situation::name("state-no-more-refused-by-boot", "ifb", "").boot(dash));
        let made =
            kernel.bare("dummy").modinfo("license", "GPL").modinfo("vermagic", &kernel.vermagic).build();
        let namesake = self.file("state-present-namesake", made, "");
        self.add(loaded(namesake).cause("present"));
        let off = "echo 1 >/proc/sys/kernel/modules_disabled";
        // The last of its boot: nothing switches loading on again.
        let last = "quiet=";
        self.add(
            Situation::name("zz-disabled-name", "dummy", "").boot(last).before(off).cause("modules_disabled"),
        );
        let disabled = self.file("zz-disabled-file", dummy.to_vec(), "").boot(last).before(off);
        self.add(disabled.cause("modules_disabled"));
    }

    /// Lines of modprobe.d and modutils.d.
    fn configuration(&mut self) {
        let configured = |name: &str, target: &str, lines: &str| {
            let write = format!("printf '{lines}\\n' >/etc/modprobe.d/a.conf");
            Situation::name(format!("configured-{name}"), target, "").before(write)
        };
        self.add(configured("options", "dummy", "options dummy numdummies=2"));
        let bad = configured("bad-options", "dummy", "options dummy numdummies=many");
        self.add(bad.cause("parameter").shows("/etc/modprobe.d/a.conf"));
        self.add(configured("unknown-options", "dummy", "options dummy nosuch=1"));
        self.add(configured("dash-options", "dummy", "options dum-my numdummies=many"));
        let of_alias = configured(
            "alias-options",
            "any_device",
            "alias any_device dummy\\noptions any_device numdummies=x",
        );
        self.add(of_alias.cause("parameter"));
        self.add(configured("install-false-of-dependency", "vfat", "install fat /bin/false"));
        self.add(configured("softdep-good", "dummy", "softdep dummy post: ifb"));
        self.add(configured("remove", "dummy", "remove dummy /bin/false"));
        self.add(configured("bad-options-of-dependency", "vfat", "options fat nosuch=1"));
        self.add(configured("blacklist", "dummy", "blacklist dummy"));
        self.add(configured("alias", "some_device", "alias some_device dummy"));
        self.add(configured("install-false", "dummy", "install dummy /bin/false"));
        // What a command does is not known.
        self.add(configured("install-true", "dummy", "install dummy /bin/true").hides());
        self.add(configured("install-other", "dummy", "install dummy exit 3").hides());
        self.add(configured("softdep", "dummy", "softdep dummy pre: no_such_module"));
        self.add(configured("alias-off", "some_other", "alias some_other off"));
        let denied = Situation::name("configured-deny", "dummy", "");
        self.add(denied.before("echo deny dummy >/etc/modutils.d/a.conf").cause("denied"));
        let boot = Situation::name("configured-boot-value", "dummy", "").boot("dummy.numdummies=many");
        self.add(boot.cause("parameter").shows("/proc/cmdline"));
        for (name, module, text) in [("wildcard", "dummy", "deny dum*"), ("dependency", "vfat", "deny fat")] {
            let situation = Situation::name(format!("configured-deny-{name}"), module, "");
            self.add(situation.before(format!("echo '{text}' >/etc/modutils.d/a.conf")));
        }
        self.add(Situation::name("configured-no-such-module", "no_such_module", "").hides());
    }

    /// The tree's own modules.
    fn own(&mut self, tree: &KernelTree, count: usize) -> Result<()> {
        let mut names: Vec<String> = Vec::new();
        for file in trees::files_below(&tree.modules(), "")? {
            let name = file.file_name().context("a file has a name")?.to_string_lossy().into_owned();
            let Some((name, _)) = name.split_once(".ko") else { continue };
            if !SLOW.iter().any(|part| name.contains(part)) {
                names.push(name.to_owned());
            }
        }
        let step = (names.len() / count.max(1)).max(1);
        for name in names.iter().step_by(step) {
            self.add(Situation::name(format!("own-{name}"), name, ""));
        }
        Ok(())
    }
}

/// Whether a text is in some bytes.
fn has(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// Where a file lies in the guest.
fn path(file: &str) -> String {
    format!("/agree/files/{file}")
}

impl Kernel {
    fn of(dummy: &[u8]) -> Result<Kernel> {
        let crc = |symbol: &str| patch::crc(dummy, symbol);
        Ok(Kernel {
            vermagic: patch::modinfo(dummy, "vermagic").context("dummy has no vermagic")?,
            struct_size: patch::struct_size(dummy),
            layout: crc("module_layout"),
            printk: crc("_printk"),
            kfree: crc("kfree"),
        })
    }

    /// A module that the kernel would take but for its vermagic and licence.
    fn bare(&self, name: &str) -> ModuleBuilder {
        let module = ModuleBuilder::new(name).this_module_size(self.struct_size);
        match self.layout {
            Some(crc) => module.version("module_layout", crc),
            None => module,
        }
    }
}
