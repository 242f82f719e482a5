# One symbol of the kernel was another when the module was built: both CRCs are reported.
# tools: ours

expect_error "  It was built against other versions of symbols of the kernel than this one's:" \
    /sbin/insmod /refused/crc/dummy.ko
grep -q "^    register_netdevice: CRC 0x[0-9a-f]*, not 0x[0-9a-f]* (as [0-9]* other module" err || fail "no CRCs"
expect_error "  It was built against other versions of symbols" /sbin/modprobe /refused/crc/dummy.ko
