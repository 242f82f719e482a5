# Asks `kmod check` about each situation of /agree, then loads for real, and reports both on the serial port in lines that
# begin with "@@". A situation is a file of shell assignments, see crates/xtask/src/agree/situation.rs.

. /vm/lib.sh

# as WHO COMMAND: runs it as root, as nobody, or as the root of a user namespace.
as() {
    case $1 in
        nobody) su -s /bin/sh nobody -c "$2" ;;
        namespace) unshare -U -r sh -c "$2" ;;
        filtered) /vm/guest-calls filtered /bin/sh -c "$2" ;;
        *) sh -c "$2" ;;
    esac
}

# started MODULE, gone MODULE: waits until the module's initialisation has begun, until the kernel has it no more.
started() { until [ -e "/sys/module/$1/initstate" ]; do usleep 50000; done; }
gone() { while [ -e "/sys/module/$1" ]; do usleep 50000; done; }

# Everything that was loaded meanwhile goes; what cannot be unloaded stays for good.
put_back() {
    exec 9>&-
    eval "$AFTER"
    unload_all
    rm -rf /etc/modprobe.d/* /etc/modutils.d/* /tmp/work
}

trace=/sys/kernel/tracing
mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
mount -t tracefs tracefs $trace 2>/dev/null && echo 1 >$trace/events/module/module_load/enable || trace=
echo nobody:x:65534:65534::/:/bin/sh >/etc/passwd
mkdir -p /etc/modprobe.d /etc/modutils.d
chmod -R a+rX /agree /lib/modules /boot
note_loaded
for situation in /agree/*.sh; do
    id=$(basename "$situation" .sh)
    echo "@@ begin $id"
    BEFORE='' AFTER='' END='' WHO=root TARGET='' LOAD=''
    . "$situation"
    mkdir -p /tmp/work && cd /tmp/work && chmod a+rwx .
    eval "$BEFORE" >/dev/null 2>&1
    if [ -n "$TARGET" ]; then
        as "$WHO" "timeout 100 /bin/kmod check --json $TARGET" >check 2>check.err
        echo "@@ checked $?"
    else
        : >check && : >check.err
    fi
    [ -z "$trace" ] || echo >$trace/trace
    dmesg -c >/dev/null
    if [ -n "$LOAD" ]; then
        as "$WHO" "MODUTILS_EXPLAIN=always timeout 100 $LOAD" >out 2>err
        echo "@@ loaded $?"
    else
        : >err
    fi
    if [ -n "$END" ]; then
        eval "$END" >/dev/null 2>&1
        module=${LOAD##* }
        [ ! -e "/sys/module/$module/initstate" ] || $LOAD >/dev/null 2>again
        [ -e "/sys/module/$module/initstate" ]
        echo "@@ ended $?"
        [ ! -e again ] || cat again >>err
    fi
    sed 's/^/@@ check /' check check.err
    sed 's/^/@@ error /' err
    [ -z "$trace" ] || echo "@@ events" $(sed -n 's/.* module_load: \([^ ]*\).*/\1/p' $trace/trace)
    echo "@@ live" $(cut -d' ' -f1 /proc/modules)
    dmesg | tail -n 6 | sed 's/^/@@ log /'
    cd /
    put_back >/dev/null 2>&1
done
echo "@@ end"
