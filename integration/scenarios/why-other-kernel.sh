# A module of another kernel that has the same vermagic but for the release: its versions of symbols differ.
# tools: ours
# needs: other-kernel

expect_error "  It was built against other versions of symbols" /sbin/insmod /refused/other-kernel/dummy.ko
grep -q "^    module_layout: CRC 0x" err || fail "the symbol is not named"
grep -q "^    Build the module against this very kernel" err || fail "the advice is missing"
# Which check comes first depends on the kernel.
grep -qE "^  The kernel's log: (dummy: disagrees about version of symbol module_layout|module dummy: .*section size must match)" err ||
    fail "no quote"
