# A session on both sides: removal, with holders, with open users, of what is not there, of several.
# tools: ours

. /vm/compare.sh

remove() {
    typed modprobe -a vfat msdos
    typed rmmod fat
    typed modprobe -r fat
    typed modprobe -r -q fat
    typed rmmod fat vfat
    typed modprobe -r msdos
    typed modprobe -r msdos
    typed modprobe -r --first-time msdos
    typed modprobe -r -a msdos nonesuch
    typed rmmod msdos
    typed rmmod -f msdos
    typed rmmod
    typed modprobe -r

    # Dependencies go when nobody uses them any more.
    typed modprobe -a bridge 8021q dm_snapshot
    typed modprobe -r -v bridge
    typed modprobe -r -a -v 8021q dm_snapshot
    start_over

    # Holders are removed first, if asked for.
    typed modprobe vfat
    differs '`--remove-holders` without `-r`' "0:rmmod fat" "0:" modprobe -v --remove-holders fat
    start_over
    typed modprobe -a vfat msdos
    typed modprobe -r -v --remove-holders -a vfat msdos
    typed modprobe -a macvtap
    differs '`modprobe -r --remove-holders`' "0:rmmod macvtap" "1:macvlan" modprobe -r -v --remove-holders macvlan
    start_over
}

users() {
    # An open device.
    typed modprobe -a loop dummy
    dd if=/dev/zero of=disk bs=1k count=512 2>/dev/null
    mkdosfs disk >/dev/null
    done_so losetup /dev/loop0 disk
    typed rmmod loop
    typed modprobe -r loop
    typed modprobe -r -q loop dummy
    typed modprobe -r -a loop dummy
    typed rmmod -v loop dummy
    losetup -d /dev/loop0
    unused loop
    typed rmmod loop

    # A mounted file system, whose module's own dependency is asked for as well.
    typed modprobe -a loop vfat nls_cp437 nls_ascii
    mkdir mounted
    done_so mount -t vfat -o loop disk mounted
    typed rmmod vfat
    typed modprobe -r vfat
    typed modprobe -r fat
    typed rmmod fat
    typed modprobe -r --remove-holders fat
    umount mounted
    unused vfat loop nls_cp437 nls_ascii
    typed lsmod
    typed modprobe -r -v vfat
    typed modprobe -r -a nls_cp437 nls_ascii loop

    # Waiting for a user who leaves; waiting for one who stays times out.
    typed modprobe dummy
    typed modprobe loop
    losetup /dev/loop0 disk
    (sleep 0.5 && losetup -d /dev/loop0) &
    typed modprobe -r -w 10000 loop
    wait
    typed modprobe loop
    losetup /dev/loop0 disk
    limit=20
    differs '`modprobe -r --wait` times out' "1:Module loop is in use." 0: modprobe -r -w 100 loop
    limit=
    losetup -d /dev/loop0
}

compare remove
compare users
