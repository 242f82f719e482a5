# Without /proc, /sys and a log less is reported, and nothing breaks.
# tools: ours

mkdir bare
cp /bin/kmod bare/insmod
cp /refused/vermagic/dummy.ko "$(module_file vfat)" bare
expect_error "could not insert module dummy.ko: Invalid module format" chroot bare /insmod dummy.ko
! grep -q "kernel's log" err || fail "there is no log"
expect_error "Unknown symbol in module" chroot bare /insmod "$(basename "$(module_file vfat)")"
expect_absent dummy vfat
