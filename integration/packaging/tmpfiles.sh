# systemd-tmpfiles takes what `kmod static-nodes --format=tmpfiles` prints, and makes the same nodes as with kmod.
# The tool asks for the running kernel's directory.
[ -e "/lib/modules/$(uname -r)" ] || ln -s "$kernel" "/lib/modules/$(uname -r)"
nodes() {
    kmod static-nodes --format=tmpfiles --output="/tmp/$1/etc/tmpfiles.d/static-nodes.conf"
    systemd-tmpfiles --boot --prefix=/dev --create --root="/tmp/$1" || fail "systemd-tmpfiles"
    (cd "/tmp/$1/dev" && find . -exec stat -c '%N %F %t:%T %a' {} + | sort)
}
nodes kmod >with-kmod
expect_status 0 dpkg --install "$package"
expect_status 0 depmod "$kernel"
nodes ours >with-ours
diff with-kmod with-ours || fail "the nodes are not the same"
grep -q special with-ours || fail "no nodes at all"
echo "= $(grep -c special with-ours) nodes"
