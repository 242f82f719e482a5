#!/bin/sh
# Reports to the serial port what a boot has loaded and logged, in lines of `@@ SECTION text`. What else a guest does follows
# in the same file, from another of this directory. The machine is switched off from outside.
exec >/dev/ttyS0 2>&1
# Without a job's terminal: a shell's own messages do not belong here.
set -u

section() {
    sed "s/^/@@ $1 /"
}
loaded() {
    cut -d' ' -f1 /proc/modules | sort
}
# What differs from boot to boot by itself: processes, times, addresses.
normalised() {
    sed -E 's/\x1b\[[0-9;]*m//g; s/0x[0-9a-f]+/X/g; s/[0-9]+/N/g' | sort -u
}

echo "@@ boot $(systemctl show -P ActiveEnterTimestampMonotonic multi-user.target)"
udevadm settle --timeout=300 || echo "@@ failed-units settle"
# The kernel finds some devices later by itself, as codecs of sound cards: until nothing more has been loaded for a while.
for wait in $(seq 12); do
    before=$(loaded)
    sleep 15
    udevadm settle --timeout=60
    [ "$(loaded)" != "$before" ] || break
done
loaded | section modules
systemctl list-units --failed --plain --no-legend --no-pager | cut -d' ' -f1 | section failed-units
# What a unit has consumed is logged if it was much.
journalctl -b --no-pager -o cat | grep -iE 'module|kmod|udev' | grep -v ': Consumed ' | normalised | section journal
# That the library in the place of the packaged one is in use.
for process in $(pidof systemd-udevd | tr ' ' '\n' | sort -n | head -1); do
    sed -n 's/.* \(\/.*libkmod.*\)/\1/p' "/proc/$process/maps" | sort -u | section in-use
done
sha256sum /usr/lib/x86_64-linux-gnu/libkmod.so.2 | cut -d' ' -f1 | section library

# modules-load.d, options, install command.
{
    for device in /sys/class/net/*; do echo "${device##*/}"; done
    sed 's/^/installed /' /run/installed
    cat /sys/module/psmouse/parameters/resolution
} | section configured
