# A module that says it was built for another kernel: refused, unless forced.
# kernels: rust

module=/companions/vermagic/hello.ko
forget_log
expect_error "insmod: ERROR: could not insert module $module: Invalid module format" /sbin/insmod $module
expect_error "modprobe: ERROR: could not insert 'hello': Exec format error" /sbin/modprobe $module
expect_logged "hello: version magic"
expect_error "Exec format error" /sbin/modprobe --force-modversion $module
expect_absent hello

expect_quiet /sbin/modprobe --force-vermagic $module
expect_taint F /sys/module/hello/taint
expect_quiet /sbin/rmmod hello
expect_quiet /sbin/modprobe -f $module
expect_taint F /sys/module/hello/taint
expect_quiet /sbin/rmmod hello
