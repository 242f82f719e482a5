# A session on both sides: loading, by name, path, alias and modalias, twice, several at once, built in, not at all.
# tools: ours

. /vm/compare.sh

vfat=$(module_file vfat)
fat=$(module_file fat)

load() {
    typed modprobe vfat
    typed modprobe vfat
    typed modprobe --first-time vfat
    typed modprobe -r vfat
    typed modprobe -v vfat
    typed modprobe -r -v vfat

    # By path: insmod takes the file alone, modprobe its dependencies as well.
    typed insmod "$vfat"
    typed insmod "$fat"
    typed insmod "$vfat"
    typed insmod "$vfat"
    typed rmmod vfat fat
    typed modprobe "$vfat"
    typed rmmod "$vfat"
    typed modprobe -r fat

    # By alias: of a file system, a symbol, a device node, a kind of network device, a device.
    typed modprobe -R fs-vfat
    typed modprobe -v fs-vfat
    typed modprobe -r fs-vfat
    typed modprobe -v symbol:fat_scan
    typed modprobe -v block-major-7-0
    typed modprobe -v rtnl-link-dummy
    typed modprobe -v pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00
    typed modprobe -r virtio_net
    typed rmmod dummy loop fat

    # '-' and '_', several, with one that there is not, and none at all.
    typed modprobe -v dm-snapshot
    typed modprobe -r dm_snapshot
    typed modprobe -a vfat loop
    typed modprobe -a msdos nonesuch dummy
    typed modprobe -r -a vfat msdos loop dummy
    typed modprobe nonesuch
    typed modprobe -q nonesuch
    typed modprobe vfat.ko
    typed modprobe /nowhere/vfat.ko
    typed modprobe
    typed insmod

    # Without doing it.
    typed modprobe -n -v vfat
    differs '`-n` without `-v`' "0:insmod " 0: modprobe -n vfat
    typed modprobe -D vfat
    export MODPROBE_OPTIONS="-v --first-time"
    typed modprobe vfat
    typed modprobe vfat
    unset MODPROBE_OPTIONS

    # What is built in counts as loaded.
    typed modprobe crc32c_generic
    typed modprobe --first-time crc32c_generic
    typed modprobe -D crc32c_generic
    typed modprobe -r crc32c_generic
    typed rmmod crc32c_generic
}
compare load
