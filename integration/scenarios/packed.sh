# A module never fails for how it is compressed: what the kernel's decoder does not read, the tools decompress.
# tools: ours

kernel=none
[ ! -e /sys/module/compression ] || kernel=$(cat /sys/module/compression)
echo "= the kernel decompresses: $kernel"
forget_log
for file in /packed/*/dummy.ko.*; do
    expect_quiet /sbin/insmod "$file" numdummies=2
    [ -e /sys/class/net/dummy1 ] || fail "the parameter got lost"
    expect_quiet /sbin/rmmod dummy
    expect_quiet /sbin/modprobe "$file" numdummies=2
    [ -e /sys/class/net/dummy1 ] || fail "the parameter got lost"
    expect_quiet /sbin/modprobe -r dummy
done
# The stream's header decides: the kernel does not try what its decoder does not read.
expect_unlogged "decompression failed"

# The check knows it, too, where it matters. That no integrity policy forbids the file is seen in this file system.
mount -t securityfs securityfs /sys/kernel/security
note="The kernel's own decoder does not read this xz file (its check is CRC64, not CRC32)"
attempt /bin/kmod check /packed/xz-check-crc64/dummy.ko.xz
[ "$status" -eq 0 ] || fail "the check expects a refusal"
case $kernel in
xz) grep -qF "$note" out || fail "no note about the packing" ;;
*) ! grep -F "own decoder" out || fail "this kernel does not decompress xz" ;;
esac

umount /sys/kernel/security

# Parameters that the module refuses are refused once: it does not run a second time.
attempt /sbin/insmod /packed/xz-check-crc32/dummy.ko.xz numdummies=many
[ "$status" -eq 1 ] || fail "a refused parameter"
expect_logged_times 1 "invalid for parameter"
expect_absent dummy
