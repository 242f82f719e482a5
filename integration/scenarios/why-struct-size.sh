# A module of a kernel that was configured otherwise: its struct module has another size.
# kernels: 6.12
# tools: ours

expect_error "its struct module has " /sbin/insmod /refused/struct-size/dummy.ko
