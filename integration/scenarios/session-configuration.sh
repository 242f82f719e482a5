# A session on both sides: aliases, blacklists, soft dependencies, install and remove commands of modprobe.d.
# tools: ours

. /vm/compare.sh

aliases() {
    configure "alias summer vfat" "alias season-* msdos" "alias season-[cd]old loop" "alias fs-vfat dummy" \
        "alias both vfat" "alias both loop" "alias loose nonesuch" "alias half nonesuch" "alias half dummy"
    typed modprobe -v summer
    typed modprobe -R season-cold
    typed modprobe -v season-cold
    typed modprobe -r season-cold
    typed modprobe -v fs-vfat
    typed modprobe -r fs-vfat
    typed modprobe -r summer
    typed modprobe -v both
    typed modprobe -r both
    typed modprobe loose
    typed modprobe -q loose

    # Blacklists hold for aliases, and for names with -b.
    configure "blacklist dummy" "alias winter dummy" "blacklist fat"
    typed modprobe -v winter
    typed modprobe -r dummy
    typed modprobe -b winter
    typed modprobe -b dummy
    typed modprobe -b -v vfat
    typed modprobe -r vfat
    typed modprobe -v rtnl-link-dummy
    typed modprobe -ab dummy loop fat
    typed modprobe dummy
    typed modprobe -r -a dummy loop
    printf 'modprobe.blacklist=loop,msdos\n' >cmdline
    mount --bind cmdline /proc/cmdline
    typed modprobe -ab loop msdos vfat
    typed modprobe -r vfat
    umount /proc/cmdline
}

soft_dependencies() {
    configure "softdep loop pre: llc post: tunnel4"
    typed modprobe -v loop
    typed modprobe -r -v loop
    typed modprobe -D loop
    configure "softdep loop pre: nonesuch dummy post: nonesuch vfat"
    typed modprobe -v loop
    typed modprobe -r -v loop
    configure "softdep loop pre: llc" "softdep loop post: dummy"
    differs "several \`softdep\` lines for one module" 0:dummy.ko 0:llc.ko modprobe -v loop
    start_over
    configure "softdep loop pre: llc" "install loop echo instead"
    differs "a module with a softdep and an install command" 0:instead 0:loop.ko modprobe -v loop
    start_over
}

commands() {
    configure "install loop echo before; /tmp/tools/modprobe --ignore-install loop \$CMDLINE_OPTS; echo after" \
        "remove loop echo removing \$MODPROBE_MODULE; /tmp/tools/modprobe -r -i loop"
    typed modprobe loop max_loop=7
    typed modprobe -r loop
    reordered "\`-v\` and the output of commands" modprobe -v loop max_part=3
    typed modprobe -r -v loop
    typed modprobe -i loop
    typed modprobe -r -i loop
    typed modprobe -n -v loop max_loop=1
    typed modprobe -D loop max_loop=1

    # Of a dependency, nested with a configuration of its own, failing, and doing nothing.
    configure "install fat /tmp/tools/modprobe --ignore-install fat && /tmp/tools/modprobe -q dummy numdummies=2"
    typed modprobe vfat
    typed modprobe -r -v vfat
    typed modprobe -r dummy
    typed modprobe -i vfat
    typed modprobe -r -a vfat dummy
    configure "install loop exit 3" "remove dummy exit 4" "install vfat /bin/true" "install fat false"
    typed modprobe loop
    typed modprobe -q loop
    typed modprobe dummy
    typed modprobe -r dummy
    typed modprobe -r -q dummy
    typed modprobe vfat
    typed modprobe msdos
    typed modprobe -a loop llc
    configure "install loop kill -9 \$\$"
    differs "an install or remove command is killed by a signal" "1:loop" 0: modprobe loop
}

compare aliases
compare soft_dependencies
compare commands
