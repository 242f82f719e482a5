# kmod check of companion modules that the kernel takes and refuses; a dependency's fault is its user's.
# kernels: rust
# tools: ours

expect_output "test_square: would load" /bin/kmod check test_square
expect_status 1 /bin/kmod check /companions/vermagic/hello.ko
grep -q "its vermagic has \"mod_onload\"" out || fail "vermagic is not found"
expect_status 1 /bin/kmod check hello io=many
grep -q "^  The parameter io=many is refused: it takes a number (ulong)." out || fail "the value is not found"
expect_output " would load, 0 would not, 0 cannot be told" /bin/kmod check --all

mkdir -p tree/lib/modules
cp -r "/lib/modules/$(uname -r)" tree/lib/modules
cp /companions/long/square.ko "tree/lib/modules/$(uname -r)/extra/square.ko"
expect_status 1 /bin/kmod check --all -d tree
grep -q "^extra/test_square.ko: would not load" out || fail "test_square is not found"
grep -q "^    square: CRC 0x" out || fail "the symbol is not named"
expect_absent hello square test_square
