# Sixty modules by one `modprobe -a`: in sequence and with `-j 2` on two processors the same modules are loaded, each
# once, as by the packaged modprobe. It tells how long each takes, which decides nothing.
# kernels: 6.12
# tools: ours
# processors: 2

kernel=/lib/modules/$(uname -r)/kernel
names=$(find "$kernel/net/sched" "$kernel/net/netfilter" -name 'sch_*.ko*' -o -name 'nft_*.ko*' |
    sed 's,.*/,,; s,\.ko.*,,' | sort | head -n 60)
[ "$(echo "$names" | wc -l)" -eq 60 ] || fail "not sixty modules to load"

# timed LABEL COMMAND…: loads them; leaves their names in the file LABEL, and adds to LABEL.times.
timed() {
    label=$1
    shift
    read -r start _ </proc/uptime
    expect_status 0 "$@" $names
    read -r end _ </proc/uptime
    echo "$start $end" | awk '{ printf " %.2f", $2 - $1 }' >>"$label.times"
    loaded >"$label"
    [ "$(sort out | uniq -d | wc -l)" -eq 0 ] || fail "$label: a module twice"
    unload_all
    [ -z "$(loaded)" ] || fail "$label: left loaded: $(loaded)"
}

# `cargo xtask bench` asks for more rounds, by a parameter of the kernel. Who comes first in one comes last in the next.
for round in $(seq "${rounds:-2}"); do
    order="sequence at_once packaged"
    [ $((round % 2)) -eq 1 ] || order="packaged at_once sequence"
    for label in $order; do
        case $label in
        sequence) timed sequence modprobe -v -a ;;
        at_once) timed at_once modprobe -v -j 2 -a ;;
        packaged) timed packaged /reference/sbin/modprobe -v -a ;;
        esac
    done
    expect_same sequence at_once
    expect_same sequence packaged
done
# What is said does not depend on which one was faster.
modprobe -v -a $names >first
unload_all
modprobe -v -j 2 -a $names >second
expect_same first second
unload_all
echo "= $(wc -l <sequence) modules, seconds in sequence$(cat sequence.times), -j 2$(cat at_once.times), packaged$(cat packaged.times)"
