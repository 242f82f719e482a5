# Parameters reach the kernel: from the command line, and from modprobe.d before them.

expect_quiet /sbin/modprobe loop max_loop=5 max_part=3
expect_value 5 /sys/module/loop/parameters/max_loop
expect_value 3 /sys/module/loop/parameters/max_part
expect_quiet /sbin/modprobe -r loop

configure "options loop max_loop=6 max_part=7"
expect_quiet /sbin/modprobe loop
expect_value 6 /sys/module/loop/parameters/max_loop
expect_quiet /sbin/modprobe -r loop

# The kernel takes the last of two: the command line wins.
expect_quiet /sbin/modprobe loop max_loop=9
expect_value 9 /sys/module/loop/parameters/max_loop
expect_value 7 /sys/module/loop/parameters/max_part
expect_quiet /sbin/modprobe -r loop

expect_quiet /sbin/modprobe dummy numdummies=3
[ -e /sys/class/net/dummy2 ] || fail "no third device"
expect_quiet /sbin/rmmod dummy
expect_quiet /sbin/insmod "$(module_file dummy)" numdummies=2
[ -e /sys/class/net/dummy1 ] && [ ! -e /sys/class/net/dummy2 ] || fail "not two devices"
expect_quiet /sbin/rmmod dummy
