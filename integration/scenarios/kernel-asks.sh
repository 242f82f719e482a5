# The kernel itself runs /sbin/modprobe when it needs a module: here, to make a network device of a kind.

expect_value /sbin/modprobe /proc/sys/kernel/modprobe
expect_absent dummy
expect_status 0 ip link add name scenario0 type dummy
expect_loaded dummy
expect_status 0 ip link del scenario0
expect_quiet /sbin/modprobe -r dummy
