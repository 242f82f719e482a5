# A session on both sides: every modalias below /sys/devices through modprobe -abq; and the kernel, which calls modprobe
# for a file system, its character sets and a kind of network device.
# tools: ours

. /vm/compare.sh

coldplug() {
    # Buses appear with their drivers, and bring devices.
    for round in 1 2; do
        devices=$(find /sys/devices -name modalias -exec cat {} + | sort -u)
        typed modprobe -abq $devices
    done
    typed modprobe -R -a -q $devices
    expect_loaded virtio_rng
}

kernel_asks() {
    echo /tmp/tools/modprobe >/proc/sys/kernel/modprobe
    typed modprobe loop
    dd if=/dev/zero of=disk bs=1k count=512 2>/dev/null
    mkdosfs disk >/dev/null
    mkdir mounted
    expect_absent vfat
    done_so mount -t vfat -o loop disk mounted
    expect_loaded vfat fat nls_cp437 nls_ascii
    umount mounted
    unused vfat loop nls_cp437 nls_ascii
    typed lsmod
    typed modprobe -r vfat
    done_so mount -t nonesuch none mounted
    done_so ip link add name session0 type dummy
    expect_loaded dummy
    done_so ip link del session0
    # The configuration holds for the kernel's calls, too.
    typed modprobe -r dummy
    configure "options dummy numdummies=2" "install vfat exit 1"
    done_so ip link add name session0 type dummy
    done_so mount -t vfat -o loop disk mounted
    expect_absent vfat
    done_so ip link del session0
    echo /sbin/modprobe >/proc/sys/kernel/modprobe
}

# A driver of the kernel's own takes this module for good: it must be there before either side begins.
/sbin/modprobe -q crct10dif_pclmul || true
note_loaded
compare coldplug
compare kernel_asks
