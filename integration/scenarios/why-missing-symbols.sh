# Refused for symbols of a module that is not loaded: that module is named, and the symbols are.
# tools: ours

expect_error "  It needs symbols of the module fat, which is not loaded:" /sbin/insmod "$(module_file vfat)"
grep -q "^    fat_" err || fail "no symbol of fat is named"
grep -q "^    Load that first: modprobe fat" err || fail "the advice is missing"
grep -q "^  The kernel's log: vfat: Unknown symbol fat_" err || fail "the kernel is not quoted"
expect_absent vfat
