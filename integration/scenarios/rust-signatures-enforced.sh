# A kernel that insists on signatures refuses an unsigned module, and force, which breaks the signature.
# kernels: rust
# boot: module.sig_enforce=1

expect_value Y /sys/module/module/parameters/sig_enforce
expect_quiet /sbin/insmod /companions/hello.ko
expect_quiet /sbin/rmmod hello
expect_error "Key was rejected by service" /sbin/insmod /companions/unsigned/hello.ko
expect_error "modprobe: ERROR: could not insert 'hello': Key was rejected by service" \
    /sbin/modprobe /companions/unsigned/hello.ko
expect_error "Key was rejected by service" /sbin/insmod /companions/corrupted/hello.ko
expect_error "Key was rejected by service" /sbin/modprobe -f /companions/hello.ko
expect_absent hello
# A compressed module is signed inside.
expect_quiet /sbin/insmod /companions/compressed/hello.ko.zst
expect_quiet /sbin/rmmod hello
