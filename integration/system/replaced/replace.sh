# kmod and libkmod2 are replaced, and the initial file system is made with what took their place.
touch before
expect_status 0 $apt --purge install /replaced/kmod-modutils_*.deb /replaced/libkmod2-modutils_*.deb
[ "$(grep -A1 'will be REMOVED' out | tail -1 | xargs)" = "kmod* libkmod2*" ] || fail "something else is removed"
only_ours
rm "/lib/modules/$kernel"/modules.*.bin "/lib/modules/$kernel/modules.dep"
expect_status 0 depmod "$kernel"
if [ "$generator" = dracut ]; then
    expect_status 0 dracut --force --kver "$kernel" "/boot/initrd.img-$kernel"
else
    # The packages' trigger has made it; the indexes are others since then.
    [ "/boot/initrd.img-$kernel" -nt before ] || fail "the trigger made no initial file system"
    expect_status 0 update-initramfs -u -k "$kernel"
fi
only_ours_in "/boot/initrd.img-$kernel"
echo "= no C kmod in the image, of $(find / -xdev -type f | wc -l) files, nor in its initial file system; $modules modules in that"
