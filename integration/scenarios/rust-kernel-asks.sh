# The kernel runs /sbin/modprobe itself: for a file system, and for the character sets that it wants.
# kernels: rust

expect_value /sbin/modprobe /proc/sys/kernel/modprobe
expect_quiet /sbin/modprobe loop
dd if=/dev/zero of=disk bs=1k count=512 2>/dev/null
mkdosfs disk >/dev/null
expect_absent vfat fat nls_cp437 nls_iso8859_1
mkdir mounted
expect_quiet mount -t vfat -o loop disk mounted
expect_loaded vfat fat nls_cp437 nls_iso8859_1
echo text >mounted/file
expect_error "rmmod: ERROR: Module vfat is in use" /sbin/rmmod vfat
expect_quiet umount mounted
expect_quiet /sbin/modprobe -r vfat
expect_absent vfat fat
expect_quiet /sbin/modprobe -r -a nls_cp437 nls_iso8859_1 loop

# For a file system that nobody has, modprobe prints nothing and the kernel goes on.
attempt mount -t nonesuch none mounted
[ "$status" -ne 0 ] || fail "mounted a file system of no kind"
