# Loading is switched off until the next boot. (The last scenario of this machine: nothing loads any more.)
# tools: ours
# boot: module_blacklist=dummy

echo 1 >/proc/sys/kernel/modules_disabled
expect_error "  Loading modules is switched off (kernel.modules_disabled is 1)." /sbin/modprobe fat
