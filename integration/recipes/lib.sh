# What the scripts of this directory have, beside integration/vm/lib.sh. They run as root in a root of Debian 13 that has the
# packagers' programs, without a network. The source archive, PKGBUILD and the packages of `cargo xtask deb` (ours/) are in
# the current directory.
version=$(ls modutils-*.tar.xz | sed 's/^modutils-\(.*\)\.tar\.xz$/\1/')
tools="depmod insmod kmod lsmod modinfo modprobe rmmod"

# quickly: what is built from here on is not optimised, where the recipe is tested and not what it compiles.
quickly() {
    for profile in RELEASE LIBKMOD; do
        export "CARGO_PROFILE_${profile}_OPT_LEVEL=0" "CARGO_PROFILE_${profile}_LTO=off" \
            "CARGO_PROFILE_${profile}_CODEGEN_UNITS=16"
    done
}

# run_in DIRECTORY: the installed tools run in this scratch root: on a module directory, and by each name. It gets the C
# library first, which is of other packages.
run_in() {
    library=$(find "$1/usr" -name 'libkmod.so.2' | head -1)
    for file in "$1/usr/bin/kmod" "$library"; do
        ldd "$file" | grep -o '/[^ ]*\.so[^ ]*' | while read -r needed; do
            [ -e "$1$needed" ] || install -D "$needed" "$1$needed"
        done
    done
    mkdir -p "$1/lib/modules/1.0" "$1/etc/modprobe.d"
    echo 'alias an_alias a_module' >"$1/etc/modprobe.d/of-the-test.conf"
    echo 'kernel/a_module.ko' >"$1/lib/modules/1.0/modules.builtin"
    : >"$1/lib/modules/1.0/modules.order"
    for tool in $tools; do
        expect_output "modutils $version" chroot "$1" "$tool" --version
    done
    expect_status 0 chroot "$1" depmod 1.0
    [ -s "$1/lib/modules/1.0/modules.dep.bin" ] || fail "no index"
    expect_output '(builtin)' chroot "$1" modinfo -k 1.0 -F filename a_module
    expect_output a_module chroot "$1" modprobe -S 1.0 --resolve-alias an_alias
    [ -e "$library" ] || fail "no libkmod.so.2"
}
