# What the scripts of this directory that run in an image's root have, beside integration/vm/lib.sh: no C kmod is in a root
# or in an initial file system, which a search for kmod's own files shows. The same search has found them there before.
ours="kmod-modutils libkmod2-modutils"
tools="depmod insmod kmod lsmod modinfo modprobe rmmod"
apt="apt-get --yes --quiet --no-install-recommends"
kernel=$(ls /lib/modules | sort -V | head -1)

# record: the digests of all files of the installed kmod and libkmod2, and an expression of find(1) for their sizes.
record() {
    for file in $(dpkg-query --listfiles kmod libkmod2 | sort -u); do
        # Debian 12's are in /bin, /sbin and /lib, which are links.
        if [ -f "$file" ] && [ ! -L "$file" ]; then echo "$(realpath "${file%/*}")/${file##*/}"; fi
    done | sort -u >theirs
    xargs sha256sum <theirs | cut -d' ' -f1 | sort -u >digests
    xargs stat -c %s <theirs | sort -u | sed 's/.*/-o -size &c/' | xargs | sed 's/^-o //' >sizes
}

# search DIRECTORY: the files below it that are one of kmod's, whatever they are called.
search() {
    # shellcheck disable=SC2046 # words of find
    find "$1" -xdev -path /replaced/digests -prune -o -type f \( $(cat sizes) \) -exec sha256sum {} + |
        grep -F -f digests || true
}

# unpack IMAGE: an initial file system, below unpacked/; the root in it is $main.
unpack() {
    rm -rf unpacked
    mkdir unpacked
    if command -v unmkinitramfs >/dev/null; then
        unmkinitramfs "$1" unpacked
    else
        (cd unpacked && lsinitrd --unpack "$1")
    fi
    main=unpacked
    [ ! -d unpacked/main ] || main=unpacked/main
}

# only_ours: dpkg has no kmod of Debian's, no file of it is in the root, and every tool and library is of our packages.
only_ours() {
    for name in kmod libkmod2 libkmod-dev; do
        ! dpkg-query --show --showformat '${Status}\n' "$name" 2>/dev/null | grep -v ' not-installed$' ||
            fail "dpkg has $name"
    done
    for name in $ours; do
        expect_status 0 dpkg-query --show "$name"
    done
    [ -z "$(dpkg --audit)" ] || fail "$(dpkg --audit)"
    [ -z "$(dpkg --verify $ours)" ] || fail "files of ours are not as packed: $(dpkg --verify $ours)"
    expect_status 0 apt-get check
    rm -rf unpacked
    found=$(search /)
    [ -z "$found" ] || fail "files of kmod: $found"
    dpkg-query --listfiles $ours | sort -u >of-ours
    names=$(printf -- '-o -name %s ' $tools)
    # klibc has an insmod of its own.
    find / -xdev \( -path /replaced -o -path /usr/lib/klibc \) -prune -o \( -name 'libkmod*.so*' $names \) \
        \( -path '*/bin/*' -o -path '*/sbin/*' -o -name '*.so*' \) -print | sort >by-name
    others=$(comm -13 of-ours by-name)
    [ "$(wc -l <by-name)" -ge 9 ] || fail "not all of ours: $(xargs <by-name)"
    [ -z "$others" ] || fail "of another package: $others"
    for tool in $tools; do
        "$tool" --version | grep -q '^modutils ' || fail "$tool is not ours"
    done
}

# only_ours_in IMAGE: the same for an initial file system.
only_ours_in() {
    unpack "$1"
    found=$(search unpacked)
    [ -z "$found" ] || fail "$1 has files of kmod: $found"
    chroot "$main" modprobe --version | grep -q '^modutils ' || fail "modprobe of $1 is not ours"
    chroot "$main" kmod --version | grep -q '^modutils ' || fail "kmod of $1 is not ours"
    modules=$(find "$main/" -name '*.ko*' | wc -l)
    [ "$modules" -gt 0 ] || fail "$1 has no modules"
    rm -rf unpacked
}
