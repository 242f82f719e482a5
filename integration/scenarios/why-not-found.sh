# A name that means no module: kmod's line stays, and below it stands why, and what to do.
# tools: ours

directory=/lib/modules/$(uname -r)

# expect_causes NAME LINE…: modprobe does not find it, and prints all of these below its message.
expect_causes() {
    name=$1
    shift
    expect_error "modprobe: FATAL: Module $name not found in directory $directory" /sbin/modprobe "$name"
    for line in "$@"; do expect_cause "$line"; done
}

expect_causes vaft "Did you mean vfat?"
expect_causes vfat.ko "This is the name of a file; the module is called vfat."
expect_causes pci:vFFFFdFFFF "No module of this kernel has an alias that matches this."
expect_causes nonesuch "No module of this kernel has this name or alias."
expect_error "modinfo: ERROR: Module vaft not found." /sbin/modinfo vaft
expect_cause "Did you mean vfat?"
expect_error "modprobe: FATAL: Module vaft not found." /sbin/modprobe -r vaft

# An index without it, though the file is there.
cp "$(module_file dummy)" "$directory/kernel/unindexed.ko$(module_file dummy | sed 's/.*\.ko//')"
expect_causes unindexed "  The index is outdated: run depmod."
grep -qF "  It is in $directory/kernel/unindexed.ko" err || fail "its place is missing"
rm "$directory"/kernel/unindexed.ko*

# A file that is listed and not there.
file=$(module_file fat)
mv "$file" /tmp/away
expect_error "modprobe: ERROR: could not insert 'vfat': could not open $file" /sbin/modprobe vfat
expect_cause "$directory/modules.dep.bin lists it, but $file is not there."
grep -qF "    If it was removed on purpose, run depmod" err || fail "the advice is missing"
expect_absent vfat fat
mv /tmp/away "$file"

# No index, an empty one, a damaged one.
mv "$directory/modules.dep.bin" /tmp/away
expect_causes vfat "There is no $directory/modules.dep.bin." "  Run depmod to make it."
: >"$directory/modules.dep.bin"
expect_causes vfat "$directory/modules.dep.bin is empty." "  Run depmod to rebuild it."
head -c 100 /dev/zero >"$directory/modules.dep.bin"
expect_causes vfat "  Run depmod to rebuild it."
grep -qF "  $directory/modules.dep.bin is damaged: " err || fail "the damage is not reported"
mv /tmp/away "$directory/modules.dep.bin"

# Only another kernel has it.
mkdir /lib/modules/99.1
cp "$directory"/modules.*.bin /lib/modules/99.1
mv "$directory/modules.dep.bin" /tmp/away
mkdir -p empty/lib/modules/99.2
(cd /tmp/work && /sbin/depmod -b /tmp/work/empty 99.2 2>/dev/null)
cp empty/lib/modules/99.2/modules.dep.bin "$directory/modules.dep.bin"
expect_error "  Other kernels have it: 99.1." /sbin/modprobe zram
mv /tmp/away "$directory/modules.dep.bin"

# The running kernel's modules are gone, and those of its successor are there.
mv "$directory" /tmp/away
expect_causes vfat "There is no $directory: the running kernel has no modules here." \
    "  There are modules for 99.1. If the kernel was replaced since it was booted, reboot."
rm -r /lib/modules/99.1
expect_causes vfat "  Nor are there modules of another kernel. Install those of this one."
expect_error "  There is no /lib/modules/1.2.3: this kernel has no modules here." /sbin/modprobe -S 1.2.3 vfat
mv /tmp/away "$directory"

# Without privileges, and without /proc and /sys, it is the same.
echo "nobody:x:65534:65534:nobody:/:/bin/sh" >/etc/passwd
expect_error "  Did you mean vfat?" su nobody -c "/sbin/modprobe vaft"
rm /etc/passwd
expect_error "  Did you mean vfat?" unshare -m sh -c "umount -l /proc /sys && /sbin/modprobe vaft"
expect_quiet /sbin/modprobe vfat
expect_quiet /sbin/modprobe -r vfat
