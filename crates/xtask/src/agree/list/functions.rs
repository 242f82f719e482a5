//! Modules with functions of their own: they take long to load or to unload, answer with an error, crash, or stay for good.

use testkit::{Code, Crc, ModuleBuilder, Setter, patch};

use super::{Kernel, List, path};
use crate::agree::situation::Situation;
use crate::guest;
use crate::trees::KernelTree;

/// Modules that sleep, of which one is in every tree: they have the symbol's version.
const SLEEPERS: [&str; 3] = ["virtio_pci_modern_dev", "sunrpc", "nfsd"];

/// What a module's own initialisation answers, and its text. Each number is also one of the kernel's for a reason.
const ANSWERS: [(i32, &str); 12] = [
    (1, "Operation not permitted"),
    (2, "No such file or directory"),
    (8, "Exec format error"),
    (12, "Cannot allocate memory"),
    (13, "Permission denied"),
    (16, "Device or resource busy"),
    // Later kernels make "busy" of it, for its own answer to a module that is there.
    (17, ""),
    (22, "Invalid argument"),
    (26, "Text file busy"),
    (38, "Function not implemented"),
    (95, "Operation not supported"),
    (129, "Key was rejected by service"),
];

/// The boot whose kernel is broken by a module. The stock kernels do not stop at that.
const BROKEN: &str = "loglevel=2";

impl List {
    /// Adds them; `dummy` is any module of the kernel with both functions.
    pub(super) fn functions(&mut self, tree: &KernelTree, kernel: &Kernel, dummy: &[u8]) {
        let Some((init, exit)) = patch::function_places(dummy) else { return };
        let msleep = SLEEPERS.iter().find_map(|name| {
            let module = guest::plain_module(tree, name).ok()?;
            patch::crc(&module, "msleep")
        });
        // It waits until a parameter is set: `go` when it is loaded, `leave` when it is unloaded.
        let slow = |name: &str| {
            let module = kernel.sound(name).needs("msleep", msleep);
            let module = match patch::crc(dummy, "param_ops_int") {
                Some(crc) => module.version("param_ops_int", crc),
                None => module,
            };
            let shown = Setter::Shown("param_ops_int");
            let module = module.parameter("go", shown).parameter("leave", shown);
            module.function("init_module", init, Code::WaitsFor(0)).function(
                "cleanup_module",
                exit,
                Code::WaitsFor(1),
            )
        };
        self.coming_and_going(kernel, &slow);
        for (answer, text) in ANSWERS {
            let name = format!("answer-{answer}");
            let module =
                kernel.sound("made_own").function("init_module", init, Code::Returns(-answer)).build();
            let situation = self.file(&name, module, "");
            self.add(situation.shows(text).shows("own initialisation").answers_itself());
        }
        self.permanent(kernel, init, exit);
        self.broken(kernel, init, exit);
    }

    /// A module that is being loaded or unloaded, and one that uses it.
    fn coming_and_going(&mut self, kernel: &Kernel, slow: &dyn Fn(&str) -> ModuleBuilder) {
        // Without versions a module has the same symbols in all kernels.
        let crc = kernel.layout.map(|_| 0x1234_5678);
        let exported = crc.map_or(Crc::None, Crc::Section);
        self.files.insert("slow.ko".into(), slow("slow").export("slow_symbol", exported).build());
        let user = kernel.sound("user").needs("slow_symbol", crc).build();
        let loading = format!("/sbin/insmod {} & started slow; : ", path("slow.ko"));
        let set = |name: &str| format!("echo 1 >/sys/module/slow/parameters/{name}; wait");
        let rest = "echo 1 >/sys/module/slow/parameters/go; wait; echo 1 >/sys/module/slow/parameters/leave";
        // The kernel waits half a minute for the initialisation.
        let waits = self.file("coming-provider", user.clone(), "").hides();
        let waits = waits.shows("still being initialised").shows("slow");
        self.add(waits.before(&*loading).after(rest).checks("slow"));
        let same = self.file("coming-same", slow("slow").build(), "").hides();
        let same = same.command(format!(
            "sh -c '(sleep 3; {}) & /sbin/insmod {} '",
            set("go"),
            path("coming-same.ko")
        ));
        self.add(same.before(&*loading).after(rest).checks("moving").cause("present"));
        let coming = Situation::removal("removal-coming", "slow").shows("It is still being loaded");
        let ends = format!("{}; echo 1 >/sys/module/slow/parameters/leave", set("go"));
        self.add(coming.never("cannot be seen").before(&*loading).end(ends).after(rest));
        let going = Situation::removal("removal-going", "slow").shows("It is being unloaded already");
        let unloading = format!(
            "/sbin/insmod {} go=1; /sbin/rmmod slow & \
             until grep -q going /sys/module/slow/initstate; do usleep 50000; done",
            path("slow.ko")
        );
        let ends = format!("{}; gone slow", set("leave"));
        self.add(going.never("cannot be seen").before(unloading).end(ends).after(rest));
    }

    /// A module that has no exit function is removed by force alone.
    fn permanent(&mut self, kernel: &Kernel, init: u64, exit: u64) {
        let module = kernel.sound("lasting").function("init_module", init, Code::Returns(0));
        self.files.insert("lasting.ko".into(), module.build());
        let removal = Situation::removal("removal-permanent", "lasting")
            .before(format!("/sbin/insmod {} ", path("lasting.ko")));
        let removal = removal.shows("It has no exit function").shows("by force").never("stays until");
        self.add(removal.end("/sbin/rmmod -f lasting"));
        // With both functions, and with none, it goes at once.
        for (name, module) in [
            (
                "both",
                kernel.sound("leaving").function("init_module", init, Code::Returns(0)).function(
                    "cleanup_module",
                    exit,
                    Code::Returns(0),
                ),
            ),
            ("none", kernel.sound("leaving")),
        ] {
            let file = self.file(&format!("function-{name}"), module.build(), "");
            let both = format!(
                "sh -c '/sbin/insmod {0} && /sbin/rmmod leaving && /sbin/insmod {0} '",
                path(&format!("function-{name}.ko"))
            );
            self.add(file.command(both));
        }
    }

    /// After an error of the kernel in a module's initialisation that module stays as it is: whoever wants it, or a
    /// symbol of it, waits.
    fn broken(&mut self, kernel: &Kernel, init: u64, exit: u64) {
        let crc = kernel.layout.map(|_| 0x1234_5678);
        let exported = crc.map_or(Crc::None, Crc::Section);
        let crashing = kernel.sound("crashing").export("crashing_symbol", exported);
        let crashing = crashing.function("init_module", init, Code::Crashes).function(
            "cleanup_module",
            exit,
            Code::Returns(0),
        );
        self.files.insert("crashing.ko".into(), crashing.build());
        let broken = format!("[ -e /sys/module/crashing ] || /sbin/insmod {} ", path("crashing.ko"));
        let same = self.file("broken-same", crashing.build(), "").only_checked("moving");
        self.add(same.before(&*broken).boot(BROKEN).checks("stuck"));
        let user = kernel.sound("user").needs("crashing_symbol", crc).build();
        let user = self.file("broken-provider", user, "").only_checked("moving");
        self.add(user.before(&*broken).boot(BROKEN).checks("crashing"));
        let removal = Situation::report("broken-removal", "/sbin/rmmod crashing");
        self.add(removal.before(broken).boot(BROKEN).shows("stuck").never("cannot be seen"));
    }
}
