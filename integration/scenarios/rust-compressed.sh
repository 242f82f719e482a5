# Compressed modules: .zst goes to the kernel as it is, .xz and .gz are decompressed by the tools.
# kernels: rust

expect_value zstd /sys/module/compression
formats="zst xz"
# Debian builds the packaged kmod without zlib.
[ "$(readlink /bin/kmod)" = /reference/bin/kmod ] || formats="$formats gz"
for format in $formats; do
    file=/companions/compressed/hello.ko.$format
    expect_quiet /sbin/insmod $file io=4 'msg="from a file"'
    expect_value 4 /sys/module/hello/parameters/io
    expect_value O /sys/module/hello/taint
    expect_quiet /sbin/rmmod hello
    expect_quiet /sbin/modprobe $file
    expect_quiet /sbin/modprobe -r hello
    expect_output "parm:           io:A number from 0 to 5 (ulong)" /sbin/modinfo $file
    expect_output "signer:" /sbin/modinfo $file

    # A tree of them, with a dependency.
    here=root$format/lib/modules/$(uname -r)
    mkdir -p "$here/extra"
    cp "/lib/modules/$(uname -r)"/modules.order "/lib/modules/$(uname -r)"/modules.builtin* "$here"
    cp /companions/compressed/*square.ko.$format "$here/extra"
    expect_status 0 /sbin/depmod -b root$format
    expect_quiet /sbin/modprobe -d root$format test_square
    expect_loaded square test_square
    expect_quiet /sbin/modprobe -d root$format -r test_square
    expect_absent square test_square
done

# Who notices that a part is missing is who decompresses: the kernel of .zst; the other it never sees.
forget_log
head -c 1500 /companions/compressed/hello.ko.zst >cut.ko.zst
expect_status 1 /sbin/insmod cut.ko.zst
expect_logged "Invalid ELF header"
forget_log
head -c 1500 /companions/compressed/hello.ko.xz >cut.ko.xz
expect_status 1 /sbin/insmod cut.ko.xz
expect_unlogged "Invalid ELF header"
expect_absent hello
