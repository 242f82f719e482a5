# A module that the kernel refuses: the tools report it and exit with 1.
# needs: other-kernel

format() {
    expect_error "insmod: ERROR: could not insert module $1: Invalid module format" /sbin/insmod "$1"
    expect_error "modprobe: ERROR: could not insert 'dummy': Exec format error" /sbin/modprobe "$1"
    expect_absent dummy
}
format /refused/other-kernel/dummy.ko
format /refused/vermagic/dummy.ko

# Its bytes are not the signed ones.
expect_error "Key was rejected by service" /sbin/insmod /refused/signature/dummy.ko
expect_error "could not insert 'dummy': Key was rejected by service" /sbin/modprobe /refused/signature/dummy.ko
expect_status 1 /sbin/insmod /refused/truncated/dummy.ko

expect_error "Invalid parameters" /sbin/insmod "$(module_file dummy)" numdummies=many
expect_error "modprobe: ERROR: could not insert 'dummy': Invalid argument" /sbin/modprobe dummy numdummies=many
expect_error "Unknown symbol in module" /sbin/insmod "$(module_file vfat)"
expect_error "File exists" sh -c '/sbin/modprobe dummy && /sbin/insmod "$0"' "$(module_file dummy)"
expect_quiet /sbin/modprobe -r dummy

# The kernel only warns about a parameter that the module does not have.
expect_quiet /sbin/modprobe dummy nonesuch=1
dmesg | tail -n 5 | grep -q "unknown parameter 'nonesuch' ignored" || fail "no word from the kernel"
expect_quiet /sbin/modprobe -r dummy
