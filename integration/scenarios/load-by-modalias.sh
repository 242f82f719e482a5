# modprobe finds the driver of a device by the device's modalias, as a hotplug script or udev asks for it.

# The machine has one virtio device. The way to it, the driver of a PCI device, is a module on 6.1 and built in on 6.12.
virtio=/sys/bus/virtio/devices/virtio0
if [ ! -e $virtio ]; then
    pci=$(dirname "$(grep -l 0x1af4 /sys/bus/pci/devices/*/vendor)")
    expect_quiet /sbin/modprobe "$(cat "$pci/modalias")"
    expect_loaded virtio_pci virtio_ring virtio
fi
[ -e $virtio/modalias ] || fail "no device on the virtio bus"

expect_output virtio_rng /sbin/modprobe -R "$(cat $virtio/modalias)"
expect_quiet /sbin/modprobe "$(cat $virtio/modalias)"
expect_loaded virtio_rng
[ "$(basename "$(readlink $virtio/driver)")" = virtio_rng ] || fail "the device has no driver"

expect_quiet /sbin/modprobe -r virtio_rng
expect_absent virtio_rng
unload_all
