# lsmod prints what the packaged lsmod prints in the same machine.

same() {
    /sbin/lsmod >ours
    /reference/sbin/lsmod >theirs
    expect_same ours theirs
}
same
expect_quiet /sbin/modprobe -a vfat msdos bridge loop dm_snapshot
same
grep -q "^fat .* 2 msdos,vfat\|^fat .* 2 vfat,msdos" ours || fail "fat is not shown as used by both"
unload_all
