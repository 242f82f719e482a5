//! Modules of the kernel, changed or damaged.

use anyhow::Result;
use testkit::patch;

use super::{List, has, path};
use crate::agree::situation::Situation;
use crate::guest;
use crate::trees::KernelTree;

impl List {
    /// Modules of this kernel with one change each.
    pub(super) fn changed(&mut self, tree: &KernelTree, dummy: &[u8]) -> Result<()> {
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

    /// Files made from a module, that are cut off or have bytes changed.
    pub(super) fn damaged(&mut self, whose: &str, module: &[u8]) {
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
}
