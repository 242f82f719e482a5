# The packages in the place of kmod and libkmod2: apt removes these two and nothing else, and whatever depends on them
# is satisfied. Initial file systems, kernels and udev are made, installed and upgraded with them; kmod comes back by apt.
diverting=$package
apt="apt-get --yes --quiet"
ours="kmod-modutils libkmod2-modutils"
there() { dpkg-query --show --showformat '${db:Status-Abbrev} ${Package}\n' | sed -n 's/^ii  //p' | sort; }
versions() { dpkg-query --show --showformat '${db:Status-Abbrev} ${Package} ${Version}\n' | grep ^ii; }

# replaced: our packages are there as they were packed, kmod's are not, and no dependency is broken.
replaced() {
    there >now
    { grep -vxE 'kmod|libkmod2' before; printf '%s\n' $ours; } | sort >wanted
    diff wanted now || fail "other packages than ours and kmod's have come or gone"
    expect_status 0 apt-get check
    [ -z "$(dpkg --audit)" ] || fail "$(dpkg --audit)"
    for tool in $tools; do
        [ "$(readlink -f "$(command -v "$tool")")" = /usr/bin/kmod ] || fail "$tool is elsewhere"
        "$tool" --version | grep -q '^modutils ' || fail "$tool is not ours"
    done
    [ -z "$(dpkg --verify $ours)" ] || fail "files of ours are not as packed: $(dpkg --verify $ours)"
    [ -z "$(dpkg-divert --list | grep modutils)" ] || fail "something is diverted"
}

there >before
versions >before-versions
state_of_kmod kmod-before
lsinitramfs "/boot/initrd.img-$kernel" | sort >image-before

# Debian 12's kmod is at paths that lead to ours: dpkg alone is refused, and nothing has changed.
if dpkg-query --listfiles kmod | grep -qx /sbin/modprobe; then
    expect_status 1 dpkg --install $replacing
    grep -q 'kmod must be removed first' out err || fail "no reason is given"
    there >now
    diff before now || fail "a refused installation has changed something"
    state_of_kmod after
    diff kmod-before after || fail "a refused installation has changed kmod"
fi

expect_status 0 $apt install $replacing
[ "$(grep -A1 'will be REMOVED' out | tail -1 | xargs)" = "kmod libkmod2" ] || fail "something else is removed"
replaced

# The trigger has made the initial file system again, with our tools and library.
lsinitramfs "/boot/initrd.img-$kernel" | sort >image-ours
# The configuration comes in another file, the library in the newer one's, and all tools have their names.
known='aliases\.conf|kmod-modutils\.conf|libkmod\.so|lib(zstd|lzma|crypto)\.so|engines-3|ossl-modules|usr/s?bin/(depmod|insmod|lsmod|modinfo|rmmod)$'
lost=$(comm -23 image-before image-ours | grep -vE "$known" || true)
[ -z "$lost" ] || fail "the image lacks: $lost"
mkdir unpacked
unmkinitramfs "/boot/initrd.img-$kernel" unpacked
main=unpacked
[ ! -d unpacked/main ] || main=unpacked/main
for tool in $tools; do
    chroot "$main" "$tool" --version | grep -q '^modutils ' || fail "the image's $tool is not ours"
done
modules_in "/boot/initrd.img-$kernel" >modules-ours
[ -s modules-ours ] || fail "no modules at all"

# udev and what else uses the library find it.
cat /usr/share/doc/libkmod2-modutils/copyright >/dev/null
if command -v udevadm >/dev/null; then
    expect_status 0 udevadm --version
    ! ldd "$(command -v udevadm)" | grep 'not found' || fail "a library is missing"
fi

# repack PACKAGE: the package of the archive in a version that is newer. Those in $names need each other in just that.
repack() {
    rm -rf repacked
    dpkg-deb --raw-extract "$(ls /var/cache/apt/archives/"$1"_*.deb | head -1)" repacked
    sed -i "s/^Version: .*/&+next/" repacked/DEBIAN/control
    for other in $names; do
        sed -i "s/\(, \|: \)\($other (= [^)]*\))/\1\2+next)/" repacked/DEBIAN/control
    done
    dpkg-deb -Znone --build repacked "/packaging/$1+next.deb" >/dev/null
    rm -rf repacked
}
image=$(dpkg-query --show --showformat '${Package}\n' 'linux-image-*-cloud-amd64' | grep "$kernel")
kernels="$image linux-image-cloud-amd64 linux-headers-$kernel linux-headers-cloud-amd64"
for names in "$kernels" udev; do
    for name in $names; do repack "$name"; done
    expect_status 0 $apt install $(printf '/packaging/%s+next.deb ' $names)
    ! grep -q 'will be REMOVED' out || fail "the upgrade of $names removes something"
    for name in $names; do
        dpkg-query --show --showformat '${Version}' "$name" | grep -q '+next$' || fail "$name is the old one"
    done
    replaced
done
[ -s "/lib/modules/$kernel/modules.dep.bin" ] || fail "no index"
# The kernel's package runs depmod when it is installed, also where the index was lost.
rm "/lib/modules/$kernel"/modules.*.bin
expect_status 0 dpkg --install "/packaging/$image+next.deb"
[ -s "/lib/modules/$kernel/modules.dep.bin" ] || fail "the kernel's package made no index"
expect_output xfs.ko modprobe -S "$kernel" -D xfs

# A newer version of ours, and the one before it.
expect_status 0 $apt install $next_replacing
replaced
expect_status 0 $apt --allow-downgrades install $replacing
replaced

# The development files stand in for kmod's.
expect_status 0 $apt install $(ls /packaging/libkmod-modutils-dev_*.deb | grep -v next)
[ -e /usr/lib/x86_64-linux-gnu/libkmod.so ] || fail "no link for the linker"
expect_status 0 $apt purge libkmod-modutils-dev
replaced

# kmod comes back, and nothing of ours stays.
at_first=$(for name in $kernels udev; do sed -n "s/^ii  *\($name\) /\1=/p" before-versions; done)
expect_status 0 $apt --allow-downgrades install kmod libkmod2 $at_first
there >now
diff before now || fail "the packages are not those of before"
state_of_kmod after
diff kmod-before after || fail "kmod's files are not as they were"
is_kmods $tools
# But for the hook, which is configuration: the kernels still have the index that it removes.
left=$(find /usr /etc -xdev -name '*kmod*modutils*' -not -path '/usr/src/*')
[ "$left" = /etc/kernel/postrm.d/kmod-modutils ] || fail "left: $left"
expect_status 0 dpkg --purge kmod-modutils
left=$(find /usr /etc /var/cache -xdev -name '*modutils*' -not -path '/usr/src/*')
[ -z "$left" ] || fail "left: $left"

# From the package that diverts, at once, and back to it.
expect_status 0 $apt install "$diverting"
expect_status 0 $apt install $replacing
there | grep -qx modutils-rs && fail "both are installed"
replaced
expect_status 0 $apt install kmod libkmod2 "$diverting"
is_ours $tools
expect_status 0 $apt purge modutils-rs
state_of_kmod after
diff kmod-before after || fail "kmod's files are not as they were"
echo "= kmod and libkmod2 were replaced and came back; $(wc -l <modules-ours) modules in the image"
