# The module's own initialisation fails, or the module refuses a value that suits the type.
# tools: ours
# kernels: rust

expect_error "  The module's own initialisation failed: No such device." /sbin/insmod /companions/hello.ko ret=-19
expect_error "  The module itself refuses the parameter io=9." /sbin/modprobe hello io=9
grep -q "^    io: A number from 0 to 5" err || fail "the parameter is not described"
expect_absent hello
