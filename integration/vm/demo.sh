# The session of `cargo xtask demo`: each command as one types it, what it says, and whether that is as it should be.
# Reports on the serial port like run.sh, one "scenario" called demo.

. /vm/session.sh

release=$(uname -r)
say "Linux $release; the module tools are /sbin/depmod, /sbin/modprobe and so on"
echo "# ls -l /sbin/modprobe"
ls -l /sbin/modprobe | sed 's/.* \//\//'
typed 0 modprobe --version

say "The modules are as the package brought them: depmod writes their indexes"
typed 0 depmod -a
echo "# ls -s /lib/modules/$release/modules.*"
(cd "/lib/modules/$release" && ls -s modules.* | head -n 20)
[ -s "/lib/modules/$release/modules.dep.bin" ] || wrong "no modules.dep.bin"

say "A module with a dependency"
typed 0 modprobe -v vfat
saying "insmod /lib/modules/$release/.*/fat.ko"
typed 0 lsmod
saying "^fat .* 1 vfat"

say "What a module says of itself"
lines=24 typed 0 modinfo vfat
saying "^depends:        fat"
typed 0 modinfo -F license vfat
saying GPL

say "The driver of a device, found by the device's modalias"
virtio=/sys/bus/virtio/devices/virtio0
if [ ! -e $virtio ]; then
    pci=$(dirname "$(grep -l 0x1af4 /sys/bus/pci/devices/*/vendor)")
    typed 0 modprobe "$(cat "$pci/modalias")"
fi
typed 0 modprobe -R "$(cat $virtio/modalias)"
saying virtio_rng
typed 0 modprobe -v "$(cat $virtio/modalias)"
[ "$(basename "$(readlink $virtio/driver)")" = virtio_rng ] || wrong "the device has no driver"

say "A parameter"
typed 0 modprobe loop max_loop=5
echo "# cat /sys/module/loop/parameters/max_loop"
cat /sys/module/loop/parameters/max_loop
[ "$(cat /sys/module/loop/parameters/max_loop)" = 5 ] || wrong "the kernel did not get it"

say "Removing a module takes along what nobody uses any more"
typed 1 rmmod fat
saying "in use by: vfat"
typed 0 modprobe -r -v vfat
saying "rmmod fat"
typed 0 lsmod
! grep -q fat said || wrong "fat is still there"

say "A module made for another kernel is refused"
typed 1 modprobe /refused/vermagic/vfat.ko
saying "could not insert 'vfat'"
echo "# dmesg | tail -n 1"
dmesg | tail -n 1

all_well
