# kmod check on the running kernel: nothing is loaded, and the outcomes are those of loading.
# tools: ours

expect_output "dummy: would load" /bin/kmod check dummy numdummies=2
expect_output "It has no parameter numdumies (is numdummies meant?): the kernel ignores that." \
    /bin/kmod check dummy numdumies=2
expect_output "vfat: would load" /bin/kmod check vfat
for fault in vermagic crc machine struct-size; do
    expect_status 1 /bin/kmod check /refused/$fault/dummy.ko
    grep -q "^dummy: would not load" out || fail "$fault is not found"
done
expect_status 1 /bin/kmod check dummy numdummies=many
expect_output " would load, 0 would not, 0 cannot be told" /bin/kmod check --all
grep "^symbols: " out | sed 's/^/= /'
expect_absent dummy vfat fat
