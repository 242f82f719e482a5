# Refused for its vermagic: the words that differ are named, with both sides.
# tools: ours

for tool in insmod modprobe; do
    expect_error "  It was built for another kernel: its vermagic has \"mod_onload\", this kernel's \"mod_unload\"." \
        /sbin/$tool /refused/vermagic/dummy.ko
    grep -q "^    module: .* mod_onload " err || fail "the module's vermagic is not shown"
    grep -q "^    kernel: $(uname -r) .* mod_unload " err || fail "the kernel's vermagic is not shown"
    grep -q "^  The kernel's log: dummy: version magic '" err || fail "the kernel is not quoted"
done
