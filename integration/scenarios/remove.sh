# modprobe -r unloads the dependencies that nobody uses any more, and no others.

expect_quiet /sbin/modprobe -a vfat msdos bridge
expect_loaded vfat msdos fat bridge stp llc
expect_quiet /sbin/modprobe -r vfat
expect_absent vfat
expect_loaded fat msdos
expect_quiet /sbin/modprobe -r msdos
expect_absent fat msdos
expect_quiet /sbin/modprobe -r bridge
expect_absent bridge stp

expect_quiet /sbin/modprobe -r bridge
expect_error "is not in kernel" /sbin/modprobe -r --first-time bridge
expect_error "is not currently loaded" /sbin/rmmod bridge
expect_quiet /sbin/modprobe -r llc
