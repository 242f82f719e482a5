# update-initramfs makes an image with the same modules as with kmod, by tools and indexes alike; it has our binary,
# and boots (which the caller of this script looks at).
update-initramfs -c -k "$kernel" >log 2>&1 || { cat log; fail "kmod's image"; }
modules_in "/boot/initrd.img-$kernel" >with-kmod
rm "/boot/initrd.img-$kernel"

expect_status 0 dpkg --install "$package"
expect_status 0 depmod "$kernel"
expect_status 0 update-initramfs -c -k "$kernel"
[ ! -s err ] || fail "update-initramfs complains"
modules_in "/boot/initrd.img-$kernel" >with-ours
diff with-kmod with-ours || fail "the modules are not the same"
[ -s with-ours ] || fail "no modules at all"

mkdir unpacked
unmkinitramfs "/boot/initrd.img-$kernel" unpacked
main=unpacked
[ ! -d unpacked/main ] || main=unpacked/main
for tool in modprobe kmod; do
    chroot "$main" "$tool" --version | grep -q '^modutils ' || fail "the image's $tool is not ours"
done
echo "= $(wc -l <with-ours) modules in the image, the same as with kmod"
cp "/boot/initrd.img-$kernel" /result/initrd.img
