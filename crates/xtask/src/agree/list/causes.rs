//! Situations that each stand for one thing that a kernel checks, or that a check once had wrong.

use testkit::{ModuleBuilder, Section, patch};

use super::{Kernel, List, path};
use crate::agree::situation::{Situation, Who};
use crate::guest;
use crate::process;
use crate::trees::KernelTree;

/// Modules that export a symbol for everyone and need nothing that is for GPL modules, with one that uses it.
const OPEN_EXPORTERS: [(&str, &str, &str); 2] =
    [("crc-itu-t", "crc_itu_t", "udf"), ("crc7", "crc7_be", "mmc_spi")];

impl List {
    pub(super) fn causes(&mut self, tree: &KernelTree, kernel: &Kernel, dummy: &[u8]) -> anyhow::Result<()> {
        let unsigned = patch::unsigned(dummy.to_vec());
        self.relocations(&unsigned);
        self.symbol_table(&unsigned)?;
        self.images(tree, kernel, &unsigned);
        self.type_information(&unsigned);
        self.proprietary(tree, kernel, dummy);
        self.hidden(tree, kernel, dummy);
        self.packings(&unsigned)?;
        let module = |name: &str| kernel.sound(name);
        let percpu =
            module("made_u").section(Section::new(".data..percpu", vec![0; 3 << 20]).flags(3)).build();
        let percpu = self.file("cause-percpu", percpu, "").shows("each processor").shows("percpu");
        self.add(percpu);
        let small = module("made_r").section(Section::new(".data..percpu", vec![0; 64]).flags(3)).build();
        self.file_only("cause-percpu-small", small);
        let twice = self.file("cause-name-with-dash", module("made-dash").build(), "");
        let loaded = format!("/sbin/insmod {}", path("cause-name-with-dash.ko"));
        self.add(twice.before(loaded).cause("present").shows("already"));
        // A symbol of the kernel for some modules alone, since Linux 6.16.
        let reserved = "anon_inode_make_secure_inode";
        self.file_only("cause-reserved", module("made_k").needs(reserved, None).build());
        self.file_only("cause-reserved-for-it", module("kvm").needs(reserved, None).build());
        // What the driver itself logs is its reason.
        if guest::plain_module(tree, "bonding").is_ok() {
            let mode = Situation::name("complaint-of-driver", "bonding", "mode=9");
            self.add(mode.shows("nvalid bonding mode").shows("own initialisation"));
            let many = format!("max_bonds=0 arp_ip_target={}", ["1.2.3.4"; 17].join(","));
            let many = Situation::name("complaint-too-many-values", "bonding", &many).cause("parameter");
            self.add(many.shows("can only take 16 arguments"));
        }
        // Modules that share a namespace do not export a symbol of its name.
        for (module, first) in
            [("ib_uverbs", "ib_core"), ("rdma_cm", "ib_core"), ("nvme_core", "nvme_common")]
        {
            if guest::plain_module(tree, module).is_ok() {
                let situation = Situation::name(format!("namespace-shared-{module}"), module, "");
                self.add(situation.before(format!("/sbin/modprobe {first}")));
            }
        }
        // What the module itself answers is not about the file's compression.
        for own in ["kvm_intel", "kvm_amd", "virtio_pmem", "tcm_loop"] {
            if guest::plain_module(tree, &own.replace('_', "-"))
                .or_else(|_| guest::plain_module(tree, own))
                .is_ok()
            {
                self.add(Situation::name(format!("cause-own-error-{own}"), own, "").never("decompress"));
            }
        }
        Ok(())
    }

