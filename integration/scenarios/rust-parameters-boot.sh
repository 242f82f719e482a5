# Options come from modprobe.d, then from the kernel's command line, then from the command line: the last one wins.
# kernels: rust
# boot: hello.msg=boot hello.io=2 hel-lo.io=4

configure "options hello msg=configuration io=1 ret=0"
expect_output "msg=configuration io=1 ret=0 msg=boot io=2 io=3" /sbin/modprobe -D hello io=3

expect_quiet /sbin/modprobe hello io=3
expect_value boot /sys/module/hello/parameters/msg
expect_value 3 /sys/module/hello/parameters/io
expect_quiet /sbin/modprobe -r hello

expect_quiet /sbin/modprobe hello
expect_value 2 /sys/module/hello/parameters/io
expect_quiet /sbin/modprobe -r hello

# insmod reads no configuration, and the kernel itself none for modules.
expect_quiet /sbin/insmod /companions/hello.ko
expect_value world /sys/module/hello/parameters/msg
expect_quiet /sbin/rmmod hello
