# What the scenarios `session-*` are written in, after lib.sh: a session is a function that runs once with our tools and
# once with the packaged ones, from the same state. Of each command the transcripts hold standard output and error, the
# exit code, and then what lsmod prints, the modules in the kernel's order with users and state, and their parameters.
# The transcripts must be equal. /tmp/tools leads to the tools of the moment, for configuration and for the kernel.

# Standard error is compared whole.
unset MODUTILS_EXPLAIN

# compare SESSION: runs the function of this name on both sides and compares; ends with nothing loaded or configured.
compare() {
    for side in ours theirs; do
        case $side in
            ours) ln -sfn /sbin /tmp/tools ;;
            theirs) ln -sfn /reference/sbin /tmp/tools ;;
        esac
        step=0 deliberate=0 before=none transcript=/tmp/work/$1.$side
        rm -rf /tmp/work/session && mkdir /tmp/work/session && cd /tmp/work/session
        "$1"
        cd /tmp/work
        start_over
    done
    if ! cmp -s "$1.ours" "$1.theirs"; then
        diff -U 9 "$1.ours" "$1.theirs" | head -n 80
        fail "the sides differ"
    fi
    echo "= $1: $step commands compared, $deliberate of them deliberately different"
}

# start_over: no modules, no configuration.
start_over() {
    unload_all
    rm -f /etc/modprobe.d/*
    left=$(loaded)
    [ -z "$left" ] || fail "$side: still loaded: $left"
}

# typed TOOL ARGUMENT…: runs a tool; all it does is compared.
typed() {
    run_tool "$@"
    { shown "$@" && content out && echo "stderr:" && content err && echo "exit $status" && state; } >>"$transcript"
}

# reordered ROW TOOL ARGUMENT…: as typed, except that the same lines come in another order on standard output.
reordered() {
    row=$1
    shift
    run_tool "$@"
    deliberate=$((deliberate + 1))
    { shown "$@" && sort out && echo "stderr:" && content err && echo "exit $status" && state; } >>"$transcript"
    [ $side = theirs ] || { cp out "../out.$step" && return; }
    ! cmp -s out "../out.$step" || fail "both print the same for $*, although \"$row\" requires a difference"
}

# differs ROW OURS THEIRS TOOL ARGUMENT…: the sides differ as a row of docs/differences.md describes. OURS and THEIRS are an exit
# code, ":", and a text of the output, or nothing for silence. The states are not compared: a session starts over or
# goes on with a command that makes them equal.
differs() {
    row=$1 ours=$2 theirs=$3
    shift 3
    run_tool "$@"
    deliberate=$((deliberate + 1)) before=unknown
    [ $side = ours ] && wanted=$ours || wanted=$theirs
    content out
    content err
    [ "$status" = "${wanted%%:*}" ] || fail "$side: $* exits with $status, not ${wanted%%:*} ($row)"
    text=${wanted#*:}
    if [ -z "$text" ]; then
        [ ! -s out ] && [ ! -s err ] || fail "$side: $* should be silent ($row)"
    else
        cat out err | grep -qF -- "$text" || fail "$side: $* does not print $text ($row)"
    fi
}

# done_so COMMAND…: something else that happens in a session, with its exit code and the state after it.
done_so() {
    step=$((step + 1)) status=0
    "$@" >out 2>err || status=$?
    { shown "$@" && echo "exit $status" && state; } >>"$transcript"
}

# unused MODULE…: waits until nobody uses them. The kernel gives back what a file system had some time after umount.
unused() {
    for module in "$@"; do
        tries=0
        until read -r users <"/sys/module/$module/refcnt" && [ "$users" = 0 ]; do
            tries=$((tries + 1))
            [ $tries -lt 100 ] || fail "$side: $module is still in use"
            sleep 0.1
        done
    done
}

# at_once TOOL-AND-ARGUMENTS…: each a command of its own, all at the same time. Compared are the exit codes, what they
# print, and which modules are there then, with how many users. The kernel's log has only what came of it.
at_once() {
    forget_log
    processes=
    for command in "$@"; do
        step=$((step + 1))
        /tmp/tools/$command >>out.all 2>&1 &
        processes="$processes $!"
    done
    shown at_once "$@" >>"$transcript"
    for process in $processes; do
        status=0
        wait "$process" || status=$?
        echo "exit $status" >>"$transcript"
    done
    {
        sort out.all
        cut -d' ' -f1,3 /proc/modules | sort
    } >>"$transcript"
    rm out.all
}

# Runs a tool of this side; leaves its exit code in $status and its output in out and err. With $limit, in seconds, it
# is stopped after that time and run again: on a slow machine the packaged `modprobe --wait` at times waits without end.
run_tool() {
    step=$((step + 1)) tool=$1 tries=0
    shift
    read -r now _ </proc/uptime
    echo "$now $side $step: $tool"
    while :; do
        status=0
        ${limit:+timeout $limit} "/tmp/tools/$tool" "$@" >out 2>err || status=$?
        [ -n "${limit-}" ] && [ $side = theirs ] && [ $status -eq 143 ] && [ $tries -lt 4 ] || break
        tries=$((tries + 1))
    done
}

shown() { echo "$step # $*"; }

# A file that is mostly empty: to start a program takes an emulated processor long.
content() { [ ! -s "$1" ] || cat "$1"; }

# The modules as the kernel lists them, without what differs at each load (addresses), what lsmod prints of them, and their
# parameters; nothing if they are as they were. The shell reads all that itself, to start no programs.
state() {
    modules=
    while read -r module _ users holders condition _ taint; do
        modules="$modules  $module $users $holders $condition $taint
"
    done </proc/modules
    [ "$modules" != "$before" ] || return 0
    before=$modules
    echo "$modules"
    /tmp/tools/lsmod
    while read -r module _; do
        for parameter in /sys/module/"$module"/parameters/*; do
            [ -r "$parameter" ] || continue
            value=
            read -r value 2>/dev/null <"$parameter" || true
            echo "  ${parameter#/sys/module/}=$value"
        done
    done </proc/modules
}
