# A symbol whose name is longer than a record of __versions: modprobe shows its CRC, among the exports of the one module
# and the versions of the other.
# kernels: rust
# tools: ours

name=_RNvNtNtNtNtCsmodutils_7verbose7symbols4that7outgrow8versions5twice
expect_output "$name" /sbin/modprobe --show-exports /companions/verbose.ko
crc=$(grep $name out | cut -f1)
[ "$crc" != 0x00000000 ] || fail "the export has no CRC"
expect_output "$crc	$name" /sbin/modprobe --show-modversions /companions/test_verbose.ko
expect_output "module_layout" /sbin/modprobe --show-modversions /companions/test_verbose.ko

# By name, too.
expect_output "$crc	$name" /sbin/modprobe --show-exports verbose
expect_output "$crc	$name" /sbin/modprobe --show-modversions test_verbose

# A module without the extended tables has the short names only.
expect_output "module_layout" /sbin/modprobe --show-modversions /companions/basic/test_verbose.ko
! grep $name out || fail "where does it come from?"
expect_output "	square" /sbin/modprobe --show-modversions /companions/basic/test_square.ko
cp out basic
expect_status 0 /sbin/modprobe --show-modversions /companions/test_square.ko
sort basic >basic.sorted
sort out >both.sorted
expect_same both.sorted basic.sorted

# Two prototypes of one name.
expect_output "	square" /sbin/modprobe --show-exports /companions/square.ko
grep '	square$' out >one
expect_output "	square" /sbin/modprobe --show-exports /companions/long/square.ko
! grep -F -f one out || fail "the CRC should differ"
