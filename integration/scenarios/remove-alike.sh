# modprobe -r leaves the same modules loaded as the packaged modprobe. That one looks at each dependency once: it may
# leave one that is free only after another has gone (llc after stp, for a bridge).

# left_by MODPROBE MODULE: what stays of a module and its dependencies.
left_by() {
    /sbin/modprobe "$2"
    "$1" -r "$2"
    loaded
    unload_all
}
for module in vfat bridge dm_snapshot 8021q xfs; do
    echo "$module"
    left_by /sbin/modprobe "$module" >ours
    left_by /reference/sbin/modprobe "$module" >theirs
    expect_same ours theirs
done
