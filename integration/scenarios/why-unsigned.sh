# A locked-down kernel insists on signatures.
# tools: ours
# boot: lockdown=integrity

mount -t securityfs securityfs /sys/kernel/security
expect_error "  It is not signed, and this kernel is locked down (integrity)." /sbin/insmod /refused/unsigned/dummy.ko
expect_quiet /sbin/modprobe dummy
expect_quiet /sbin/modprobe -r dummy
umount /sys/kernel/security
