# A module in use: kmod's line stays, and below it stands by whom.
# tools: ours

# expect_users MODULE TEXT…: both tools print all of these below their message.
expect_users() {
    module=$1
    shift
    for tool in rmmod "modprobe -r"; do
        expect_error "Module $module is in use" /sbin/$tool "$module"
        for text in "$@"; do
            expect_cause "$text"
        done
    done
}

# Another module. rmmod has it in its first line, as kmod has it.
expect_quiet /sbin/modprobe vfat
expect_error "  The module vfat uses it (modprobe -r vfat)." /sbin/modprobe -r fat
expect_error "rmmod: ERROR: Module fat is in use by: vfat" /sbin/rmmod fat
[ "$(wc -l <err)" = 1 ] || fail "it is reported twice"
expect_quiet /sbin/modprobe -r vfat

# A process that has a device open.
expect_quiet /sbin/modprobe loop
sleep 100 </dev/loop0 &
sleeper=$!
sleep 0.2
expect_users loop "The process $sleeper (sleep) has /dev/loop0 open."

# Without permission to inspect other users' processes, less is reported, and the message notes that.
echo "nobody:x:65534:65534:nobody:/:/bin/sh" >/etc/passwd
expect_error "  The kernel counts it as used once; by whom cannot be seen from outside." \
    su nobody -c "/sbin/rmmod loop"
grep -qF "  Root sees more: what other people's processes have open." err || fail "nothing of what root would see"

# Without /proc and /sys nothing is known, and nothing breaks.
expect_status 1 unshare -m sh -c "umount -l /proc && /sbin/modprobe -r loop"
grep -qF "Module loop is in use" err || fail "not even kmod's line"
expect_status 1 unshare -m sh -c "umount -l /proc /sys && /sbin/rmmod loop"
kill $sleeper
wait $sleeper || true

# A device that is registered by number, whose node has another name.
expect_quiet /sbin/modprobe tun
sleep 100 </dev/net/tun &
sleeper=$!
sleep 0.2
if [ "$(cat /sys/module/tun/refcnt)" != 0 ]; then
    expect_users tun "The process $sleeper (sleep) has /dev/net/tun open."
else
    fail "tun is not in use"
fi
kill $sleeper
wait $sleeper || true
expect_quiet /sbin/modprobe -r tun

# A loop device that stands for a file, and a file system on it: in use are both modules.
dd if=/dev/zero of="disk image" bs=1024 count=512 2>/dev/null
mkdosfs "disk image" >/dev/null 2>&1
losetup /dev/loop0 "disk image"
expect_users loop "/dev/loop0 stands for the file /tmp/work/disk image (losetup -d /dev/loop0)."
mkdir "/tmp/a dir"
mount -t vfat /dev/loop0 "/tmp/a dir"
expect_users vfat "A file system of type vfat is mounted on /tmp/a dir (umount /tmp/a dir)."
expect_users loop "A file system of type vfat is mounted on /tmp/a dir (umount /tmp/a dir)."

# Mounted where only others see it.
unshare -m sleep 100 &
sleeper=$!
sleep 0.5
umount "/tmp/a dir"
expect_users vfat "A file system of type vfat is mounted on /tmp/a dir where the process $sleeper lives, in a mount namespace of its own."
kill $sleeper
wait $sleeper || true
losetup -d /dev/loop0 2>/dev/null || true
rmdir "/tmp/a dir"

# A swap area.
expect_quiet /sbin/modprobe zram
echo 8M >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null
swapon /dev/zram0
expect_users zram "/dev/zram0 is swapped on (swapoff /dev/zram0)."
swapoff /dev/zram0
echo 1 >/sys/block/zram0/reset

# A name that is almost that of a loaded module.
expect_error "rmmod: ERROR: Module zramm is not currently loaded" /sbin/rmmod zramm
expect_cause "Did you mean zram?"

# Not permitted.
expect_error "could not remove module zram: Operation not permitted" su nobody -c "/sbin/rmmod zram"
expect_cause "Only root, with CAP_SYS_MODULE, may unload modules."
rm /etc/passwd
sleep 0.5
unload_all
