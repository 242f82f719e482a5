# A module that imports a symbol needs the module that exports it: before it, with it, and as long as it is there.
# kernels: rust

forget_log
expect_error "insmod: ERROR: could not insert module /companions/test_square.ko: Unknown symbol in module" \
    /sbin/insmod /companions/test_square.ko
expect_logged "test_square: Unknown symbol square"

expect_quiet /sbin/insmod /companions/square.ko
expect_quiet /sbin/insmod /companions/test_square.ko
expect_logged "test_square: the square of 7 is 49"
expect_value 1 /sys/module/square/refcnt
expect_output "$(printf '%-19s %8d  1 test_square' square "$(cat /sys/module/square/coresize)")" /sbin/lsmod
expect_error "rmmod: ERROR: Module square is in use by: test_square" /sbin/rmmod square
expect_error "modprobe: FATAL: Module square is in use." /sbin/modprobe -r square
expect_loaded square test_square
expect_quiet /sbin/rmmod test_square square

expect_output "depends:        square" /sbin/modinfo test_square
expect_quiet /sbin/modprobe test_square
expect_loaded square test_square
expect_quiet /sbin/modprobe -r test_square
expect_absent square test_square

# A dependency that was there before goes too, once nobody uses it.
expect_quiet /sbin/modprobe square
expect_quiet /sbin/modprobe test_square
expect_quiet /sbin/modprobe -r test_square
expect_absent square test_square

# The symbol's name is longer than a record of __versions: modprobe and the kernel manage all the same.
expect_quiet /sbin/modprobe test_verbose
expect_logged "test_verbose: twice 21 is 42"
expect_loaded verbose
expect_quiet /sbin/modprobe -r test_verbose
expect_absent verbose test_verbose
