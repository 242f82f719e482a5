# The source package is built twice: in different directories, by different users, with different umasks, time zones,
# languages and host names, later, and from files of different times, all after the changelog's. The packages are the same,
# lintian has no errors, and their files are those of the packages of `cargo xtask deb`.

# build DIRECTORY NAME=VALUE…: as the current user, in an environment of these variables alone.
build="$(cat <<'END'
    directory=$1
    shift
    cd "$directory"
    tar xpf "$directory"/modutils-*.tar.xz
    cd modutils-*/
    [ "$TOUCHED" = no ] || find . -exec touch --no-dereference --date "$TOUCHED" {} +
    exec dpkg-buildpackage -us -uc
END
)"
mkdir /first "/home/builder/another"
for directory in /first /home/builder/another; do cp modutils-*.tar.xz "$directory"; done
chown -R builder /home/builder
path=PATH=/usr/sbin:/usr/bin:/sbin:/bin
start=$(date +%s)
(umask 022; env -i "$path" HOME=/root LC_ALL=C TZ=UTC TOUCHED=no sh -euc "$build" sh /first) >first.log 2>&1 ||
    fail "$(tail -n 30 first.log)"
seconds=$(($(date +%s) - start))
grep -q 'the tools and the library run' first.log || fail "what was built did not run"
unshare --uts sh -euc 'hostname another; umask 077; exec "$@"' sh \
    setpriv --reuid builder --regid builder --clear-groups \
    env -i "$path" HOME=/home/builder LC_ALL=C.UTF-8 TZ=Pacific/Kiritimati TOUCHED=2033-02-03 \
    sh -euc "$build" sh /home/builder/another >second.log 2>&1 || fail "$(tail -n 30 second.log)"
count=0
for file in /first/*.deb /first/*.dsc /first/modutils-rs*.tar.xz; do
    cmp "$file" "/home/builder/another/${file##*/}" || fail "${file##*/} is not the same when it is built again"
    echo "= built twice, the same $(stat -c %s "$file") bytes: ${file##*/}"
    count=$((count + 1))
done
[ "$count" -ge 5 ] || fail "only $count files"
echo "= dpkg-buildpackage took $seconds s"

# linted FILE…: no errors. Those of the file of changes would be about the address, and cannot be overridden.
linted() {
    status=0
    lintian --allow-root --fail-on error --tag-display-limit 0 "$@" >out 2>err || status=$?
    [ "$status" -eq 0 ] || fail "lintian: $(grep '^E: ' out | cat - err)"
}
linted /first/*.dsc /first/*.deb
echo "= lintian of the source package and what it built: no errors, $(wc -l <out) other lines"
linted ours/*.deb
echo "= lintian of the packages of cargo xtask deb: no errors, $(wc -l <out) other lines"

# paths PACKAGE DIRECTORY: the paths in it.
paths() {
    # Only debhelper's packages have sums, which are not of the files' paths.
    dpkg-deb --fsys-tarfile "$2/$1"_*.deb | tar -t | grep -v '/$' | sort
}
for package in kmod-modutils libkmod2-modutils libkmod-modutils-dev; do
    paths "$package" /first >there
    paths "$package" ours >here
    diff there here || fail "$package has other files than the one of cargo xtask deb"
    echo "= $package: $(wc -l <here) files, the same in both packages"
done
