# suites: bookworm
# From Debian 12 to 13 with our packages in the place of kmod and libkmod2: nothing brings kmod back or takes ours away,
# and the new release's kernel gets its indexes and its initial file system from ours. The mirror is needed.
apt="apt-get --yes --quiet --option Dpkg::Options::=--force-confnew"
expect_status 0 $apt install $replacing
is_replaced() {
    for name in kmod-modutils libkmod2-modutils; do
        dpkg-query --show --showformat '${db:Status-Abbrev}' "$name" | grep -q '^ii' || fail "$name has gone"
    done
    for name in kmod libkmod2; do
        ! dpkg-query --show --showformat '${db:Status-Abbrev}' "$name" 2>/dev/null | grep -q '^ii' || fail "$name is back"
    done
    for tool in $tools; do
        "$tool" --version | grep -q '^modutils ' || fail "$tool is not ours"
    done
    expect_status 0 apt-get check
}
is_replaced

sed -i 's/bookworm/trixie/g' /etc/apt/sources.list
expect_status 0 apt-get --quiet update
expect_status 0 $apt upgrade --without-new-pkgs
is_replaced
expect_status 0 $apt dist-upgrade
is_replaced
grep -q '^13' /etc/debian_version || fail "this is not Debian 13"

new=$(ls /lib/modules | sort -V | tail -1)
[ "$new" != "$kernel" ] || fail "no new kernel"
[ -s "/lib/modules/$new/modules.dep.bin" ] || fail "no index for $new"
expect_output xfs.ko modprobe -S "$new" -D xfs
[ -n "$(modules_in "/boot/initrd.img-$new")" ] || fail "no modules in the initial file system"
[ -z "$(dpkg --audit)" ] || fail "$(dpkg --audit)"
[ -z "$(dpkg --verify kmod-modutils libkmod2-modutils)" ] || fail "files of ours are not as packed"

# The old kernel's package is Debian 12's, which does not know of all indexes.
expect_status 0 $apt purge "linux-image-$kernel" "linux-headers-$kernel"
[ ! -e "/lib/modules/$kernel" ] || fail "left: $(ls -R "/lib/modules/$kernel")"
is_replaced

# There, kmod comes back in the new release's version.
expect_status 0 $apt install kmod libkmod2
is_kmods $tools
kmod --version | grep -q 'version 34' || fail "kmod is not Debian 13's"
echo "= upgraded from $kernel to $new, and kmod came back"
