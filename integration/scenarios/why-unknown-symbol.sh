# A symbol that nothing exports: the kernel logs it, and it is named.
# tools: ours

expect_error "  It needs symbols that neither this kernel nor any module known here exports:" \
    /sbin/insmod /refused/unknown-symbol/dummy.ko
grep -q "^    register_netdevicf$" err || fail "the symbol is not named"
