# A kernel that insists on signatures: a missing one is distinguished from a wrong one.
# tools: ours
# kernels: rust
# boot: module.sig_enforce=1

expect_error "  It is not signed, and this kernel insists on signatures (module.sig_enforce)." \
    /sbin/insmod /companions/unsigned/hello.ko
expect_error "  Its signature is not right" /sbin/insmod /companions/corrupted/hello.ko
