# modprobe loads a module by its name, with what it depends on; a second time changes nothing.

expect_absent vfat fat
expect_quiet /sbin/modprobe vfat
expect_loaded vfat fat
[ -e /sys/module/fat/holders/vfat ] || fail "fat does not know that vfat uses it"
expect_quiet /sbin/modprobe vfat
expect_error "Module already in kernel" /sbin/modprobe --first-time vfat

# '-' and '_' are the same in names; dependencies of dependencies come as well.
expect_quiet /sbin/modprobe dm_snapshot
expect_loaded dm_snapshot dm_bufio dm_mod
expect_quiet /sbin/modprobe -r -a dm-snapshot dm-mod
expect_quiet /sbin/modprobe -r vfat

expect_error "modprobe: FATAL: Module nonesuch not found in directory /lib/modules/$(uname -r)" /sbin/modprobe nonesuch
expect_quiet_failure() {
    expect_status 1 "$@"
    [ ! -s err ] || fail "-q should have kept it quiet"
}
expect_quiet_failure /sbin/modprobe -q nonesuch
