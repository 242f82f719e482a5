# A module that the kernel has already.
# tools: ours

expect_quiet /sbin/modprobe dummy
expect_error "  The kernel has a module of this name already." /sbin/insmod "$(module_file dummy)"
expect_quiet /sbin/modprobe -r dummy
