# Modules are found where `make modules_install` puts external ones: in extra, in a directory of their own
# (INSTALL_MOD_DIR), in updates, which wins over all.
# kernels: rust

here=/lib/modules/$(uname -r)
clean() {
    rm -rf "$here/acme" "$here/updates" "$here/kernel/square.ko"
    mv "$here/hello.ko" "$here/extra/hello.ko" 2>/dev/null
    /sbin/depmod -a
}
trap clean EXIT
expect_output "$here/extra/hello.ko" /sbin/modinfo -n hello

mkdir -p "$here/acme/drivers"
mv "$here/extra/hello.ko" "$here/hello.ko"
cp /companions/proc.ko "$here/acme/drivers/my-proc.ko"
expect_status 0 /sbin/depmod -a
expect_output "$here/hello.ko" /sbin/modinfo -n hello
expect_output "$here/acme/drivers/my-proc.ko" /sbin/modinfo -n my_proc
expect_quiet /sbin/modprobe -a hello my-proc
expect_loaded hello proc
expect_quiet /sbin/rmmod hello proc

# The same module three times: extra and kernel are of one rank, updates is above them.
cp /companions/square.ko "$here/kernel/square.ko"
mkdir "$here/updates"
cp /companions/long/square.ko "$here/updates/square.ko"
expect_status 0 /sbin/depmod -a
expect_output "$here/updates/square.ko" /sbin/modinfo -n square
expect_output "insmod $here/updates/square.ko" /sbin/modprobe -D test_square
grep -q '^extra/test_square.ko: updates/square.ko$' "$here/modules.dep" || fail "modules.dep has another square"
configure
printf 'search built-in updates\n' >/etc/depmod.d/order.conf
expect_status 0 /sbin/depmod -a
attempt /sbin/modinfo -n square
! grep updates out || fail "the configuration has no effect"
