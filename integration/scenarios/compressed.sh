# A module loads plain, .xz and .zst, on a kernel that can decompress and on one that cannot: the tools do it then.

for suffix in ko ko.xz ko.zst; do
    root=/variants/$suffix
    expect_status 0 /sbin/depmod -b "$root"
    expect_output "/kernel/vfat.$suffix" /sbin/modprobe -d "$root" -D vfat
    expect_quiet /sbin/modprobe -d "$root" vfat
    expect_loaded vfat fat
    expect_quiet /sbin/modprobe -d "$root" -r vfat
    expect_absent vfat fat
    expect_quiet /sbin/insmod "$root/lib/modules/$(uname -r)/kernel/dummy.$suffix" numdummies=2
    [ -e /sys/class/net/dummy1 ] || fail "the parameter got lost"
    expect_quiet /sbin/rmmod dummy
done
