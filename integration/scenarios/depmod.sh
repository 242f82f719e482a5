# depmod of the whole tree, run in the machine itself, writes what the packaged depmod writes there.

here=/lib/modules/$(uname -r)
expect_status 0 /reference/sbin/depmod -a -o /tmp/work/reference
theirs=/tmp/work/reference$here
for index in dep dep.bin alias alias.bin softdep weakdep devname symbols.bin builtin.bin builtin.alias.bin; do
    expect_same "$here/modules.$index" "$theirs/modules.$index"
done
# The packaged depmod writes this one in the order of its hash table.
sort "$here/modules.symbols" >ours
sort "$theirs/modules.symbols" >theirs
expect_same ours theirs
