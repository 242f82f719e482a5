# The scripts of a kernel package do and print the same with our tools as with kmod, when it is removed and
# when it is installed: depmod and update-initramfs do their part, and the same files are there afterwards.
image=$(dpkg-query --show --showformat '${Package}\n' 'linux-image-*-cloud-amd64' | grep "$kernel")
archive=$(ls /var/cache/apt/archives/"$image"_*.deb)

# remains: the files of the kernel.
remains() { find /boot "/lib/modules/$kernel/" | sort; }

# cycle NAME: the kernel is removed and installed; what is printed and what is there is left in files of that name.
cycle() {
    expect_status 0 dpkg --purge --force-depends "$image"
    cat out err >"$1-removal"
    remains >"$1-removed"
    expect_status 0 dpkg --install --force-depends "$archive"
    # dpkg reports how many files it has registered.
    cat out err | grep -v 'Reading database' >"$1-installation"
    remains >"$1-installed"
    sed -i '/Reading database/d' "$1-removal"
}

cycle kmod
expect_status 0 dpkg --install "$package"
cycle ours
# It came with kmod 33: Debian 12's depmod does not write it, and its kernels' packages do not remove it. Ours does.
sed -i '/modules\.weakdep$/d' kmod-installed ours-installed
for part in removal removed installation installed; do
    diff "kmod-$part" "ours-$part" || fail "not the same as with kmod: $part"
done
! grep modules.dep ours-removed || fail "an index is left"
[ -s "/lib/modules/$kernel/modules.dep.bin" ] || fail "no index"
[ -s "/boot/initrd.img-$kernel" ] || fail "no initial file system"
expect_output "xfs.ko" modprobe -S "$kernel" -D xfs
echo "= $(wc -l <ours-installed) paths after the installation, $(wc -l <ours-removed) after the removal, the same as with kmod"
