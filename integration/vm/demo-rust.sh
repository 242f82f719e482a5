# The session of `cargo xtask demo` with the companion modules, which are written in Rust.

. /vm/session.sh

# logged TEXT: the kernel has logged it; shows its last line.
logged() {
    echo "# dmesg | tail -n 1"
    dmesg | tail -n 1
    dmesg | tail -n 3 | grep -qF -- "$1" || wrong "no \"$1\" in the kernel's log"
}

release=$(uname -r)
heading "Linux $release, built with Rust, and modules written in Rust"
typed 0 depmod -a
lines=9 typed 0 modinfo hello
shows "^description:    Says hello and goodbye"
typed 0 modinfo -p hello
shows "^msg:What to say hello to (charp)"
typed 0 modinfo -F signer hello
shows "kernel key"

heading "Parameters: the module itself checks one of them"
typed 0 modprobe hello "msg=two words" io=3
logged "hello: hello two words, io 0x3"
typed 0 modprobe -r hello
typed 1 modprobe hello io=9
shows "could not insert 'hello': Invalid argument"
logged "invalid for parameter"

heading "A module that uses the symbol of another"
typed 1 insmod /companions/test_square.ko
shows "Unknown symbol in module"
typed 0 modprobe -v test_square
logged "test_square: the square of 7 is 49"
typed 1 rmmod square
shows "in use by: test_square"
typed 0 modprobe -r -v test_square

heading "That symbol with another prototype: its CRC differs, so the kernel refuses, unless forced"
typed 0 insmod /companions/long/square.ko
typed 1 insmod /companions/test_square.ko
logged "disagrees about version of symbol square"
typed 0 modprobe --force-modversion /companions/test_square.ko
typed 0 rmmod test_square square

heading "Rust's symbols have long names, and the tables of versions have them whole"
lines=4 typed 0 modprobe --show-modversions /companions/test_verbose.ko
# The packaged kmod reads only the table that cannot have them.
[ "$(readlink /bin/kmod)" = /reference/bin/kmod ] || saying "7verbose7symbols4that7outgrow8versions5twice"
typed 0 modprobe test_verbose
typed 0 modprobe -r test_verbose

heading "A file of /proc that is open keeps its module"
typed 0 modprobe proc
exec 3</proc/helloworld
typed 1 rmmod proc
shows "Module proc is in use"
exec 3<&-
typed 0 rmmod proc

all_well
