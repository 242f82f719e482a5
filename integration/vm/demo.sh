# The session of `cargo xtask demo`: each command as typed, its output, and whether that is right.
# Reports on the serial port like run.sh, one "scenario" called demo.

. /vm/session.sh

release=$(uname -r)
heading "Linux $release; the module tools are /sbin/depmod, /sbin/modprobe and so on"
echo "# ls -l /sbin/modprobe"
ls -l /sbin/modprobe | sed 's/.* \//\//'
typed 0 modprobe --version

heading "The modules are as the package brought them: depmod writes their indexes"
typed 0 depmod -a
echo "# ls -s /lib/modules/$release/modules.*"
(cd "/lib/modules/$release" && ls -s modules.* | head -n 20)
[ -s "/lib/modules/$release/modules.dep.bin" ] || wrong "no modules.dep.bin"

heading "A module with a dependency"
typed 0 modprobe -v vfat
shows "insmod /lib/modules/$release/.*/fat.ko"
typed 0 lsmod
shows "^fat .* 1 vfat"

heading "A module's own description"
lines=24 typed 0 modinfo vfat
shows "^depends:        fat"
typed 0 modinfo -F license vfat
shows GPL

heading "The driver of a device, found by the device's modalias"
virtio=/sys/bus/virtio/devices/virtio0
if [ ! -e $virtio ]; then
    pci=$(dirname "$(grep -l 0x1af4 /sys/bus/pci/devices/*/vendor)")
    typed 0 modprobe "$(cat "$pci/modalias")"
fi
typed 0 modprobe -R "$(cat $virtio/modalias)"
shows virtio_rng
typed 0 modprobe -v "$(cat $virtio/modalias)"
[ "$(basename "$(readlink $virtio/driver)")" = virtio_rng ] || wrong "the device has no driver"

heading "A parameter"
typed 0 modprobe loop max_loop=5
echo "# cat /sys/module/loop/parameters/max_loop"
cat /sys/module/loop/parameters/max_loop
[ "$(cat /sys/module/loop/parameters/max_loop)" = 5 ] || wrong "the kernel did not get it"

heading "Removing a module takes along what nobody uses any more"
typed 1 rmmod fat
shows "in use by: vfat"
typed 0 modprobe -r -v vfat
shows "rmmod fat"
typed 0 lsmod
! grep -q fat output || wrong "fat is still there"

heading "A module made for another kernel is refused"
typed 1 modprobe /refused/vermagic/vfat.ko
shows "could not insert 'vfat'"
echo "# dmesg | tail -n 1"
dmesg | tail -n 1

all_well
