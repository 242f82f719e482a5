# A symbol must not be exported twice.
# tools: ours

expect_quiet /sbin/modprobe fat
expect_error ", which the module fat exports already." /sbin/insmod /refused/duplicate/fax.ko
expect_quiet /sbin/modprobe -r fat
