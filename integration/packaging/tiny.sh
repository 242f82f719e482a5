# suites: trixie
# debs: tiny-initramfs-core
# tiny-initramfs, which asks modprobe for files and options, makes the same image as with kmod; it boots (which the caller
# of this script looks at), though it has no tool of ours or kmod's: its init gives the files to the kernel.
dpkg --install /packaging/tiny-initramfs-core.deb >log 2>&1 || fail "dpkg: $(cat log)"
# As they are: that init decompresses nothing.
find "/lib/modules/$kernel" -name '*.ko.xz' -exec xz --decompress {} +
depmod "$kernel"
echo 'options virtio_net napi_tx=0' >/etc/modprobe.d/t.conf

# image NAME: makes an image, and lists its files and its modules with their options in the order of loading.
image() {
    mktirfs -o "$1.img" -m no -M no --include-modules=virtio_blk,virtio_net,btrfs "$kernel" >log 2>&1 ||
        fail "mktirfs: $(cat log)"
    gzip --decompress --stdout "$1.img" >cpio
    cpio --list --quiet <cpio >"$1.files"
    cpio --extract --to-stdout --quiet modules <cpio >"$1.modules"
}
image with-kmod
expect_status 0 dpkg --install "$package"
is_ours modprobe
rm /lib/modules/"$kernel"/modules.*.bin
expect_status 0 depmod "$kernel"
image with-ours
for what in files modules; do
    diff "with-kmod.$what" "with-ours.$what" || fail "the $what are not the same"
done
grep -q '^/virtio_net.ko napi_tx=0 *$' with-ours.modules || fail "no options: $(cat with-ours.modules)"
echo "= $(wc -l <with-ours.modules) modules in the image, the same as with kmod"
cp with-ours.img /result/initrd.img
