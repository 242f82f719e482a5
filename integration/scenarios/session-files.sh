# A session on both sides: modules compressed in each way, and modules that the kernel refuses.
# tools: ours
# needs: other-kernel

. /vm/compare.sh

vfat=$(module_file vfat)
dummy=$(module_file dummy)
version=$(uname -r)
for suffix in ko ko.xz ko.zst ko.gz; do
    /sbin/depmod -b "/variants/$suffix"
done

compressed() {
    for suffix in ko ko.xz ko.zst; do
        typed modprobe -v -d "/variants/$suffix" vfat
        typed modprobe -r -d "/variants/$suffix" vfat
        typed insmod "/variants/$suffix/lib/modules/$version/kernel/dummy.$suffix" numdummies=2
        typed rmmod "/variants/$suffix/lib/modules/$version/kernel/dummy.$suffix"
    done
    differs gzip 0: "1:could not insert" modprobe -d /variants/ko.gz vfat
    start_over
}

refused() {
    for kind in other-kernel vermagic signature; do
        typed insmod /refused/$kind/dummy.ko
        typed modprobe /refused/$kind/dummy.ko
    done
    typed modprobe --force-vermagic /refused/vermagic/dummy.ko
    typed modprobe -r dummy
    typed insmod /refused/truncated/dummy.ko
    typed modprobe /refused/truncated/dummy.ko
    : >empty.ko
    echo "no module" >text.ko
    mkdir directory.ko
    typed insmod ./empty.ko
    typed insmod ./text.ko
    typed insmod ./directory.ko
    typed insmod ./nonesuch.ko
    typed modprobe ./text.ko
    # A symbol that nobody has; a module that is there already.
    typed insmod "$vfat"
    typed modprobe dummy
    typed insmod "$dummy"
    typed rmmod dummy
}

compare compressed
compare refused
