# What a guest does after boot.sh: a device that is plugged in after the indexes have changed, stress-ng, and calls of the
# library.

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
journalctl -b --no-pager -o cat | grep -iE 'module|kmod|udev' | grep -v ': Consumed ' | normalised | section journal-end

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