    /// Relocations that the kernel refuses, and those that it writes wherever they lead.
    fn relocations(&mut self, unsigned: &[u8]) {
        let table = b".rela.text".as_slice();
        let with =
            |offset: usize, bytes: &[u8]| patch::section_bytes(unsigned.to_vec(), table, offset, bytes);
        self.refused("relocation-type", with(8, &99_u32.to_le_bytes()), "damaged");
        self.refused("relocation-type-none-such", with(8, &40_u32.to_le_bytes()), "damaged");
        let place = patch::section_number(unsigned, table, 0, 8) as usize;
        let again = patch::section_bytes(unsigned.to_vec(), b".text", place, &[1]);
        let again = self.file("relocation-again", again, "").cause("damaged");
        self.add(again.shows("nvalid relocation target"));
        let rel = patch::section_field(unsigned.to_vec(), table, 4, 4, 9);
        self.refused("relocation-without-addend", rel, "damaged");
        for (name, offset, bytes) in
            [("symbol", 12, 0x00ff_ffff_u32.to_le_bytes()), ("place", 3, [0x7f, 0, 0, 0])]
        {
            let situation = self.file(&format!("relocation-{name}-outside"), with(offset, &bytes), "");
            self.add(situation.only_checked("damaged"));
        }
        // Of a section that is not loaded, nothing is relocated.
        if patch::has_section(unsigned, b".rela.debug_info") {
            let other =
                patch::section_bytes(unsigned.to_vec(), b".rela.debug_info", 8, &99_u32.to_le_bytes());
            self.file_only("relocation-of-debug-data", other);
        }
    }

