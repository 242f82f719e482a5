# dracut makes an image with the same modules as with kmod. It resolves them with kmod's C library, so that shows our
# indexes only; but the image has our tools, and boots (which the caller of this script looks at).
image() {
    dracut --force --no-hostonly --kver "$kernel" --drivers "ext4 virtio_blk virtio_net nvme" "$1" >log 2>&1 ||
        { cat log; fail "dracut"; }
    lsinitrd "$1" | grep -oE '[^ ]*\.ko(\.(gz|xz|zst))?$' | sed 's|.*/lib/modules/||; s|^lib/modules/||' | sort
}
image /tmp/kmod.img >with-kmod
expect_status 0 dpkg --install "$package"
rm /lib/modules/"$kernel"/modules.*.bin
expect_status 0 depmod "$kernel"
image /tmp/ours.img >with-ours
diff with-kmod with-ours || fail "the modules are not the same"
[ -s with-ours ] || fail "no modules at all"
echo "= $(wc -l <with-ours) modules in the image, the same as with kmod"
# The image itself loads its modules with our tools.
lsinitrd /tmp/ours.img | grep -q ' usr/lib/modutils-rs/kmod$' || fail "our tools are not in the image"
cp /tmp/ours.img /result/initrd.img
