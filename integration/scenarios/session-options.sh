# A session on both sides: options from the command line, modprobe.d (of the module and of an alias) and the kernel's
# command line; parameters that a module does not take.
# tools: ours

. /vm/compare.sh

loop=$(module_file loop)
dummy=$(module_file dummy)

options() {
    typed modprobe -v loop max_loop=5 max_part=3
    typed modprobe -r loop
    typed insmod "$loop" max_loop=4 hw_queue_depth=64
    typed rmmod loop

    configure "options loop max_loop=6 max_part=7" "alias summer loop" "options summer max_part=15"
    typed modprobe -v loop
    typed modprobe -r loop
    typed modprobe -v summer max_loop=9
    typed modprobe -r summer
    typed modprobe -D summer "max_loop=1 2"

    # The kernel's command line, here one of our own: between modprobe.d and the command line.
    printf 'quiet loop.max_loop=8 lo-op.max_part=1 loop.hw_queue_depth=32 "dummy.text=a b" x=loop.max_loop=3\n' >cmdline
    mount --bind cmdline /proc/cmdline
    typed modprobe -v loop
    typed modprobe -r loop
    typed modprobe -v loop max_part=31
    typed modprobe -r loop
    typed modprobe -D dummy
    umount /proc/cmdline

    # A bad value, and a parameter that there is not; the kernel only warns of that.
    configure "options dummy numdummies=many"
    typed modprobe dummy
    typed modprobe dummy numdummies=2
    typed modprobe -r dummy
    typed insmod "$dummy" numdummies=many
    typed modprobe loop nonesuch=1
    typed modprobe -r loop

    # Dependencies have options of the configuration, never of the command line.
    configure "options dm_mod dm_numa_node=0" "options dm_snapshot nonesuch=2"
    typed modprobe -v dm_snapshot nonesuch=3
    typed modprobe -r -v dm_snapshot
}
compare options
