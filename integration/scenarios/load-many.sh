# Sixty modules by one `modprobe -a`: in sequence and with `-j 2` on two processors the same modules are loaded, each
# once, as by the packaged modprobe. It prints how long each takes, which decides nothing.
# kernels: 6.12
# tools: ours
# processors: 2
# boot: no_timer_check

# (On a busy machine the emulated timer is late, and with two processors the kernel takes that for a broken one.)

kernel=/lib/modules/$(uname -r)/kernel
names=$(find "$kernel/net/sched" "$kernel/net/netfilter" -name 'act_*.ko*' -o -name 'nft_*.ko*' -o -name 'sch_*.ko*' |
    sed 's,.*/,,; s,\.ko.*,,' | sort | head -n 60)
[ "$(echo "$names" | wc -l)" -eq 60 ] || fail "not sixty modules to load"

# timed LABEL COMMAND…: loads them; leaves its output and their names in files, and adds to LABEL.times.
timed() {
    label=$1
    shift
    read -r start _ </proc/uptime
    expect_status 0 "$@" $names
    read -r end _ </proc/uptime
    echo "$start $end" | awk '{ printf " %.2f", $2 - $1 }' >>"$label.times"
    cp out "$label.printed"
    loaded >"$label.loaded"
    # The newest first, as the kernel lists them: one process for nearly all.
    busybox rmmod $(cut -d' ' -f1 /proc/modules | grep -xF -f "$label.loaded") || unload_all
    [ -z "$(loaded)" ] || fail "$label: left loaded: $(loaded)"
}

# `cargo xtask bench` asks for more rounds, by a parameter of the kernel. Who comes first in one comes last in the next.
for round in $(seq "${rounds:-2}"); do
    order="sequence at_once packaged"
    [ $((round % 2)) -eq 1 ] || order="packaged at_once sequence"
    for label in $order; do
        case $label in
        sequence) timed sequence /sbin/modprobe -v -a ;;
        at_once) timed at_once /sbin/modprobe -v -j 2 -a ;;
        packaged) timed packaged /reference/sbin/modprobe -v -a ;;
        esac
    done
    expect_same sequence.loaded packaged.loaded
    expect_same sequence.loaded at_once.loaded
    # The output does not depend on which one was faster.
    expect_same sequence.printed at_once.printed
    [ "$(wc -l <sequence.printed)" -eq "$(wc -l <sequence.loaded)" ] || fail "not one line for each module"
done
echo "= $(wc -l <sequence.loaded) modules, seconds in sequence$(cat sequence.times), -j 2$(cat at_once.times), packaged$(cat packaged.times)"
