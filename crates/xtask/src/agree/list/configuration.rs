//! What modprobe is given: parameters, and lines of its configuration.

use super::List;
use crate::agree::situation::Situation;

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
    pub(super) fn values(&mut self) {
        for (module, good, bad) in VALUES {
            for (number, values) in (1..).zip(good.iter().chain(bad)) {
                self.add(Situation::name(format!("value-{module}-{number}"), module, values));
            }
        }
    }

    /// Lines of modprobe.d and modutils.d.
    pub(super) fn configuration(&mut self) {
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
        let fat = configured("install-false-of-dependency", "vfat", "install fat /bin/false");
        self.add(fat.cause("dependency").shows("a.conf line 1"));
        self.add(configured("softdep-good", "dummy", "softdep dummy post: ifb"));
        self.add(configured("remove", "dummy", "remove dummy /bin/false"));
        self.add(configured("bad-options-of-dependency", "vfat", "options fat nosuch=1"));
        self.add(configured("blacklist", "dummy", "blacklist dummy"));
        self.add(configured("alias", "some_device", "alias some_device dummy"));
        // What is run in the place of loading loads nothing.
        for (name, command) in [
            ("false", "/bin/false"),
            ("usr-false", "/usr/bin/false"),
            ("plain-false", "false"),
            ("exit", "exit 1"),
        ] {
            let blocked =
                configured(&format!("install-{name}"), "dummy", &format!("install dummy {command}"));
            self.add(blocked.cause("install_command").shows("a.conf line 1"));
        }
        for (name, command) in
            [("true", "/bin/true"), ("plain-true", "true"), ("colon", ":"), ("exit-0", "exit 0")]
        {
            let blocked =
                configured(&format!("install-{name}"), "dummy", &format!("install dummy {command}"));
            // The command succeeds, and the module is not there.
            let then = "sh -c '/sbin/modprobe dummy && grep -q ^dummy /proc/modules'";
            self.add(blocked.cause("install_command").command(then));
        }
        let fat = configured("install-true-of-dependency", "vfat", "install fat /bin/true");
        self.add(fat.cause("dependency").checks("a.conf line 1"));
        // By the list of what blocks it, too.
        let listed = configured("blocked-dependency", "vfat", "install fat /bin/false").cause("dependency");
        let then = "sh -c '/bin/kmod blocked vfat >&2; /sbin/modprobe vfat'";
        self.add(listed.command(then).shows("fat is not loaded, a command is run: /bin/false"));
        // What another command does is not known.
        let other = configured("install-load", "dummy", "install dummy /sbin/modprobe -i dummy").hides();
        self.add(other);
        self.add(configured("install-other", "dummy", "install dummy test 3 = 4").hides());
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
}
