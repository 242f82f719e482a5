# A module that the kernel itself works with: for what, and how to end that.
# tools: ours

# expect_users MODULE TEXT: both tools print it below their message.
expect_users() {
    for tool in rmmod "modprobe -r"; do
        expect_error "Module $1 is in use" /sbin/$tool "$1"
        expect_cause "$2"
    done
}

# The scheduler of a disk, the disk itself, and what is configured.
expect_quiet /sbin/modprobe null_blk nr_devices=1 queue_mode=2 gb=1
expect_quiet /sbin/modprobe bfq
echo bfq >/sys/block/nullb0/queue/scheduler
expect_users bfq "It schedules what the disk nullb0 does (echo none >/sys/block/nullb0/queue/scheduler)."
echo none >/sys/block/nullb0/queue/scheduler
sleep 100 </dev/nullb0 &
sleeper=$!
sleep 0.5
expect_users null_blk "The process $sleeper (sleep) has /dev/nullb0 open."
kill $sleeper
wait $sleeper || true
/sbin/modprobe configfs || true
mount -t configfs configfs /sys/kernel/config
mkdir /sys/kernel/config/nullb/disk
expect_users null_blk "It is configured in /sys/kernel/config/nullb/disk (rmdir /sys/kernel/config/nullb/disk)."
rmdir /sys/kernel/config/nullb/disk
umount /sys/kernel/config

# Defaults of the network.
expect_quiet /sbin/modprobe tcp_bbr
before=$(cat /proc/sys/net/ipv4/tcp_congestion_control)
echo bbr >/proc/sys/net/ipv4/tcp_congestion_control
expect_users tcp_bbr "It is the default of net.ipv4.tcp_congestion_control (sysctl net.ipv4.tcp_congestion_control=…)."
echo "$before" >/proc/sys/net/ipv4/tcp_congestion_control
expect_quiet /sbin/modprobe sch_fq
before=$(cat /proc/sys/net/core/default_qdisc)
echo fq >/proc/sys/net/core/default_qdisc
expect_users sch_fq "It is the default of net.core.default_qdisc (sysctl net.core.default_qdisc=…)."
echo "$before" >/proc/sys/net/core/default_qdisc

# An interface that stays without a process.
expect_quiet /sbin/modprobe tun
tunctl -t tap9
expect_users tun "The network interface tap9 is persistent (ip link delete tap9)."
tunctl -d tap9

# Devices whose names are not their module's.
expect_quiet /sbin/modprobe msr
sleep 100 </dev/cpu/0/msr &
sleeper=$!
sleep 0.5
expect_users msr "The process $sleeper (sleep) has /dev/cpu/0/msr open."
kill $sleeper
wait $sleeper || true
expect_quiet /sbin/modprobe softdog soft_noboot=1
exec 8>/dev/watchdog0
expect_users softdog "The process $$ ($(cat /proc/$$/comm)) has /dev/watchdog0 open."
echo V >&8
exec 8>&-

# The character set of a file system.
dd if=/dev/zero of=image bs=1024 count=512 2>/dev/null
mkdosfs image >/dev/null 2>&1
expect_quiet /sbin/modprobe loop
losetup /dev/loop0 image
expect_quiet /sbin/modprobe vfat
expect_quiet /sbin/modprobe nls_cp437
mkdir /tmp/mounted
mount -t vfat -o codepage=437 /dev/loop0 /tmp/mounted
expect_users nls_cp437 "The file system on /tmp/mounted is mounted with its character set (umount /tmp/mounted)."
umount /tmp/mounted
losetup -d /dev/loop0 2>/dev/null || true
rmdir /tmp/mounted

sleep 0.5
unload_all
