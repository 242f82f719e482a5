# What the sessions of `cargo xtask demo` are written in: each command is shown as one types it, with what it says, and
# checked. They report on the serial port like run.sh, as one "scenario" called demo.

. /vm/lib.sh
note_loaded
mkdir -p /tmp/work && cd /tmp/work

# say TEXT…: what comes next.
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

# typed CODE COMMAND…: shows and runs a tool; leaves what it said in the file "said"; it exits with CODE.
typed() {
    wanted=$1
    shift
    echo "# $*"
    tool=$1
    shift
    status=0
    "/sbin/$tool" "$@" >said 2>&1 || status=$?
    # Long answers are cut: this is a demonstration.
    head -n "${lines:-14}" said
    [ "$(wc -l <said)" -le "${lines:-14}" ] || echo "[… $(wc -l <said) lines]"
    [ "$status" -eq "$wanted" ] || wrong "exit code $status, not $wanted"
}

# saying TEXT: the tool has said so.
saying() { grep -q -- "$1" said || wrong "it did not say \"$1\""; }

wrong() {
    echo "WRONG: $*"
    echo "@@ fail demo $(cut -d' ' -f1 /proc/uptime)"
    echo "@@ end"
    sleep 10
    exit 1
}

# all_well: the last line of a session.
all_well() {
    say "Every step did what it should."
    echo "@@ pass demo $(cut -d' ' -f1 /proc/uptime)"
    echo "@@ end"
    sleep 10
}
