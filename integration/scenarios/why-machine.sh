# A module of another machine: both are named.
# tools: ours

expect_error "  It is compiled for another machine." /sbin/insmod /refused/machine/dummy.ko
grep -q "^    module: S390, 64 bits, little endian" err || fail "the module's machine is not named"
grep -q "^    kernel: X86_64, 64 bits, little endian" err || fail "the kernel's machine is not named"
