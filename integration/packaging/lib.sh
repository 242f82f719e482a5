# What the scripts of this directory are written in, beside integration/vm/lib.sh. They run under `sh -eu` as root in
# a root of a Debian release, with our packages in /packaging in two versions.

package=$(ls /packaging/modutils-rs_*_amd64.deb | grep -v next)
next_package=$(ls /packaging/modutils-rs_*next_amd64.deb)
# The packages in the place of kmod and libkmod2.
replacing=$(ls /packaging/kmod-modutils_*.deb /packaging/libkmod2-modutils_*.deb | grep -v next)
next_replacing=$(ls /packaging/kmod-modutils_*next*.deb /packaging/libkmod2-modutils_*next*.deb)
tools="depmod insmod kmod lsmod modinfo modprobe rmmod"
kernel=$(ls /lib/modules)

# is_ours TOOL…: called by its name on PATH, it is our binary.
is_ours() {
    for tool in "$@"; do
        [ "$(readlink -f "$(command -v "$tool")")" = /usr/lib/modutils-rs/kmod ] || fail "$tool is not ours"
        "$tool" --version | grep -q '^modutils ' || fail "$tool does not identify itself as ours"
    done
}

# is_kmods TOOL…: called by its name on PATH, it is kmod's.
is_kmods() {
    for tool in "$@"; do
        case $(readlink -f "$(command -v "$tool")") in
            */bin/kmod) ;;
            *) fail "$tool is not kmod's" ;;
        esac
    done
    kmod --version | grep -q '^kmod version' || fail "kmod does not run"
    ! kmod --version | grep -q '^modutils' || fail "kmod is still ours"
}

# state_of_kmod FILE: what kmod's files are, each by its path.
state_of_kmod() {
    dpkg-query --listfiles kmod | sort | while read -r path; do
        if [ -L "$path" ]; then
            echo "$path -> $(readlink "$path")"
        elif [ -f "$path" ]; then
            echo "$path $(sha256sum <"$path")"
        elif [ -d "$path" ]; then
            echo "$path/"
        else
            echo "$path is not there"
        fi
    done >"$1"
}

# modules_in IMAGE: the modules of an initial file system.
modules_in() {
    lsinitramfs "$1" | grep -E '\.ko(\.(gz|xz|zst))?$' | sed 's|.*/lib/modules/||' | sort
}
