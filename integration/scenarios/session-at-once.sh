# A session on both sides: many modprobes at the same time, of one module and of modules that share dependencies:
# each succeeds, and each module starts once.
# tools: ours

. /vm/compare.sh

concurrent() {
    at_once "modprobe loop" "modprobe loop" "modprobe loop"
    expect_logged_times 1 "loop: module loaded"
    start_over
    at_once "modprobe xfs" "modprobe xfs" "modprobe xfs" "modprobe xfs" "modprobe xfs"
    expect_logged_times 1 "SGI XFS"
    start_over
    at_once "modprobe vfat" "modprobe msdos" "modprobe fat" "modprobe vfat" "modprobe -a msdos vfat" "modprobe fs-vfat"
    at_once "modprobe bridge" "modprobe 8021q" "modprobe br_netfilter" "modprobe -a 8021q bridge" "modprobe stp"
    expect_logged_times 1 "8021q: 802.1Q VLAN Support"
    expect_logged_times 1 "bridge: filtering"
    at_once "modprobe dm_snapshot" "modprobe dm_crypt" "modprobe dm_mirror" "modprobe dm_mod" "modprobe -b dm_log"
    expect_logged_times 1 "device-mapper: ioctl:"
    at_once "modprobe -r vfat" "modprobe -r 8021q" "modprobe -r dm_crypt"
}
compare concurrent
