# The root with Debian's own kmod, before it is replaced: its files are recorded, and the search for them finds them all, in
# the root and in the initial file system.
if [ "$generator" = dracut ]; then
    expect_status 0 $apt --no-download install dracut
    echo 'hostonly="no"' >/etc/dracut.conf.d/of-the-test.conf
    expect_status 0 dracut --force --kver "$kernel" "/boot/initrd.img-$kernel"
    ! dpkg-query --show --showformat '${db:Status-Abbrev}\n' initramfs-tools | grep '^ii' || fail "both generators"
else
    # The configuration of the test is in the image, too.
    expect_status 0 update-initramfs -u -k "$kernel"
fi
record
search / | sed 's/^[^ ]*  //' | sort -u >found
missing=$(comm -23 theirs found)
[ -s theirs ] && [ -z "$missing" ] || fail "the search did not find $missing"
unpack "/boot/initrd.img-$kernel"
count=$(search unpacked | wc -l)
[ "$count" -gt 0 ] || fail "the search finds no kmod in an initial file system that has it"
rm -rf unpacked
echo "= $(wc -l <theirs) files of kmod and libkmod2, $count of them in the initial file system made with them"
