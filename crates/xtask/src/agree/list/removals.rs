//! Removals that the kernel refuses because the module is in use: by whom, and that it goes once that has ended.

use super::List;
use crate::agree::situation::Situation;
use crate::guest;
use crate::trees::KernelTree;

/// A module that is in use.
struct Use {
    name: &'static str,
    module: &'static str,
    /// What must be in the tree; the module itself where there is nothing.
    needs: &'static [&'static str],
    before: &'static str,
    shows: &'static str,
    end: &'static str,
}

/// A process that has a device open: the module, what loads it, and the device.
const OPEN: [(&str, &str, &str); 10] = [
    ("loop", "loop", "/dev/loop0"),
    ("msr", "msr", "/dev/cpu/0/msr"),
    ("cpuid", "cpuid", "/dev/cpu/0/cpuid"),
    ("null_blk", "null_blk nr_devices=1", "/dev/nullb0"),
    ("zram", "zram", "/dev/zram0"),
    ("nbd", "nbd", "/dev/nbd0"),
    ("tun", "tun", "/dev/net/tun"),
    ("cuse", "cuse", "/dev/cuse"),
    ("vhost_vsock", "vhost_vsock", "/dev/vhost-vsock"),
    ("kvm_amd", "kvm_amd", "/dev/kvm"),
];

/// A file system of type vfat, with a character set, on a loop device; then what is added.
macro_rules! mounted {
    ($($then:literal)?) => {
        concat!(
            "dd if=/dev/zero of=image bs=1024 count=512; mkdosfs image; /sbin/modprobe loop; /sbin/modprobe vfat; ",
            "/sbin/modprobe nls_cp437; losetup /dev/loop0 image; mkdir -p /tmp/mounted; ",
            "mount -t vfat -o codepage=437 /dev/loop0 /tmp/mounted",
            $("; ", $then)?
        )
    };
}

