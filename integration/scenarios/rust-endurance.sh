# Loading and unloading a module with its dependency 200 times changes nothing.
# kernels: rust

for i in $(seq 200); do
    /sbin/modprobe test_square || fail "load number $i"
    /sbin/modprobe -r test_square || fail "unload number $i"
done
expect_absent square test_square
expect_unlogged "BUG"
expect_unlogged "WARNING"
