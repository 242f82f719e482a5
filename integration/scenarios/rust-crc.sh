# A symbol whose CRC is not the one that the importing module was built with: refused, unless forced. The kernel reads
# the CRC from the extended tables, or from __versions in a module that has only that.
# kernels: rust

forget_log
expect_quiet /sbin/insmod /companions/long/square.ko
for file in /companions/test_square.ko /companions/basic/test_square.ko; do
    expect_error "insmod: ERROR: could not insert module $file: Invalid parameters" /sbin/insmod $file
    expect_error "modprobe: ERROR: could not insert 'test_square': Invalid argument" /sbin/modprobe $file
    expect_logged "test_square: disagrees about version of symbol square"
    expect_absent test_square
    forget_log

    expect_quiet /sbin/modprobe --force-modversion $file
    expect_loaded test_square
    expect_taint F /sys/module/test_square/taint
    expect_quiet /sbin/rmmod test_square
    expect_quiet /sbin/insmod -f $file
    expect_taint F /sys/module/test_square/taint
    expect_quiet /sbin/rmmod test_square
done
expect_quiet /sbin/rmmod square

# With the right one, the table that is there is enough.
expect_quiet /sbin/insmod /companions/square.ko
expect_quiet /sbin/insmod /companions/basic/test_square.ko
expect_value O /sys/module/test_square/taint
expect_quiet /sbin/rmmod test_square square

# Where that table lacks a long name, the kernel refuses the module.
expect_quiet /sbin/insmod /companions/verbose.ko
expect_error "Invalid parameters" /sbin/insmod /companions/basic/test_verbose.ko
expect_logged "test_verbose: no symbol version for _RNv"
expect_quiet /sbin/modprobe -f /companions/basic/test_verbose.ko
expect_quiet /sbin/rmmod test_verbose verbose
