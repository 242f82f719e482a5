# Coldplug, as a minimal init does it: every modalias below /sys/devices to one modprobe, until nothing new appears.
# kernels: rust

modaliases() { find /sys/devices -name modalias -exec cat {} + | sort -u; }
expect_absent virtio_pci virtio_rng gadget
for round in 1 2 3; do
    modaliases >devices
    # Most devices have no module here, which is no error with -q.
    attempt xargs /sbin/modprobe -abq <devices
    [ ! -s err ] || fail "-q should have kept it quiet"
done
# The bus, then what is on it; and ours, with its soft dependencies.
expect_loaded virtio_pci virtio_rng gadget square verbose
expect_value virtio_rng.0 /sys/class/misc/hw_random/rng_current

expect_quiet /sbin/modprobe -r gadget
unload_all
