# A deny line in modutils.d holds for names, aliases, dependencies and what the kernel asks for.
# tools: ours

mkdir -p /etc/modutils.d
printf '%s\n' "# nothing here needs them" "deny fat  no foreign media" "deny dummy" >/etc/modutils.d/local.conf
why="  /etc/modutils.d/local.conf line 2 denies"

expect_error "modprobe: ERROR: could not insert 'fat': Operation not permitted" /sbin/modprobe fat
grep -qxF "$why it: no foreign media" err || fail "the line is missing"
expect_error "$why fat, which it needs: no foreign media" /sbin/modprobe vfat
expect_error "$why fat, which it needs: no foreign media" /sbin/modprobe -f fs-vfat
expect_status 1 /sbin/modprobe "$(module_file fat)"
expect_absent fat vfat

# The kernel asks for the module of a file system.
dd if=/dev/zero of=disk bs=1024 count=512 2>/dev/null
mkdosfs disk >/dev/null 2>&1
expect_quiet /sbin/modprobe loop
losetup /dev/loop0 disk
attempt mount -t vfat /dev/loop0 /mnt
[ "$status" -ne 0 ] || fail "it is mounted"
expect_absent fat vfat
losetup -d /dev/loop0

# A soft dependency is skipped, and what is loaded already is left alone.
configure "softdep zram pre: dummy"
expect_quiet /sbin/modprobe zram
expect_absent dummy
expect_quiet /sbin/insmod "$(module_file dummy)"
expect_quiet /sbin/modprobe dummy
rm -r /etc/modutils.d
expect_quiet /sbin/modprobe -r -a zram dummy
sleep 0.5
unload_all
