# Installed, upgraded, removed and purged: links, pages and kmod's own files are right after each, and kmod reinstalled
# or upgraded meanwhile does not take its names back.
state_of_kmod before

taken_over() {
    is_ours $tools
    for page in depmod.8 kmod.8 modprobe.8 modprobe.d.5 modules.dep.5; do
        section=${page##*.}
        file=/usr/share/man/man$section/$page.gz
        zcat "$file" | grep -q '^\.Os' || fail "$file is not our page"
        [ -f "/usr/share/man/man$section/kmod-$page.gz" ] || fail "kmod's $page has gone"
    done
    grep -q 'kmod complete' /usr/share/bash-completion/completions/modprobe || fail "no completion"
    for tool in depmod insmod kmod modinfo modprobe rmmod; do
        "$tool.kmod" --version >version
        grep -q '^kmod version' version && ! grep -q '^modutils' version || fail "$tool.kmod is not kmod's"
    done
    # The kernel under the root may be without modules.
    lsmod.kmod >list 2>&1 || true
    grep -qE '^Module  *Size  *Used by|could not get list of modules' list || fail "lsmod.kmod does not do what its name says"
    modprobe.kmod -S "$kernel" -D xfs | grep -q xfs.ko || fail "modprobe.kmod does not do what its name says"
    [ -z "$(dpkg --verify modutils-rs)" ] || fail "files of ours are not as packed: $(dpkg --verify modutils-rs)"
}

given_back() {
    state_of_kmod after
    diff before after || fail "kmod's files are not as they were"
    [ -z "$(dpkg-divert --list | grep modutils)" ] || fail "diversions are left: $(dpkg-divert --list | grep modutils)"
    left=$(find /usr /bin/ /sbin/ /lib/ /etc -xdev -name '*.kmod*' -o -name 'kmod-*.gz' -o -path '*/lib/modutils*')
    [ -z "$left" ] || fail "left: $left"
    [ -z "$(dpkg --verify kmod)" ] || fail "kmod's files are not as packed"
    is_kmods $tools
}

expect_status 0 dpkg --install "$package"
taken_over

expect_status 0 dpkg --install "$next_package"
taken_over
expect_status 0 dpkg --install "$package"
taken_over

kmod=$(ls /var/cache/apt/archives/kmod_*.deb)
expect_status 0 dpkg --install "$kmod"
taken_over

# repack VERSION COMMAND: kmod as a package of another version, after the command has changed its files.
repack() {
    rm -rf repacked
    dpkg-deb --raw-extract "$kmod" repacked
    sed -i "s/^Version: .*/&$1/" repacked/DEBIAN/control
    (cd repacked && rm DEBIAN/md5sums && eval "$2")
    dpkg-deb --build repacked "kmod$1.deb" >/dev/null
}
repack +next 'echo "# next" >>usr/share/initramfs-tools/hooks/kmod'
expect_status 0 dpkg --install --force-depends kmod+next.deb
taken_over
grep -qx "# next" /usr/share/initramfs-tools/hooks/kmod || fail "kmod is the old one"
expect_status 0 dpkg --install "$kmod"
taken_over

expect_status 0 dpkg --remove modutils-rs
given_back

expect_status 0 dpkg --install "$package"
taken_over
expect_status 0 dpkg --purge modutils-rs
given_back
left=$(find /usr /etc /var/cache -xdev -name '*modutils*' -not -path '/usr/src/*')
[ -z "$left" ] || fail "left: $left"

# Between Debian 12 and 13 kmod's programs went from /bin and /sbin to /usr: the names are taken over at the new places.
if dpkg-query --listfiles kmod | grep -qx /sbin/modprobe; then
    mv before at_first
    repack +moved 'mv bin sbin usr/'
    expect_status 0 dpkg --install --force-depends kmod+moved.deb
    state_of_kmod before
    expect_status 0 dpkg --install "$kmod"
    expect_status 0 dpkg --install "$package"
    expect_status 0 dpkg --install --force-depends kmod+moved.deb
    taken_over
    expect_status 0 dpkg --remove modutils-rs
    given_back
    mv at_first before
fi
echo "= $(wc -l <before) of kmod's files compared after removal and after purge"
