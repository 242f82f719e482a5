//! Modules made from nothing.

use testkit::ModuleBuilder;

use super::{Kernel, List};

impl List {
    /// Modules made from nothing.
    pub(super) fn made(&mut self, kernel: &Kernel) {
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
}
