# rmmod: of several modules with a bad one among them, of a module that has no exit function, by force.
# kernels: rust

expect_quiet /sbin/modprobe -a hello test_square proc
expect_error "rmmod: ERROR: Module nonesuch is not currently loaded" /sbin/rmmod hello nonesuch proc
expect_absent hello proc
# By path, and in an order that works.
expect_error "rmmod: ERROR: Module square is in use by: test_square" /sbin/rmmod square test_square
expect_absent test_square
expect_quiet /sbin/rmmod /companions/square.ko
expect_absent square

# Force does not help against a module that uses this one.
expect_quiet /sbin/modprobe test_square
expect_error "rmmod: ERROR: could not remove module square: Resource temporarily unavailable" /sbin/rmmod -f square
expect_cause "The module test_square uses it (modprobe -r test_square)."
expect_quiet /sbin/rmmod test_square square

# Without an exit function, only force removes it; the kernel records that.
expect_quiet /sbin/insmod /companions/permanent.ko
expect_error "rmmod: ERROR: could not remove module permanent: Device or resource busy" /sbin/rmmod permanent
expect_cause "It has no exit function, or must not run it: the kernel removes it by force at most (rmmod -f)."
expect_loaded permanent
expect_output "permanent" /sbin/lsmod
# Bit 3: a module was removed by force (Documentation/admin-guide/tainted-kernels.rst).
[ $(($(cat /proc/sys/kernel/tainted) & 8)) -eq 0 ] || fail "tainted by force too early"
expect_quiet /sbin/rmmod -f permanent
expect_absent permanent
[ $(($(cat /proc/sys/kernel/tainted) & 8)) -eq 8 ] || fail "the kernel has not noted the force"

