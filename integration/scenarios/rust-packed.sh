# A module never fails for how it is compressed, on a kernel that decompresses zstd.
# kernels: rust
# tools: ours

expect_value zstd /sys/module/compression
forget_log
for file in /packed/*/hello.ko.*; do
    expect_quiet /sbin/insmod "$file" io=4
    expect_value 4 /sys/module/hello/parameters/io
    expect_quiet /sbin/rmmod hello
    expect_quiet /sbin/modprobe "$file"
    expect_quiet /sbin/modprobe -r hello
done
expect_unlogged "ecompress"

# What the module itself answers is final: it was decompressed, and does not run again.
forget_log
expect_error "Invalid parameters" /sbin/insmod /packed/zst-size/hello.ko.zst ret=-22
expect_logged_times 1 "io 0x"
expect_absent hello
