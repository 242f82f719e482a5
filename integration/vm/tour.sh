# The tour of README.md: `cargo xtask tour` writes what this prints. Each command is shown as typed, with its output. After
# a line that begins with @@json, the output goes to python3, which runs on the host.

# As every init does: `kmod check` sees in it that no integrity policy is loaded.
mount -t securityfs securityfs /sys/kernel/security
mkdir -p /tmp/work /home /var/cache && cd /home
cp /refused/other-kernel/dummy.ko dummy-6.1.ko
cp /refused/crc/dummy.ko dummy.ko

# A pipe gets causes on request only.
export MODUTILS_EXPLAIN=always

# typed COMMAND…: shows and runs a tool. The shell has builtin tools of these names, so ours are called by path. The
# output goes through a pipe: on a terminal it would be coloured.
typed() {
    echo "\$ $*"
    case $1 in
        kmod) tool=/bin/kmod ;;
        *) tool=/sbin/$1 ;;
    esac
    shift
    "$tool" "$@" 2>&1 | cat
}

# text TEXT: the sentence above the next commands.
text() { echo "@@text $*"; }

text "depmod writes the indexes; modprobe then resolves names and device aliases, with their dependencies:"
typed depmod
typed modprobe -D vfat
typed modprobe -R virtio:d00000004v00001AF4
text "If a request fails, the tools report the cause:"
typed insmod dummy-6.1.ko
/sbin/modprobe vfat
typed rmmod fat
typed modprobe vfaat
text "Would a module load? \`kmod check\` finds out without loading it:"
typed kmod check dummy.ko
text "And for programs:"
echo "@@json modinfo --json vfat"
/sbin/modinfo --json vfat
echo "@@end json"
echo "@@ end"
sleep 10
