# A symbol must not be exported twice.
# tools: ours

expect_quiet /sbin/modprobe fat
expect_error "  It exports symbols that the module fat exports already:" /sbin/insmod /refused/duplicate/fax.ko
grep -q "^    fat_" err || fail "the symbol is not named"
expect_quiet /sbin/modprobe -r fat
