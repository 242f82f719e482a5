# A module in use by a process that has its file open: it stays until the file is closed.
# kernels: rust

file=/proc/helloworld
forget_log
expect_quiet /sbin/modprobe proc
expect_logged "proc: $file is there"
expect_value "Hello, world!" $file
expect_value 0 /sys/module/proc/refcnt

exec 3<$file
expect_value 1 /sys/module/proc/refcnt
attempt cat $file
[ "$status" -ne 0 ] && grep -q "Device or resource busy" err || fail "a second process opened it"
expect_error "rmmod: ERROR: Module proc is in use" /sbin/rmmod proc
expect_cause "The kernel counts it as used once; by whom cannot be seen from outside."
expect_error "modprobe: FATAL: Module proc is in use." /sbin/modprobe -r proc
expect_output "$(printf '%-19s %8d  1' proc "$(cat /sys/module/proc/coresize)")" /sbin/lsmod
expect_loaded proc

# modprobe waits if asked to: the file is closed after a second.
exec 3<&-
sh -c "sleep 1 <$file" &
sleep 0.3
expect_value 1 /sys/module/proc/refcnt
expect_quiet /sbin/modprobe -r -w 5000 proc
expect_logged "proc: $file is gone"
[ ! -e $file ] || fail "the file is still there"
wait
