# Signed, unsigned and corrupted modules; modinfo reads the signature as openssl does.
# kernels: rust

expect_quiet /sbin/insmod /companions/hello.ko
expect_value O /sys/module/hello/taint
expect_quiet /sbin/rmmod hello

expect_quiet /sbin/insmod /companions/unsigned/hello.ko
expect_value OE /sys/module/hello/taint
expect_quiet /sbin/rmmod hello

expect_error "Key was rejected by service" /sbin/insmod /companions/corrupted/hello.ko
expect_error "Key was rejected by service" /sbin/modprobe /companions/corrupted/hello.ko
expect_absent hello

/sbin/modinfo /companions/hello.ko | sed -n '/^sig_id:/,$p' | sed '/^parm/,$d' >ours
expect_same ours /companions/hello.signature
for field in sig_id signer sig_key sig_hashalgo signature; do
    expect_status 0 /sbin/modinfo -F $field /companions/unsigned/hello.ko
    [ ! -s out ] || fail "an unsigned module has $field"
done
# Where only the contents changed, the signature still reads the same.
/sbin/modinfo /companions/corrupted/hello.ko | sed -n '/^sig_id:/,$p' | sed '/^parm/,$d' >ours
expect_same ours /companions/hello.signature
