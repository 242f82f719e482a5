# The scripts of a kernel package run clean when it is removed and installed: depmod and update-initramfs do their
# part, nothing complains, and no index is left.
expect_status 0 dpkg --install "$package"
image=$(dpkg-query --show --showformat '${Package}\n' 'linux-image-*-cloud-amd64' | grep "$kernel")
archive=$(ls /var/cache/apt/archives/"$image"_*.deb)

complaints() { grep -iE 'modutils|depmod|modprobe|modinfo|error|fail' out err | grep -v '^out:Setting up' || true; }
expect_status 0 dpkg --purge --force-depends "$image"
[ -z "$(complaints)" ] || fail "$(complaints)"
[ ! -e "/lib/modules/$kernel/modules.dep" ] || fail "an index is left"

expect_status 0 dpkg --install --force-depends "$archive"
[ -z "$(complaints)" ] || fail "$(complaints)"
[ -s "/lib/modules/$kernel/modules.dep.bin" ] || fail "no index"
[ -s "/boot/initrd.img-$kernel" ] || fail "no initial file system"
expect_output "ext4.ko" modprobe -S "$kernel" -D ext4
