# A module of another kernel that has the same vermagic but for the release: its versions of symbols differ.
# tools: ours

expect_error "  It was built against other versions of symbols" /sbin/insmod /refused/other-kernel/dummy.ko
grep -q "^    module_layout: CRC 0x" err || fail "the symbol is not named"
grep -q "^    Build the module against this very kernel" err || fail "it does not say what to do"
# Which of the two differences a kernel notices first depends on its version.
grep -q "^  The kernel's log: .*dummy: " err || fail "no quote"
