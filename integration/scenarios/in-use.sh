# A module in use stays: the message names the user, the exit code is 1.

expect_quiet /sbin/modprobe vfat
expect_error "rmmod: ERROR: Module fat is in use by: vfat" /sbin/rmmod fat
expect_error "modprobe: FATAL: Module fat is in use." /sbin/modprobe -r fat
expect_loaded fat vfat
expect_quiet /sbin/rmmod vfat fat

# A device that is open, with no other module behind it.
expect_quiet /sbin/modprobe loop
dd if=/dev/zero of=disk bs=4096 count=16 2>/dev/null
losetup /dev/loop0 disk
expect_error "rmmod: ERROR: Module loop is in use" /sbin/rmmod loop
# One that cannot go does not keep the next from going.
expect_quiet /sbin/modprobe dummy
expect_status 1 /sbin/rmmod loop dummy
expect_absent dummy
expect_loaded loop
losetup -d /dev/loop0
expect_quiet /sbin/rmmod loop
