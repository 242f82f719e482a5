# kmod check on the running kernel: nothing is loaded, and the outcomes are those of loading.
# kernels: 6.1
# tools: ours

# Without the file system that shows whether there is an integrity policy (IMA), that is unknown.
expect_status 2 /bin/kmod check dummy
grep -q "^  The system's integrity policy (IMA) may refuse the file" out || fail "an unseen policy"
mount -t securityfs securityfs /sys/kernel/security
expect_output "dummy: would load" /bin/kmod check dummy numdumies=2
grep -q "^  It has no parameter numdumies (is numdummies meant?): the kernel ignores that." out || fail "no hint"
expect_status 1 /bin/kmod check /refused/vermagic/dummy.ko numdummies=many
grep -q "^dummy: would not load" out || fail "no verdict"
grep -q "^  It was built for another kernel" out || fail "vermagic is not found"
grep -q "^  The parameter numdummies=many is refused" out || fail "the value is not found"
expect_output " would load, 0 would not, 0 unknown" /bin/kmod check --all
grep "^symbols: " out | sed 's/^/= /'
expect_absent dummy vfat fat
umount /sys/kernel/security