/// The rest. `$held` is the process that holds it.
const USES: [Use; 25] = [
    Use {
        name: "module",
        module: "fat",
        needs: &["vfat"],
        before: "/sbin/modprobe vfat",
        shows: "in use by: vfat",
        end: "/sbin/rmmod vfat",
    },
    Use {
        name: "watchdog",
        module: "softdog",
        needs: &[],
        before: "/sbin/modprobe softdog soft_noboot=1; mkfifo end; \
                 { read wanted; echo V; } <end >/dev/watchdog0 & exec 8>end; sleep 1",
        shows: "has /dev/watchdog0 open",
        end: "echo end >&8; exec 8>&-; wait",
    },
    Use {
        name: "loop-file",
        module: "loop",
        needs: &[],
        before: "/sbin/modprobe loop; dd if=/dev/zero of=image bs=1024 count=512; losetup /dev/loop0 image",
        shows: "stands for the file /tmp/work/image (losetup -d /dev/loop0)",
        end: "losetup -d /dev/loop0; sleep 1",
    },
    Use {
        name: "mount",
        module: "vfat",
        needs: &["loop"],
        before: mounted!(),
        shows: "A file system of type vfat is mounted on /tmp/mounted (umount /tmp/mounted)",
        end: "umount /tmp/mounted",
    },
    Use {
        name: "mount-elsewhere",
        module: "vfat",
        needs: &["loop"],
        // Only other processes see it.
        before: mounted!("unshare -m sleep 100 & held=$!; sleep 1; umount /tmp/mounted"),
        shows: "in a mount namespace of its own",
        end: "kill $held; wait",
    },
    Use {
        name: "mount-lazily-ended",
        module: "vfat",
        needs: &["loop"],
        // Nobody sees it, and a process has a file of it open.
        before: mounted!(
            "echo 1 >/tmp/mounted/file; sleep 100 </tmp/mounted/file & held=$!; sleep 1; umount -l /tmp/mounted"
        ),
        shows: "no longer mounted (umount -l) with files still open: lsof",
        end: "kill $held; wait",
    },
    Use {
        name: "character-set",
        module: "nls_cp437",
        needs: &["loop", "vfat"],
        before: mounted!(),
        shows: "mounted with its character set (umount /tmp/mounted)",
        end: "umount /tmp/mounted",
    },
    Use {
        name: "swap",
        module: "zram",
        needs: &[],
        before: "/sbin/modprobe zram; echo 8M >/sys/block/zram0/disksize; mkswap /dev/zram0; swapon /dev/zram0",
        shows: "/dev/zram0 is swapped on (swapoff /dev/zram0)",
        end: "swapoff /dev/zram0",
    },
    Use {
        name: "scheduler",
        module: "bfq",
        needs: &["null_blk"],
        before: "/sbin/modprobe null_blk nr_devices=1 queue_mode=2; /sbin/modprobe bfq; \
                 echo bfq >/sys/block/nullb0/queue/scheduler",
        shows: "It schedules what the disk nullb0 does (echo none >/sys/block/nullb0/queue/scheduler)",
        end: "echo none >/sys/block/nullb0/queue/scheduler",
    },
    Use {
        name: "scheduler-by-alias",
        module: "kyber_iosched",
        needs: &["null_blk", "kyber-iosched"],
        before: "/sbin/modprobe null_blk nr_devices=1 queue_mode=2; /sbin/modprobe kyber-iosched; \
                 echo kyber >/sys/block/nullb0/queue/scheduler",
        shows: "It schedules what the disk nullb0 does",
        end: "echo none >/sys/block/nullb0/queue/scheduler",
    },
    Use {
        name: "configured",
        module: "null_blk",
        needs: &[],
        before: "/sbin/modprobe null_blk nr_devices=0; /sbin/modprobe configfs; \
                 mount -t configfs configfs /sys/kernel/config; mkdir /sys/kernel/config/nullb/disk",
        shows: "It is configured in /sys/kernel/config/nullb/disk (rmdir /sys/kernel/config/nullb/disk)",
        end: "rmdir /sys/kernel/config/nullb/disk; umount /sys/kernel/config",
    },
    Use {
        name: "array",
        module: "raid1",
        needs: &["raid1", "null_blk"],
        before: "/sbin/modprobe null_blk nr_devices=1 queue_mode=2 gb=1; /sbin/modprobe raid1; \
                 echo md_made >/sys/module/md_mod/parameters/new_array; cd /sys/block/md_made/md && \
                 echo raid1 >level && echo 1 >raid_disks && echo 8192 >component_size && \
                 echo none >metadata_version; cat /sys/block/nullb0/dev >new_dev && echo 0 >dev-nullb0/slot && \
                 echo active >array_state; cd /tmp/work",
        shows: "The array md_made is of its kind, raid1 (mdadm --stop /dev/md_made)",
        end: "echo clear >/sys/block/md_made/md/array_state; sleep 1",
    },
    Use {
        name: "mapped",
        module: "dm_mod",
        needs: &["dm-mod"],
        before: "/sbin/modprobe dm-mod; /vm/guest-calls map made error",
        shows: "is made with it, made (dmsetup remove made)",
        end: "/vm/guest-calls unmap made",
    },
    Use {
        name: "mapped-target",
        module: "dm_zero",
        needs: &["dm-zero"],
        before: "/sbin/modprobe dm-zero; /vm/guest-calls map made zero",
        shows: "A mapped device may be what uses it: dmsetup table",
        end: "/vm/guest-calls unmap made",
    },
    Use {
        name: "congestion-default",
        module: "tcp_bbr",
        needs: &[],
        before: "/sbin/modprobe tcp_bbr; echo bbr >/proc/sys/net/ipv4/tcp_congestion_control",
        shows: "It is the default of net.ipv4.tcp_congestion_control (sysctl net.ipv4.tcp_congestion_control=",
        end: "echo cubic >/proc/sys/net/ipv4/tcp_congestion_control",
    },
    Use {
        name: "congestion-connection",
        module: "tcp_vegas",
        needs: &[],
        before: "/sbin/modprobe tcp_vegas; /vm/guest-calls congestion vegas >held & held=$!; sleep 1",
        shows: "A connection may be what uses it: ss -ti",
        end: "kill $held; wait",
    },
    Use {
        name: "queue-default",
        module: "sch_fq",
        needs: &[],
        before: "old=$(cat /proc/sys/net/core/default_qdisc); /sbin/modprobe sch_fq; \
                 echo fq >/proc/sys/net/core/default_qdisc",
        shows: "It is the default of net.core.default_qdisc (sysctl net.core.default_qdisc=",
        end: "echo $old >/proc/sys/net/core/default_qdisc",
    },
    Use {
        name: "queue-of-interface",
        module: "sch_fq",
        needs: &["tun"],
        before: "old=$(cat /proc/sys/net/core/default_qdisc); /sbin/modprobe sch_fq; /sbin/modprobe tun; \
                 echo fq >/proc/sys/net/core/default_qdisc; tunctl -t tap9; ip link set tap9 up; \
                 echo $old >/proc/sys/net/core/default_qdisc",
        shows: "The queue or a filter of a network interface may be what uses it: tc qdisc show",
        end: "tunctl -d tap9; sleep 1",
    },
    Use {
        name: "persistent",
        module: "tun",
        needs: &[],
        before: "/sbin/modprobe tun; tunctl -t tap9",
        shows: "The network interface tap9 is persistent (ip link delete tap9)",
        end: "tunctl -d tap9",
    },
    // Its own sockets keep it for good.
    Use {
        name: "sockets-of-its-own",
        module: "sctp",
        needs: &[],
        before: "/sbin/modprobe sctp",
        shows: "There is a socket of protocol SCTP",
        end: "",
    },
    Use {
        name: "sockets-of-machines",
        module: "vsock",
        needs: &[],
        before: "/sbin/modprobe vsock; /vm/guest-calls socket 40 1 0 >held & held=$!; sleep 1",
        shows: "A socket of a process may be what uses it: lsof",
        end: "kill $held; wait; sleep 1",
    },
    Use {
        name: "algorithm",
        module: "algif_hash",
        needs: &[],
        before: "/sbin/modprobe algif_hash; /vm/guest-calls algorithm hash sha256 >held & held=$!; sleep 1",
        shows: "A socket of a process may be what uses it: lsof",
        end: "kill $held; wait; sleep 1",
    },
    Use {
        name: "layer",
        module: "tls",
        needs: &[],
        before: "ip link set lo up; /sbin/modprobe tls; /vm/guest-calls layer tls >held & held=$!; sleep 1",
        shows: "used once",
        end: "kill $held; wait; sleep 1",
    },
    Use {
        name: "rule",
        module: "nft_quota",
        needs: &[],
        before: "/sbin/modprobe nft_quota; /vm/guest-calls rule quota",
        shows: "A rule of the packet filter may be what uses it: nft list ruleset",
        end: "/vm/guest-calls unrule made; sleep 1",
    },
    Use {
        name: "rule-of-xtables",
        module: "xt_mark",
        needs: &["nft_compat"],
        before: "/sbin/modprobe nft_compat; /sbin/modprobe xt_mark; /vm/guest-calls rule match",
        shows: "A rule of the packet filter may be what uses it",
        end: "/vm/guest-calls unrule made; sleep 1",
    },
];

impl List {
    /// Adds those whose modules the tree has.
    pub(super) fn removals(&mut self, tree: &KernelTree) {
        let has = |name: &str| {
            [name.replace('_', "-"), name.to_owned()]
                .iter()
                .any(|name| guest::plain_module(tree, name).is_ok())
        };
        for (module, load, device) in OPEN.into_iter().filter(|(module, ..)| has(module)) {
            let removal = Situation::removal(format!("removal-open-{module}"), module);
            let before = format!("/sbin/modprobe {load}; sleep 100 <{device} & held=$!; sleep 1");
            let shows = format!("(sleep) has {device} open.");
            self.add(removal.before(before).shows(shows).end("kill $held; wait"));
        }
        for Use { name, module, needs, before, shows, end } in USES {
            if has(module) && needs.iter().all(|name| has(name)) {
                let removal = Situation::removal(format!("removal-{name}"), module);
                let removal = removal.before(before).shows(shows).end(end);
                self.add(removal.after("umount /tmp/mounted; losetup -d /dev/loop0; sleep 1"));
            }
        }
    }
}
