# In the second kernel: the module that dkms built is loaded, the first kernel is removed, the indexes are made again.

fail() {
    echo "@@ failed $*"
}
kernel=$(uname -r)
first=$(ls /lib/modules | grep -vx "$kernel")
{ kmod --version | grep '^modutils ' || kmod --version | head -n 1; } | section identity
[ "$(printf '%s\n' "$first" "$kernel" | sort -V | tail -n 1)" = "$kernel" ] || fail "this is $kernel, beside $first"
modprobe --verbose acpi_call 2>&1 | section dkms
grep -q '^acpi_call .* Live .*(OE)' /proc/modules || fail "acpi_call is not loaded"
[ -e /proc/acpi/call ] || fail "acpi_call does nothing"
lsmod | grep '^acpi_call ' | section dkms
modinfo --field filename acpi_call | section dkms
modprobe --remove acpi_call || fail "acpi_call stays"

export DEBIAN_FRONTEND=noninteractive LC_ALL=C
# What depends on the packages of the first kernel goes with them.
apt-get --yes --quiet purge "linux-image-$first" "linux-headers-$first" >/run/removal 2>&1 ||
    fail "the removal: $(tail -n 3 /run/removal)"
grep -E '^(Purging|Removing|dkms|depmod|update-initramfs)|error|cannot' /run/removal | section removal
left=$(ls -d "/lib/modules/$first" /boot/*"-$first" 2>/dev/null)
[ -z "$left" ] || fail "left: $left"
! dkms status | grep "$first" || fail "dkms has it still"

rm "/lib/modules/$kernel"/modules.*.bin "/lib/modules/$kernel/modules.dep"
! modprobe --quiet 8021q || fail "loaded without an index"
depmod || fail "depmod"
sync
modprobe 8021q || fail "8021q"
modprobe acpi_call || fail "acpi_call after depmod"
lsmod | grep -E '^(8021q|acpi_call) ' | section dkms
