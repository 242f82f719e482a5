# With force, the kernel takes a module that names another kernel, and marks itself as tainted.

expect_error "Invalid module format" /sbin/insmod /refused/vermagic/dummy.ko
expect_quiet /sbin/modprobe --force-vermagic /refused/vermagic/dummy.ko
expect_loaded dummy
grep -q F /sys/module/dummy/taint || fail "dummy should be marked as forced"
expect_quiet /sbin/modprobe -r dummy
