# suites: trixie
# trees: trixie-amd64
# kmod closure finds the modules and the firmware that initramfs-tools and dracut put into their images, for the same
# request: both call dracut-install, whose arguments are recorded. Names and directories of these calls, with their
# filters by path and by needed symbol, are what closure is asked for. Of several softdep lines of a module kmod's
# library takes the first only, ours all: so the sets are compared with first lines only, and then closure may find more,
# by other softdep lines, never less.
kernel=$(ls /lib/modules | grep -v cloud)
depmod "$kernel"

# Two of three firmware files that modules name are there, some compressed; for a pattern one that matches.
find "/lib/modules/$kernel" -name '*.ko*' | xargs modinfo -F firmware | sort -u | tr '*' x >firmware-names
awk 'NR % 3 { print }' firmware-names | while read -r file; do
    mkdir -p "/lib/firmware/$(dirname "$file")"
    echo "$file" >"/lib/firmware/$file"
done
awk 'NR % 15 == 1 { print "/lib/firmware/" $0 }' firmware-names | xargs -d '\n' zstd -q --rm

real=/usr/lib/dracut/dracut-install.real
mv /usr/lib/dracut/dracut-install "$real"
cat >/usr/lib/dracut/dracut-install <<END
#!/bin/sh
{ printf '%s\t' "\$@"; echo; } >>/packaging/calls
exec $real "\$@"
END
chmod 755 /usr/lib/dracut/dracut-install

# requested FILE: the modules that the calls in a file ask for, by name or path.
requested() {
    tab=$(printf '\t')
    set -f
    while IFS= read -r line; do
        IFS=$tab
        set -- $line
        unset IFS
        modules= nopath= symbols= names= directories=
        while [ $# -gt 0 ]; do
            case $1 in
                -D | -k | --kerneldir | --firmwaredirs) shift ;;
                -P) nopath=$2 && shift ;;
                -s) symbols=$2 && shift ;;
                -m) modules=yes ;;
                -*) ;;
                =*) directories="$directories ${1#=}" ;;
                *) names="$names $1" ;;
            esac
            shift
        done
        [ -n "$modules" ] || continue
        for name in $names; do echo "$name"; done
        for directory in $directories; do
            find "/lib/modules/$kernel/kernel/$directory" -name '*.ko*' 2>/dev/null || :
        done | grep -vE "${nopath:-^$}" | while read -r file; do
            if [ -z "$symbols" ] || modprobe --show-modversions "$file" 2>/dev/null | grep -qE "$symbols"; then
                echo "$file"
            fi
        done
    done <"$1" | sort -u
    set +f
}

# contents NAME: modules and firmware of the list of an image's files.
contents() {
    grep -E '\.ko(\.(gz|xz|zst))?$' "$1.files" | sed 's|.*lib/modules/[^/]*/||' | sort -u >"$1.modules"
    grep -E 'lib/firmware/.' "$1.files" | sed 's|.*lib/firmware/||' | sort -u | while read -r file; do
        [ -d "/lib/firmware/$file" ] || echo "$file"
    done >"$1.firmware"
}

mkinitramfs -o most.img "$kernel" >log 2>&1 || fail "mkinitramfs: $(cat log)"
mv calls most.calls
lsinitramfs most.img >most.files
dracut --force --no-hostonly --kver "$kernel" dracut.img >log 2>&1 || fail "dracut: $(cat log)"
mv calls dracut.calls
drivers="nvme virtio_net ext4 btrfs e1000e amdgpu i915 iwlwifi brcmfmac mt7921e snd_hda_intel"
dracut --force --no-hostonly --modules base --kver "$kernel" --add-drivers "$drivers" drivers.img >log 2>&1 ||
    fail "dracut: $(cat log)"
for image in dracut drivers; do
    lsinitrd "$image.img" | grep -oE '[^ ]*lib/(modules|firmware)/[^ ]*$' >"$image.files"
done
requested most.calls >most.request
requested dracut.calls >dracut.request
{ for driver in $drivers; do echo "$driver"; done; requested calls; } | sort -u >drivers.request

expect_status 0 dpkg --install "$package"
expect_status 0 depmod "$kernel"
softdeps=/lib/modules/$kernel/modules.softdep
cp "$softdeps" all-softdeps
awk '/^#/ || !seen[$2]++' all-softdeps >first-softdeps

# found NAME: what closure finds for a request.
found() {
    kmod closure -S "$kernel" --paths "@$1.request" >paths 2>errors || :
    ! grep -v 'not found\|^  ' errors || fail "closure of $1"
    sed -n "s|^/lib/modules/$kernel/||p" paths | sort -u >"$1.found"
    sed -n 's|^/lib/firmware/||p' paths | sort -u >"$1.found-firmware"
}

for image in most dracut drivers; do
    contents "$image"
    cp first-softdeps "$softdeps"
    found "$image"
    diff "$image.modules" "$image.found" || fail "the modules of $image are not the same"
    diff "$image.firmware" "$image.found-firmware" || fail "the firmware of $image is not the same"
    [ -s "$image.modules" ] && [ -s "$image.firmware" ] || fail "nothing in $image"
    cp all-softdeps "$softdeps"
    found "$image"
    lost=$(comm -23 "$image.modules" "$image.found")
    [ -z "$lost" ] || fail "$image lacks $lost"
    more=$(comm -13 "$image.modules" "$image.found" | wc -l)
    echo "= $image: $(wc -l <"$image.modules") modules and $(wc -l <"$image.firmware") firmware files for" \
        "$(wc -l <"$image.request") requests, the same by closure; $more more modules by all soft dependencies"
done
