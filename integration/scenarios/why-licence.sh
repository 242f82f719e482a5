# A module without a GPL-compatible licence needs symbols that are for those with one.
# tools: ours

expect_error "  Its licence, \"XYZ\", does not let it use symbols" /sbin/insmod /refused/licence/dummy.ko
