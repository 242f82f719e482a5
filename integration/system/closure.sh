#!/bin/sh
# kmod closure --from-running beside initramfs-tools with MODULES=dep, for the machine that this runs on. What mkinitramfs
# asks dracut-install for is recorded. A difference must follow from what either asks for:
#
# - closure finds the same modules and firmware as dracut-install for the same request;
# - MODULES=dep has more only by requests of its hooks that are neither a device's alias nor a loaded module;
# - --from-running has more only by loaded modules and devices that MODULES=dep does not ask for.
set -eu
kernel=$(uname -r)
directory=$(mktemp -d)
cd "$directory"

fail() {
    echo "failed: $*"
    exit 1
}

# closure NAME WORD…: what our closure finds, in NAME.modules and NAME.firmware.
closure() {
    name=$1
    shift
    /usr/local/lib/modutils closure --paths "$@" >paths 2>errors || :
    ! grep -v 'not found\|^  ' errors || fail "closure of $name"
    sed -n "s|^/lib/modules/$kernel/||p" paths | sort -u >"$name.modules"
    sed -n 's|^/lib/firmware/||p' paths | sort -u >"$name.firmware"
}

# explained ONE OTHER BY: what ONE has and OTHER has not is in BY.
explained() {
    for kind in modules firmware; do
        comm -23 "$1.$kind" "$2.$kind" >only
        rest=$(comm -23 only "$3.$kind")
        [ -z "$rest" ] || fail "$kind only by $1: $rest"
    done
}

dpkg --install /usr/local/share/debs/*.deb >log 2>&1 || fail "dpkg: $(tail -n 5 log)"

# A module without a device, with firmware, that an administrator adds.
modprobe tg3
echo tg3 >>/etc/initramfs-tools/modules
modinfo -F firmware tg3 | while read -r file; do
    mkdir -p "/lib/firmware/${file%/*}"
    echo "$file" >"/lib/firmware/$file"
done

real=/usr/lib/dracut/dracut-install.real
mv /usr/lib/dracut/dracut-install "$real"
cat >/usr/lib/dracut/dracut-install <<END
#!/bin/sh
{ printf '%s\n' "\$@"; echo end; } >>$directory/calls
exec $real "\$@"
END
chmod 755 /usr/lib/dracut/dracut-install
sed -i 's/^MODULES=.*/MODULES=dep/' /etc/initramfs-tools/initramfs.conf
mkdir work
TMPDIR=$directory/work mkinitramfs -k -o image "$kernel" >log 2>&1 || fail "mkinitramfs: $(tail -n 5 log)"
find work -name '*.ko*' | sed 's|.*/lib/modules/[^/]*/||' | sort -u >image.modules
find work -path '*/lib/firmware/*' -type f | sed 's|.*/lib/firmware/||' | sort -u >image.firmware
for module in virtio_blk ext4 tg3; do
    grep -q "/$module\.ko" image.modules || fail "the image has no $module"
done
[ -s image.firmware ] || fail "the image has no firmware"

# The words behind -m of each call, to its end.
sed -n '/^-m$/,/^end$/p' calls | grep -v '^-m$\|^end$' | sort -u >request
! grep '^[-=]' request || fail "requests of other kinds"
closure requested @request
for kind in modules firmware; do
    diff "image.$kind" "requested.$kind" || fail "the $kind of closure are not the image's"
done

closure running --from-running
cut -d' ' -f1 /proc/modules >loaded
find /sys/devices -name modalias -exec cat {} + >aliases
# Names of modules are the same with dashes; aliases are not.
normal() {
    sed '/:/!s/-/_/g' "$@" | sort -u
}
normal request >asked
normal loaded aliases >present
comm -23 asked present >by-name
comm -13 asked present >not-asked
closure by-name @by-name
closure not-asked @not-asked
explained image running by-name
explained running image not-asked
echo "= MODULES=dep: $(wc -l <image.modules) modules and $(wc -l <image.firmware) firmware files, the same by closure for" \
    "its $(wc -l <request) requests; --from-running: $(wc -l <running.modules) and $(wc -l <running.firmware)," \
    "$(comm -12 image.modules running.modules | wc -l) modules in both," \
    "$(comm -23 image.modules running.modules | wc -l) requested by name only"
