# update-initramfs makes an image with the same modules as with kmod, by tools and by indexes; it has our binary,
# and boots (which the caller of this script looks at). Of several softdep lines of a module kmod takes the first
# only, ours all: so the images are compared with first lines only, and then more modules may come, never fewer.
update-initramfs -c -k "$kernel" >log 2>&1 || { cat log; fail "kmod's image"; }
modules_in "/boot/initrd.img-$kernel" >with-kmod
rm "/boot/initrd.img-$kernel"

expect_status 0 dpkg --install "$package"
expect_status 0 depmod "$kernel"
softdeps=/lib/modules/$kernel/modules.softdep
cp "$softdeps" all-softdeps
awk '/^#/ || !seen[$2]++' all-softdeps >"$softdeps"
expect_status 0 update-initramfs -c -k "$kernel"
[ ! -s err ] || fail "update-initramfs complains"
modules_in "/boot/initrd.img-$kernel" >with-ours
diff with-kmod with-ours || fail "the modules are not the same"
[ -s with-ours ] || fail "no modules at all"

rm "/boot/initrd.img-$kernel"
cp all-softdeps "$softdeps"
expect_status 0 update-initramfs -c -k "$kernel"
modules_in "/boot/initrd.img-$kernel" >with-all
missing=$(comm -23 with-ours with-all)
[ -z "$missing" ] || fail "missing: $missing"

mkdir unpacked
unmkinitramfs "/boot/initrd.img-$kernel" unpacked
main=unpacked
[ ! -d unpacked/main ] || main=unpacked/main
for tool in modprobe kmod; do
    chroot "$main" "$tool" --version | grep -q '^modutils ' || fail "the image's $tool is not ours"
done
echo "= $(wc -l <with-ours) modules in the image, the same as with kmod; $(wc -l <with-all) with all soft dependencies"
cp "/boot/initrd.img-$kernel" /result/initrd.img
