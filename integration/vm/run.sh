# Runs the scenarios one after the other and reports on the serial port, in lines that begin with "@@".
# Each starts in an empty /tmp/work, with no configuration and with the modules loaded that were loaded at first.

uptime() { cut -d' ' -f1 /proc/uptime; }
seconds_since() { awk -v from="$1" '{ printf "%.1f", $1 - from }' /proc/uptime; }

# Puts the machine back; reports what a scenario left behind, which counts as its failure.
tidy() {
    rm -rf /tmp/work /etc/modprobe.d/* /etc/depmod.d/*
    left=$(loaded)
    [ -z "$left" ] && return 0
    echo "left loaded:" $left
    unload_all
    return 1
}

# Ends what a scenario that was stopped has left running, attached or mounted: it must not fail the next ones.
clear_away() {
    killall modprobe insmod rmmod kmod sleep 2>/dev/null
    while read -r _ place _; do
        case $place in /tmp/work/*) echo "$place" ;; esac
    done </proc/mounts | while read -r place; do umount -l "$place"; done
    for file in /sys/block/loop*/loop/backing_file; do
        device=${file#/sys/block/} && [ ! -e "$file" ] || losetup -d "/dev/${device%%/*}"
    done
}

run() {
    mkdir -p /tmp/work && cd /tmp/work || return 1
    # Scenarios look at the causes, which a file gets on request only.
    MODUTILS_EXPLAIN=always timeout 300 sh -eu -c '. /vm/lib.sh; . "$0"' "$1" 2>&1
    status=$?
    [ $status -eq 0 ] || clear_away
    cd / && tidy || status=1
    [ $status -eq 0 ] || { echo "the kernel's last words:"; dmesg | tail -n 12; }
    return $status
}

report() {
    name=$1 start=$(uptime)
    shift
    echo "@@ begin $name"
    if "$@" >/tmp/log; then
        grep '^= ' /tmp/log || true
        echo "@@ pass $name $(seconds_since "$start")"
    else
        cat /tmp/log
        echo "@@ fail $name $(seconds_since "$start")"
    fi
}

# The tree came without indexes: a scenario that finds any owes them to the tools under test.
make_indexes() { timeout 600 /sbin/depmod -a 2>&1; }

. /vm/lib.sh
note_loaded
report setup make_indexes
for scenario in /scenarios/*.sh; do
    report "$(basename "$scenario" .sh)" run "$scenario"
done
echo "@@ end"
