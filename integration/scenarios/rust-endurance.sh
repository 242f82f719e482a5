# Loading and unloading a module 200 times changes nothing.
# kernels: rust

for i in $(seq 200); do
    /sbin/modprobe hello || fail "load number $i"
    /sbin/modprobe -r hello || fail "unload number $i"
done
expect_absent hello
expect_unlogged "BUG"
expect_unlogged "WARNING"
