# The spec in the source archive: built by rpmbuild, installed in a scratch root, where the tools run.
quickly
mkdir /rpm
# The compiler is a Debian package, of which rpm does not know.
expect_status 0 rpmbuild -ta --nodeps --define '_topdir /rpm' modutils-*.tar.xz
grep -q 'the tools and the library run' out || fail "what was built did not run"
mkdir /scratch
expect_status 0 rpm --root /scratch --initdb
# The C library is none of rpm's packages, either.
expect_status 0 rpm --root /scratch --install --nodeps $(find /rpm/RPMS -name '*.rpm')
for package in modutils modutils-libs modutils-devel; do
    expect_status 0 rpm --root /scratch --verify --nodeps "$package"
    rpm --root /scratch --query --list "$package" >list
    echo "= $package: $(wc -l <list) files, $(stat -c %s "$(find /rpm/RPMS -name "$package-[0-9]*.rpm")") bytes; provides $(rpm --root /scratch --query --provides "$package" | grep '^kmod' | xargs)"
    sed 's/^/=     /' list
done
run_in /scratch
echo "= the tools of the rpm packages run in a scratch root"
