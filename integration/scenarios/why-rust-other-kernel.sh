# The companion modules, planted among those of a distribution's kernel that they were not built for: `kmod check` names
# each with its reasons, and no other.
# kernels: rust
# tools: ours
# needs: other-kernel

release=$(ls /foreign/lib/modules)
updates=/foreign/lib/modules/$release/updates
mkdir "$updates"
cp /companions/*.ko "$updates"
planted=$(ls "$updates" | wc -l)
expect_status 1 /bin/kmod check --all -d /foreign -S "$release"
grep -q " would load, $planted would not, 0 unknown$" out || fail "the summary is another"
for module in "$updates"/*.ko; do
    sed -n "/^updates\/$(basename "$module"): would not load$/,/^[^ ]/p" out >reasons
    grep -q "^  It was built for another kernel: its vermagic lacks \"SMP\".$" reasons || fail "$module: no vermagic"
    grep -q "^    module: $(uname -r) " reasons || fail "$module: the kernel that it is for is not named"
    grep -q "^  It was built for a kernel with another configuration: its struct module has" reasons ||
        fail "$module: no struct module"
    grep -q "^    module_layout: CRC 0x" reasons || fail "$module: no CRC"
done
rm -r "$updates"
