# The kernel command line forbids a module.
# tools: ours
# boot: module_blacklist=dummy

expect_error "  The kernel command line forbids it: module_blacklist= names it" /sbin/insmod "$(module_file dummy)"
expect_error "  The kernel command line forbids it" /sbin/modprobe dummy
expect_status 1 /bin/kmod check dummy
grep -q "^  The kernel command line forbids it" out || fail "kmod check does not report it"
