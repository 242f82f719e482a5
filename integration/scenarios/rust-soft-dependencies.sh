# Soft dependencies that a module names in itself: depmod collects them, modprobe loads them before and after.
# kernels: rust

forget_log
expect_output "softdep gadget pre: square post: verbose" \
    cat "/lib/modules/$(uname -r)/modules.softdep"
expect_quiet /sbin/modprobe gadget
expect_loaded square gadget verbose
order=$(dmesg | grep -o '[a-z]*: ready' | tr '\n' ' ')
[ "$order" = "square: ready gadget: ready verbose: ready " ] || fail "loaded in the order $order"
expect_quiet /sbin/modprobe -r gadget
expect_absent square gadget verbose

# By alias, from the device table; a blacklist with -b stops it.
alias=pci:v00008086d00007000sv00001AF4sd00001100bc06sc01i00
expect_output gadget /sbin/modprobe -R $alias
configure "blacklist gadget"
expect_quiet /sbin/modprobe -b gadget
expect_absent gadget
