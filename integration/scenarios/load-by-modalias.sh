# modprobe finds the driver of a device by the device's modalias, as a hotplug script or udev asks for it.

# The PCI bus first: on 6.1 the virtio bus is a module, on 6.12 it is built in. Either way modprobe succeeds or
# doesn't know the device, which is what a script with -q -a and no check wants.
for modalias in /sys/bus/pci/devices/*/modalias; do
    attempt /sbin/modprobe -q -b "$(cat "$modalias")"
done
sleep 1
[ -e /sys/bus/virtio/devices/virtio0/modalias ] || fail "no device on the virtio bus"
alias=$(cat /sys/bus/virtio/devices/virtio0/modalias)
expect_output virtio_rng /sbin/modprobe -R "$alias"
expect_quiet /sbin/modprobe "$alias"
expect_loaded virtio_rng
expect_value virtio_rng.0 /sys/class/misc/hw_random/rng_current

expect_quiet /sbin/modprobe -r virtio_rng
for driver in virtio_pci virtio_balloon floppy psmouse i2c_piix4 ata_piix ata_generic pata_acpi; do
    attempt /sbin/modprobe -q -r "$driver"
done
