# A value that the type does not take; the parameter and its description are shown.
# tools: ours

file=$(module_file dummy)
expect_error "  The parameter numdummies=many is refused: it takes a number (int)." /sbin/insmod "$file" numdummies=many
grep -q "^    numdummies: Number of dummy" err || fail "the parameter is not described"
expect_error "  The parameter numdummies=99999999999 is refused" /sbin/modprobe dummy numdummies=99999999999
expect_absent dummy
