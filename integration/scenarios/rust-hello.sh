# insmod and rmmod of a module: the kernel's log, /proc, /sys and lsmod agree.
# kernels: rust

hello=/companions/hello.ko
forget_log
expect_absent hello
expect_quiet /sbin/insmod $hello
expect_logged "hello: hello world, io 0x0"

expect_value live /sys/module/hello/initstate
expect_value 0 /sys/module/hello/refcnt
expect_value O /sys/module/hello/taint
[ "$(cat /sys/module/hello/coresize)" -gt 1000 ] || fail "too small to be true"
expect_output "$(printf '%-19s %8d  0' hello "$(cat /sys/module/hello/coresize)")" /sbin/lsmod
grep -q '^hello [0-9]* 0 - Live 0x' /proc/modules || fail "/proc/modules does not have it"
grep -q '\[hello\]$' /proc/kallsyms || fail "/proc/kallsyms has no symbol of it"

expect_error "insmod: ERROR: could not insert module $hello: File exists" /sbin/insmod $hello

expect_quiet /sbin/rmmod hello
expect_logged "hello: goodbye world, io 0x0"
[ ! -e /sys/module/hello ] || fail "it is still in /sys"
! grep '^hello ' /proc/modules || fail "it is still in /proc/modules"
! grep '\[hello\]$' /proc/kallsyms || fail "its symbols are still there"
expect_error "rmmod: ERROR: Module hello is not currently loaded" /sbin/rmmod hello
