# The newest kernel is installed beside the first, and a module of Debian's is built for both by dkms.
expect_status 0 $apt --no-download install linux-image-amd64 linux-headers-amd64 acpi-call-dkms
! grep -q 'will be REMOVED' out || fail "something is removed"
second=$(ls /lib/modules | sort -V | tail -1)
[ "$second" != "$kernel" ] || fail "no second kernel"
for version in "$kernel" "$second"; do
    [ -s "/lib/modules/$version/modules.dep.bin" ] || fail "no index for $version"
    expect_output installed dkms status -k "$version"
    expect_output updates/dkms/acpi_call.ko modprobe -S "$version" -D acpi_call
done
only_ours
only_ours_in "/boot/initrd.img-$second"
echo "= $second is installed beside $kernel, with $modules modules in its initial file system; dkms built acpi_call for both"
