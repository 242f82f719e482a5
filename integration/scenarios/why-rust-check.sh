# kmod check of companion modules that the kernel takes and refuses; a dependency's fault is its user's.
# kernels: rust
# tools: ours

expect_output "test_square: would load" /bin/kmod check test_square
expect_status 1 /bin/kmod check /companions/vermagic/hello.ko
grep -q "its vermagic has \"mod_onload\"" out || fail "vermagic is not found"
expect_status 1 /bin/kmod check hello ret=many
grep -q "^  The parameter ret=many is refused: it takes a number (int)." out || fail "the value is not found"
# The module has a function of its own for this one.
expect_status 2 /bin/kmod check hello io=many
grep -A1 "^  The module itself reads the value" out | grep -q "^    io=many$" || fail "who reads the value is not named"
# Nothing here has the list of what the kernel exports, and these two need symbols that no module of its build does.
expect_status 2 /bin/kmod check --all
grep -q " would load, 0 would not, 2 unknown$" out || fail "the summary is another"
grep -q "^extra/hello.ko: unknown" out || fail "hello is not named"
grep -q "^    param_set_ulong$" out || fail "what would have to be known is not named"

mkdir -p tree/lib/modules
cp -r "/lib/modules/$(uname -r)" tree/lib/modules
cp /companions/long/square.ko "tree/lib/modules/$(uname -r)/extra/square.ko"
expect_status 1 /bin/kmod check --all -d tree
grep -q "^extra/test_square.ko: would not load" out || fail "test_square is not found"
grep -q "^    square: CRC 0x" out || fail "the symbol is not named"
expect_absent hello square test_square
