# The tour of README.md, which `cargo xtask tour` makes of what this prints. Each command is shown as one types it, with
# what it says. A line that begins with @@json is what stands between a tool and python3, which runs outside.

mkdir -p /tmp/work /home /var/cache && cd /home
cp /refused/other-kernel/dummy.ko dummy-6.1.ko
cp /refused/crc/dummy.ko dummy.ko

# typed COMMAND…: shows and runs a tool. The shell has tools of its own of these names, so ours are called by path. What
# they say goes through a pipe: on a terminal there would be colours.
typed() {
    echo "\$ $*"
    case $1 in
        kmod) tool=/bin/kmod ;;
        *) tool=/sbin/$1 ;;
    esac
    shift
    "$tool" "$@" 2>&1 | cat
}

# tell TEXT: what the reader is told of the commands below it.
tell() { echo "@@tell $*"; }

tell "Once the indexes are written, names and aliases of devices are known, with what each module needs:"
typed depmod
typed modprobe -D vfat
typed modprobe -R virtio:d00000004v00001AF4
typed modinfo -F description vfat
tell "The kernel says no, the tools say why:"
typed insmod dummy-6.1.ko
typed insmod dummy.ko
/sbin/modprobe vfat
typed rmmod fat
typed modprobe vfaat
tell "Would a module load? Nothing is loaded to find out:"
typed kmod check dummy.ko
typed kmod check vfat
tell "What keeps a module from being loaded, and what loads it all the same:"
echo 'blacklist virtio_rng' >/etc/modprobe.d/local.conf
echo 'install dummy /bin/false' >>/etc/modprobe.d/local.conf
typed kmod blocked
typed kmod blocked virtio_rng
tell "Which module needs which:"
typed kmod graph vfat
typed kmod graph --reverse fat
typed kmod params loop
tell "And for programs:"
echo "@@json modinfo --json vfat"
/sbin/modinfo --json vfat
echo "@@end json"
echo "@@ end"
sleep 10
