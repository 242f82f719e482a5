# A symbol of another module was another when the module was built; a table without the symbol.
# tools: ours
# kernels: rust

expect_quiet /sbin/insmod /companions/long/square.ko
expect_error "  It was built against other versions of symbols" /sbin/insmod /companions/test_square.ko
grep -q "^    square: CRC 0x[0-9a-f]*" err || fail "the CRC is not reported"
expect_quiet /sbin/rmmod square
expect_quiet /sbin/insmod /companions/verbose.ko
expect_error "  It does not record which versions of symbols of the module verbose it was built against:" \
    /sbin/insmod /companions/basic/test_verbose.ko
expect_quiet /sbin/rmmod verbose
