#!/bin/sh
# Reports to the serial port what a boot has loaded and logged, in lines of `@@ SECTION text`, and does some more that uses the
# library: a device that is plugged in after the indexes have changed, stress-ng. The machine is switched off from outside.
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
loaded | section modules
systemctl list-units --failed --plain --no-legend --no-pager | cut -d' ' -f1 | section failed-units
journalctl -b --no-pager -o cat | grep -iE 'module|kmod|udev' | normalised | section journal
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

# Indexes that look changed, and a configuration that is; then devices.
sleep 4
touch /lib/modules/*/modules.*.bin
echo 'blacklist 8139too' >/etc/modprobe.d/later.conf
sleep 4
echo "@@ plug"
for wait in $(seq 60); do
    if grep -q '^8139cp ' /proc/modules && grep -q '^hid_generic ' /proc/modules; then
        break
    fi
    sleep 1
done
udevadm settle --timeout=60
loaded | section modules-plugged

# How often it could load and unload a module. Times differ, and process numbers.
stress-ng --module 1 --module-name ts_kmp --module-ops 20 --verify --metrics-brief --timeout 120s 2>&1 |
    sed -E 's/^stress-ng: ([a-z]+): +\[[0-9]+\] +/\1 /; s/ +/ /g; s/^[a-z]+ (module [0-9]+) .*/\1/' |
    grep -E '^module [0-9]|skipp|passed|failed|error' | section stress-ng

# Functions of the library in turn. Addresses differ, and the words of messages.
if [ -x /usr/local/sbin/drive ]; then
    drive /usr/local/share/drive.txt 2>/dev/null | sed 's/ (errno differs)//' | grep -v ' 0x[0-9a-f]*$' | section drive
fi
loaded | section modules-end
journalctl -b --no-pager -o cat | grep -iE 'module|kmod|udev' | normalised | section journal-end

# What the machine needs, by initramfs-tools and by our closure.
if [ -f /usr/local/share/closure.sh ]; then
    sh /usr/local/share/closure.sh 2>&1 | section closure
fi

# Our tools, beside what the kernel and lspci show.
if [ -x /usr/local/sbin/modutils ]; then
    modutils device --json | grep '^{"bus"' | section device
    lspci -D -n -k | section lspci
    for device in /sys/bus/*/devices/*; do
        # Only what a module can be for.
        [ -e "$device/modalias" ] || continue
        bus=${device#/sys/bus/}
        ! driver=$(readlink "$device/driver") || echo "${bus%%/*} ${device##*/} ${driver##*/}"
    done | section drivers
fi
echo "@@ end"
