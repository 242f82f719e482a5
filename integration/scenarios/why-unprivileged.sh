# Without permission to load modules, the message reports it; without permission to read the kernel's log, only its lines are missing.
# tools: ours

mkdir public
cp "$(module_file dummy)" public
chmod -R a+rX . public
echo nobody:x:65534:65534::/:/bin/sh >/etc/passwd
echo nobody:x:65534: >/etc/group
expect_error "  Only root, with CAP_SYS_MODULE, may load modules." \
    start-stop-daemon -S -q -c nobody -x /sbin/insmod -- public/"$(ls public)"
