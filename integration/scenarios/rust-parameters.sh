# Parameters: strings with spaces and quotes, hexadecimal numbers, one refused by the module, one it does not have;
# and what becomes of them in /sys while the module is loaded.
# kernels: rust

hello=/companions/hello.ko
parameters=/sys/module/hello/parameters
forget_log

# insmod hands on what it gets; modprobe adds the quotes that the kernel wants around spaces.
expect_quiet /sbin/insmod $hello 'msg="two words"' io=0x3
expect_value "two words" $parameters/msg
expect_value 3 $parameters/io
expect_value 0 $parameters/ret
expect_logged "hello: hello two words, io 0x3"

# At run time: the module's own check applies.
printf 'later words' >$parameters/msg
echo 0x4 >$parameters/io
expect_value 4 $parameters/io
for bad in 6 0xff -1 five; do
    ! echo $bad 2>/dev/null >$parameters/io || fail "the module took $bad"
    expect_value 4 $parameters/io
done
expect_quiet /sbin/rmmod hello
expect_logged "hello: goodbye later words, io 0x4"

expect_quiet /sbin/modprobe hello 'msg=two "words"' io=5
expect_value 5 $parameters/io
expect_value 'two "words"' $parameters/msg
expect_quiet /sbin/modprobe -r hello
expect_quiet /sbin/modprobe hello 'msg=two words'
expect_value "two words" $parameters/msg
expect_quiet /sbin/modprobe -r hello

# Out of range at load.
expect_error "insmod: ERROR: could not insert module $hello: Invalid parameters" /sbin/insmod $hello io=6
expect_error "modprobe: ERROR: could not insert 'hello': Invalid argument" /sbin/modprobe hello io=0x10
expect_logged "\`6' invalid for parameter \`io'"
expect_absent hello

# Unknown: the kernel warns and loads.
expect_quiet /sbin/insmod $hello nonesuch=1
expect_logged "hello: unknown parameter 'nonesuch' ignored"
expect_quiet /sbin/rmmod hello
