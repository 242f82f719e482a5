# What scenarios are written in. They run under `sh -eu`: a command that fails unexpectedly ends the scenario.

# fail MESSAGE: the scenario has failed.
fail() {
    echo "FAILED: $*"
    exit 1
}

# attempt COMMAND…: runs it, leaves its exit code in $status and its output in the files out and err, and shows all.
attempt() {
    echo "+ $*"
    status=0
    "$@" >out 2>err || status=$?
    cat out err
}

# expect_status CODE COMMAND…: it exits with this code.
expect_status() {
    wanted=$1
    shift
    attempt "$@"
    [ "$status" -eq "$wanted" ] || fail "exit code $status, not $wanted"
}

# expect_output TEXT COMMAND…: it succeeds, and its standard output contains TEXT.
expect_output() {
    text=$1
    shift
    expect_status 0 "$@"
    grep -qF -- "$text" out || fail "no \"$text\" on standard output"
}

# expect_error TEXT COMMAND…: it exits with 1, and TEXT stands on its standard error.
expect_error() {
    text=$1
    shift
    expect_status 1 "$@"
    grep -qF -- "$text" err || fail "no \"$text\" on standard error"
}

# expect_cause LINE: below the message of the last command stands this, too, where the tools are ours.
expect_cause() {
    /sbin/modprobe -V | grep -q modutils || return 0
    grep -qxF -- "  $1" err || fail "no cause \"$1\" on standard error"
}

# expect_quiet COMMAND…: it succeeds and prints nothing.
expect_quiet() {
    expect_status 0 "$@"
    [ ! -s out ] && [ ! -s err ] || fail "it should have printed nothing"
}

# expect_same FILE FILE: they are equal.
expect_same() {
    cmp "$1" "$2" && return
    diff "$1" "$2" | head -n 20
    fail "$1 and $2 differ"
}

# expect_value TEXT FILE: the file, for example one of /sys, has this line.
expect_value() {
    found=$(cat "$2")
    [ "$found" = "$1" ] || fail "$2 is \"$found\", not \"$1\""
}

# expect_loaded MODULE…, expect_absent MODULE…: the kernel has them, or doesn't.
expect_loaded() {
    local module
    for module in "$@"; do [ -e "/sys/module/$module/initstate" ] || fail "$module is not loaded"; done
}
expect_absent() {
    local module
    for module in "$@"; do [ ! -e "/sys/module/$module/initstate" ] || fail "$module is loaded"; done
}

# note_loaded: what is loaded now isn't a scenario's doing. (An empty list of patterns would match every line.)
note_loaded() { { cut -d' ' -f1 /proc/modules && echo "no module"; } >/tmp/at_first; }

# loaded: the modules that have been loaded since, by name.
loaded() { cut -d' ' -f1 /proc/modules | grep -vxF -f /tmp/at_first | sort; }

# unload_all: unloads them, with a tool that is not under test.
unload_all() {
    local attempt module
    for attempt in 1 2 3 4 5 6; do
        set -- $(loaded)
        [ $# -gt 0 ] || return 0
        for module in "$@"; do busybox rmmod "$module" 2>/dev/null || true; done
    done
}

# configure LINE…: the only configuration of modprobe.
configure() { printf '%s\n' "$@" >/etc/modprobe.d/scenario.conf; }

# module_file NAME: the file of a module in the kernel's tree.
module_file() { find "/lib/modules/$(uname -r)/kernel" -name "$1.ko*"; }

# forget_log: what the kernel has logged so far is ignored.
forget_log() { dmesg -c >/dev/null; }

# expect_logged TEXT, expect_unlogged TEXT: the kernel has logged it since, or not.
expect_logged() { dmesg | grep -qF -- "$1" || fail "no \"$1\" in the kernel's log"; }
expect_unlogged() { ! dmesg | grep -F -- "$1" || fail "the kernel's log has it"; }

# expect_logged_times NUMBER TEXT: on that many lines.
expect_logged_times() {
    found=$(dmesg | grep -cF -- "$2") || true
    [ "$found" -eq "$1" ] || fail "\"$2\" $found times in the kernel's log, not $1"
}

# expect_taint FLAGS FILE: the kernel (a number) or a module (letters) has each of these flags.
expect_taint() {
    for flag in $(echo "$1" | sed 's/./& /g'); do
        grep -q "$flag" "$2" || fail "$2 is \"$(cat "$2")\", without $flag"
    done
}
