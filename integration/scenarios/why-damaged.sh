# A file that is cut short, plain and compressed.
# tools: ours

expect_error "  The file is damaged or no module: " /sbin/insmod /refused/truncated/dummy.ko
expect_error "cut short" /sbin/insmod /refused/cut/dummy.ko.xz