    fn symbol_table(&mut self, unsigned: &[u8]) -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("stripped.ko");
        for (name, option) in [("all", "--strip-all"), ("debug", "--strip-debug")] {
            std::fs::write(&file, unsigned)?;
            process::run(std::process::Command::new("strip").arg(option).arg(&file))?;
            let stripped = self.file(&format!("stripped-{name}"), std::fs::read(&file)?, "");
            self.add(if name == "all" {
                stripped.cause("stripped").shows("symbol table").shows("(stripped?)")
            } else {
                stripped
            });
        }
        let first = 24;
        for (name, offset, bytes) in
            [("section", first + 6, vec![0xf0, 0xfe]), ("name", first, vec![0xff, 0xff, 0xff, 0x7f])]
        {
            let bytes = patch::section_bytes(unsigned.to_vec(), b".symtab", offset, &bytes);
            let situation = self.file(&format!("symbol-{name}-outside"), bytes, "");
            self.add(situation.only_checked("damaged"));
        }
        Ok(())
    }

    /// The module's image of its structure.
    fn images(&mut self, tree: &KernelTree, kernel: &Kernel, unsigned: &[u8]) {
        let image = b".gnu.linkonce.this_module".as_slice();
        let twice = kernel.sound("made_i").section(Section::new(image, vec![0; kernel.struct_size]).flags(3));
        self.file_only("image-twice", twice.build());
        let bytes = patch::section_field(unsigned.to_vec(), image, 8, 8, 1);
        let unloaded = self.file("image-not-loaded", bytes, "");
        // Kernels before 6.4 use it all the same, after its memory is free.
        let is_old = tree.version.starts_with("6.1.");
        self.add(if is_old { unloaded.only_checked("damaged") } else { unloaded.cause("damaged") });
        let past = patch::section_field(unsigned.to_vec(), b".comment", 32, 8, 1 << 30);
        self.refused("section-past-the-end", past, "damaged");
    }

    /// BTF, which kernels look at that were built so, and some of them insist on.
    fn type_information(&mut self, unsigned: &[u8]) {
        if !patch::has_section(unsigned, b".BTF") {
            return;
        }
        let with =
            |offset: usize, bytes: &[u8]| patch::section_bytes(unsigned.to_vec(), b".BTF", offset, bytes);
        for (name, offset, bytes) in [
            ("magic", 0, vec![0]),
            ("version", 2, vec![9]),
            ("flags", 3, vec![1]),
            ("header", 4, vec![8]),
            ("types-place", 8, vec![1]),
            ("types-length", 12, vec![0xff, 0xff, 0xff]),
            ("strings-length", 20, vec![0xff, 0xff, 0xff]),
            ("first-kind", 24 + 7, vec![0x1f]),
            ("first-name", 24, vec![0xff, 0xff, 0xff, 0x7f]),
            ("first-size", 24 + 4, vec![0xff, 0xff]),
        ] {
            let situation = self.file(&format!("btf-{name}"), with(offset, &bytes), "");
            self.add(situation.shows("failed to validate module").shows("type information (BTF)"));
        }
        let none = patch::section_field(unsigned.to_vec(), b".BTF", 32, 8, 0);
        self.file_only("btf-empty", none);
        let short = patch::section_field(unsigned.to_vec(), b".BTF", 32, 8, 40);
        self.file_only("btf-short", short);
    }

    /// A module that is not free, and users of what it exports.
    fn proprietary(&mut self, tree: &KernelTree, kernel: &Kernel, dummy: &[u8]) {
        for (exporter, symbol, user) in OPEN_EXPORTERS {
            let Ok(module) = guest::plain_module(tree, exporter) else { continue };
            let crc = guest::plain_module(tree, user).ok().and_then(|user| patch::crc(&user, symbol));
            let exports = [symbol.as_bytes(), b"\0"].concat();
            if !super::has(&module, &exports) || (kernel.printk.is_some() && crc.is_none()) {
                continue;
            }
            let closed = patch::replaced(patch::unsigned(module), b"license=GPL", b"license=XPL");
            let file = format!("closed-{exporter}.ko");
            self.files.insert(file.clone(), closed);
            let loaded = format!("/sbin/insmod {} ", path(&file));
            let module = |name: &str| kernel.sound(name).needs(symbol, crc);
            let gpl_only = "rtnl_link_unregister";
            let both = module("made_q").needs(gpl_only, patch::crc(dummy, gpl_only)).build();
            let both = self.file(&format!("proprietary-{exporter}-and-gpl"), both, "");
            self.add(both.before(loaded.clone()).cause("proprietary").shows("proprietary"));
            let alone = self.file(&format!("proprietary-{exporter}-alone"), module("made_o").build(), "");
            self.add(alone.before(loaded));
        }
    }

    /// Where something is not to be seen, less is claimed.
    fn hidden(&mut self, tree: &KernelTree, kernel: &Kernel, dummy: &[u8]) {
        let away = |what: &str| format!("mkdir -p /hidden && mv {what} /hidden/");
        let back = |to: &str| format!("mv /hidden/* {to}/");
        let bare = kernel.bare("made_v").modinfo("license", "GPL").build();
        let config = self.file("hidden-config", bare, "").hides();
        self.add(config.before(away("/boot/config-*")).after(back("/boot")));
        let image = away("/boot/vmlinuz-* /boot/System.map-*");
        for (name, symbol) in [("missing", "no_such_symbol_here"), ("open", "kfree")] {
            let module = kernel.sound("made_x").needs(symbol, None).build();
            let situation = self.file(&format!("hidden-image-{name}"), module, "").hides();
            self.add(situation.before(image.clone()).after(back("/boot")));
        }
        // Nor its log: /proc/kallsyms has the names of what it exports.
        let has = |option: &str| kernel.config.lines().any(|line| line.strip_suffix("=y") == Some(option));
        let names = away("/boot/vmlinuz-* /boot/System.map-* /dev/kmsg");
        let shown = [("missing", "no_such_symbol_here"), ("open", "kfree")];
        for (name, symbol) in shown.into_iter().filter(|_| has("CONFIG_KALLSYMS_ALL")) {
            let module = kernel.sound("made_x").needs(symbol, None).build();
            let situation = self.file(&format!("hidden-log-{name}"), module, "").hides().shows(symbol);
            self.add(situation.before(&*names).after(format!("mv /hidden/kmsg /dev/; {}", back("/boot"))));
        }
        // Nor /sys: /proc/modules has what is loaded.
        let present = self.file("hidden-sys", kernel.sound("made-dash").build(), "").cause("present");
        let loaded = format!("/sbin/insmod {} ; umount -l /sys", path("hidden-sys.ko"));
        let again = "mount -t sysfs sysfs /sys; mount -t securityfs securityfs /sys/kernel/security; \
                     mount -t tracefs tracefs /sys/kernel/tracing";
        self.add(present.before(loaded).after(again).shows("already"));
        // A container's filter of system calls answers in the kernel's place.
        if has("CONFIG_SECCOMP_FILTER") {
            let filtered = self.file("hidden-by-filter", dummy.to_vec(), "").hides().by(Who::Filtered);
            self.add(filtered.checks("\"filter\"").shows("seccomp"));
            self.add(
                Situation::name("hidden-by-filter-name", "loop", "")
                    .hides()
                    .by(Who::Filtered)
                    .shows("seccomp"),
            );
        }
        // A policy of the system for the contents of files, which wants signatures of another kind.
        if has("CONFIG_IMA_APPRAISE") {
            let boot = "ima_policy=secure_boot ima_appraise=enforce";
            for (name, bytes) in [("own", dummy.to_vec()), ("unsigned", patch::unsigned(dummy.to_vec()))] {
                let situation = self.file(&format!("integrity-{name}"), bytes, "").boot(boot);
                self.add(situation.checks("\"appraisal\"").shows("IMA").hides());
            }
        }
        // A dependency whose file is gone.
        let fat = format!("/lib/modules/{}/kernel/fs/fat", tree.version);
        let gone = Situation::name("hidden-dependency", "vfat", "").before(away(&format!("{fat}/fat.ko*")));
        self.add(gone.after(back(&fat)).cause("dependency").shows("fat.ko"));
        let vfat = self.file("hidden-dependency-file", dummy.to_vec(), "");
        self.add(vfat.before(away(&format!("{fat}/fat.ko*"))).after(back(&fat)));
        for (name, file) in [("cmdline", "cmdline"), ("modules", "modules"), ("status", "self/status")] {
            let situation = self.file(&format!("hidden-{name}"), dummy.to_vec(), "").hides();
            // Reading a process's memory where there is none is an error.
            let cover = format!("mount --bind /proc/1/mem /proc/{file}");
            self.add(situation.before(cover).after(format!("umount /proc/{file}")));
        }
    }

    /// Ways to compress: those that the kernel's decoder does not read are decompressed here.
    fn packings(&mut self, unsigned: &[u8]) -> anyhow::Result<()> {
        for (name, program, arguments, suffix) in [
            ("xz-none", "xz", &["--check=none"][..], "xz"),
            ("xz-sha256", "xz", &["--check=sha256"], "xz"),
            ("xz-crc32", "xz", &["--check=crc32"], "xz"),
            ("xz-x86", "xz", &["--check=crc32", "--x86", "--lzma2=dict=1MiB"], "xz"),
            ("xz-64MiB", "xz", &["--check=crc32", "--lzma2=dict=64MiB"], "xz"),
            ("zst-ultra", "zstd", &["--quiet", "--ultra", "-22"], "zst"),
            ("zst-long", "zstd", &["--quiet", "--long=27"], "zst"),
            ("gz-9", "gzip", &["-9"], "gz"),
        ] {
            let bytes = guest::filter(std::process::Command::new(program).args(arguments), unsigned)?;
            for (how, bytes) in [("", bytes.clone()), ("-more", [bytes.as_slice(), b"more"].concat())] {
                let file = format!("packing{how}-{name}.ko.{suffix}");
                self.files.insert(file.clone(), bytes);
                self.add(Situation::file(format!("packing{how}-{name}"), &path(&file), ""));
            }
        }
        Ok(())
    }
}

impl Kernel {
    /// A module that the kernel takes.
    pub(super) fn sound(&self, name: &str) -> ModuleBuilder {
        self.bare(name).modinfo("license", "GPL").modinfo("vermagic", &self.vermagic)
    }
}
