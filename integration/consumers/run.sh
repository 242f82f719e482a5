# Runs Debian's own programs that use libkmod.so.2, each once, in a root of Debian 13 and without the right to load modules.
# `run.sh DIRECTORY`: what they print, and which files they copy, goes there.
out=$1
mkdir -p "$out"
kernel=$(basename "$(readlink -f "/lib/modules/$(uname -r)")")

run() {
    name=$1
    shift
    status=0
    "$@" >"$out/$name.out" 2>"$out/$name.err" || status=$?
    echo "$name $status" >>"$out/status"
}

printf 'blacklist pcspkr\noptions loop max_loop=8\n' >/etc/modprobe.d/consumers.conf

# A bus that was made up: its devices have modaliases of known drivers.
run lspci lspci -n -k -A linux-sysfs -O sysfs.path=/bus

# Dependencies, soft and weak ones, firmware, paths and symbols.
dracut_install=/usr/lib/dracut/dracut-install
install_modules() {
    name=$1
    shift
    mkdir "/tmp/$name"
    run "$name" "$dracut_install" -D "/tmp/$name" --kerneldir "/lib/modules/$kernel" "$@"
    (cd "/tmp/$name" && find . | sort) >"$out/$name.files"
    rm -r "/tmp/$name"
}
install_all() {
    install_modules "dracut-names$1" -m nvme ext4 btrfs xfs =drivers/net/ethernet/intel nfsd cifs ksmbd absent-module
    install_modules "dracut-symbol$1" -s register_netdev -o -m =drivers/net/ethernet/intel =drivers/block
    install_modules "dracut-suppressed$1" -S pci_enable_device -o -m =drivers/net/ethernet/realtek =drivers/ata
}
install_all ""

# One that is refused, an absent, a blacklisted and a built-in one.
printf 'loop\nabsent-module\npcspkr\next4\nunix\n' >/tmp/list.conf
export SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console
run modules-load /usr/lib/systemd/systemd-modules-load /tmp/list.conf
number=0
for device in $(find /sys/devices -name modalias -exec dirname {} \; | sort | head -40); do
    number=$((number + 1))
    run "udevadm-$number" udevadm test-builtin kmod "$device"
done
unset SYSTEMD_LOG_LEVEL SYSTEMD_LOG_TARGET

# It loads the tracer's modules at its start: none of them is in the tree, and the first that it cannot do without ends that.
run lttng-sessiond timeout --preserve-status --signal=TERM 15 lttng-sessiond -vvv
sed -n -E -i 's/^.*(libkmod: |Unable to load (optional|required) module)/\1/p' "$out/lttng-sessiond.err"
grep -q 'Unable to load required module' "$out/lttng-sessiond.err" || echo "lttng-sessiond did not try" >>"$out/status"

run libblockdev python3 -c '
import gi
gi.require_version("BlockDev", "3.0")
from gi.repository import BlockDev
print([BlockDev.utils_have_kernel_module(name) for name in ("loop", "zram", "absent", "ext4", "unix")])'

# Any program can call it without a binding.
run ctypes python3 -c '
import ctypes
library = ctypes.CDLL("libkmod.so.2")
pointer = ctypes.c_void_p
for name in ("kmod_new", "kmod_list_next", "kmod_module_get_module"):
    getattr(library, name).restype = pointer
library.kmod_module_get_name.restype = ctypes.c_char_p
context, entries = pointer(library.kmod_new(None, None)), pointer()
print(library.kmod_load_resources(context))
print(library.kmod_module_new_from_lookup(context, b"pci:v00008086d000010D3sv0sd0bc02sc00i00", ctypes.byref(entries)))
entry = entries.value
while entry:
    module = pointer(library.kmod_module_get_module(pointer(entry)))
    print(library.kmod_module_get_name(module))
    library.kmod_module_unref(module)
    entry = library.kmod_list_next(entries, pointer(entry))
library.kmod_module_unref_list(entries)
print(library.kmod_unref(context))'

# Programs that were compiled with our header, and clients in other languages.
if [ -e /built/lspci ]; then
    run lspci-built /built/lspci -n -k -A linux-sysfs -O sysfs.path=/bus
    dracut_install=/built/dracut-install
    install_all -built
    run rust-client /built/rust-client
    # Messages of the packaged library have quotes around some paths.
    sed -i "s/'//g" "$out/rust-client.err"
    run go-client /built/go-client
    if [ -e /built/stress-ng ]; then
        # Without the right to load modules it skips its stressor; what it reports has times.
        run stress-ng-built /built/stress-ng --module 1 --module-ops 1
        : >"$out/stress-ng-built.out"
        sed -i -E 's/^[^[]*\[[0-9]+\] *//; s/[0-9]+\.[0-9]+//g' "$out/stress-ng-built.err"
    fi
fi
