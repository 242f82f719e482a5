# Many modprobes at once: each succeeds, each module is loaded once.
# kernels: rust

# at_once NUMBER MODULE…: that many modprobes of each module, all at the same time.
at_once() {
    number=$1
    shift
    processes=
    for i in $(seq "$number"); do
        for module in "$@"; do
            /sbin/modprobe "$module" 2>>errors &
            processes="$processes $!"
        done
    done
    for process in $processes; do wait "$process" || fail "a modprobe exited with $?: $(cat errors)"; done
    [ ! -s errors ] || fail "a modprobe printed: $(cat errors)"
}
for number in 2 20; do
    forget_log
    at_once $number test_square
    expect_loaded square test_square
    expect_logged_times 1 "square: ready"
    expect_logged_times 1 "test_square: the square of 7 is 49"
    expect_quiet /sbin/modprobe -r test_square
done

# They share square and verbose, as dependencies and as soft ones.
forget_log
at_once 5 test_square gadget test_verbose
expect_loaded square test_square gadget verbose test_verbose
expect_logged_times 1 "square: ready"
expect_logged_times 1 "verbose: ready"
expect_logged_times 1 "gadget: ready"
expect_quiet /sbin/rmmod test_square test_verbose gadget square verbose
