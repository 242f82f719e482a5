# The tools in a booted machine, as a user calls them. What they print must be the same with the packaged kmod.

run() {
    echo "\$ $*"
    "$@"
    echo "= $?"
}
{ kmod --version | grep '^modutils ' || kmod --version | head -n 1; } | section identity
{
    run modprobe --verbose 8021q
    # lsmod's order is the order of loading; the users of a module are in that order, too.
    lsmod | grep -E '^(8021q|garp|mrp|stp|llc) '
    run modprobe --show-depends 8021q
    run modinfo 8021q
    run modinfo --field depends nfs
    run modinfo --field filename --null vfat | tr '\0' '\n'
    run modprobe --remove --verbose 8021q
    lsmod | grep -E '^(8021q|garp|mrp|stp|llc) '
    run modprobe --dry-run --verbose nfs
    run modprobe absent-module 2>/dev/null
    run modprobe --resolve-alias fs-vfat
    run insmod "$(modinfo --field filename fat)"
    run insmod "$(modinfo --field filename vfat)"
    run rmmod fat 2>/dev/null
    run rmmod vfat fat
    run modprobe vfat
    run modprobe --remove vfat
    run depmod --quick
    lsmod | sed 1d | cut -d' ' -f1 | sort
} 2>&1 | section tools
