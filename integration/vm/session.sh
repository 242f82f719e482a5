# The functions of the sessions of `cargo xtask demo`: each command is shown as typed, with its output, and
# checked. They report on the serial port like run.sh, as one "scenario" called demo.

. /vm/lib.sh
note_loaded
# The tools print to a file here, which gets causes on request only.
export MODUTILS_EXPLAIN=always
mkdir -p /tmp/work && cd /tmp/work

# heading TEXT…: what comes next.
heading() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# typed CODE COMMAND…: shows and runs a tool; leaves its output in the file "output"; it exits with CODE.
typed() {
    wanted=$1
    shift
    echo "# $*"
    tool=$1
    shift
    status=0
    "/sbin/$tool" "$@" >output 2>&1 || status=$?
    # Long answers are cut: this is a demonstration.
    head -n "${lines:-14}" output
    [ "$(wc -l <output)" -le "${lines:-14}" ] || echo "[… $(wc -l <output) lines]"
    [ "$status" -eq "$wanted" ] || wrong "exit code $status, not $wanted"
}

# shows TEXT: the tool has printed it.
shows() { grep -q -- "$1" output || wrong "it did not print \"$1\""; }

wrong() {
    echo "WRONG: $*"
    echo "@@ fail demo $(cut -d' ' -f1 /proc/uptime)"
    echo "@@ end"
    sleep 10
    exit 1
}

# all_well: the last line of a session.
all_well() {
    heading "Every step did what it should."
    echo "@@ pass demo $(cut -d' ' -f1 /proc/uptime)"
    echo "@@ end"
    sleep 10
}
