# A module whose vermagic shows that it was built for another kernel: refused, unless forced.
# kernels: rust

file=/companions/vermagic/hello.ko
forget_log
expect_error "insmod: ERROR: could not insert module $file: Invalid module format" /sbin/insmod $file
expect_error "modprobe: ERROR: could not insert 'hello': Exec format error" /sbin/modprobe $file
expect_logged "hello: version magic"
expect_error "Exec format error" /sbin/modprobe --force-modversion $file
expect_absent hello

expect_quiet /sbin/modprobe --force-vermagic $file
expect_taint F /sys/module/hello/taint
expect_quiet /sbin/rmmod hello
expect_quiet /sbin/modprobe -f $file
expect_taint F /sys/module/hello/taint
expect_quiet /sbin/rmmod hello
