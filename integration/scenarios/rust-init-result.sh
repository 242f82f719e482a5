# What the module's init function returns is the exit code and the text: negative numbers are errors.
# kernels: rust

hello=/companions/hello.ko
forget_log
returns() {
    expect_error "insmod: ERROR: could not insert module $hello: $2" /sbin/insmod $hello ret=$1
    expect_error "modprobe: ERROR: could not insert 'hello': $3" /sbin/modprobe hello ret=$1
    expect_absent hello
}
returns -3 "Module has wrong symbol version" "No such process"
returns -1 "Operation not permitted" "Operation not permitted"

expect_quiet /sbin/insmod $hello ret=0
expect_quiet /sbin/rmmod hello

# A positive number is the module's mistake: the kernel warns and takes it for loaded.
expect_quiet /sbin/insmod $hello ret=1
expect_logged "init suspiciously returned 1"
expect_loaded hello
expect_quiet /sbin/rmmod hello
