# PKGBUILD: built by makepkg, installed by pacman in a scratch root, where the tools run.
quickly
mkdir /arch
cp modutils-*.tar.xz PKGBUILD /arch
chown -R builder /arch
cat >build.sh <<'END'
cd /arch
exec makepkg --nodeps --noconfirm
END
# makepkg refuses root. The compiler is none of pacman's packages.
expect_status 0 setpriv --reuid builder --regid builder --clear-groups env HOME=/home/builder bash build.sh
grep -q 'the tools and the library run' out || fail "what was built did not run"
package=$(ls /arch/modutils-*.pkg.tar*)
mkdir -p /var/lib/pacman /scratch/var/lib/pacman
# The root of a chroot is no mount point, at which pacman could find how much room there is.
sed -i 's/^CheckSpace/#&/' /etc/pacman.conf
expect_status 0 pacman --root /scratch --upgrade --noconfirm -dd "$package"
expect_status 0 pacman --root /scratch --query --check modutils
pacman --root /scratch --query --list modutils | sed 's|^modutils /scratch||; /\/$/d' >list
echo "= modutils: $(wc -l <list) files, $(stat -c %s "$package") bytes; $(pacman --root /scratch --query --info modutils | grep '^Provides' | xargs)"
sed 's/^/=     /' list
run_in /scratch
echo "= the tools of the Arch package run in a scratch root"
