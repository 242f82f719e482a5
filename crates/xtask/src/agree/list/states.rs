//! States of the system, and who asks.

use super::{Kernel, List, path};
use crate::agree::situation::{Situation, Who};

impl List {
    /// States of the system, and who asks.
    pub(super) fn states(&mut self, dummy: &[u8], vfat: &[u8], kernel: &Kernel) {
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
}
