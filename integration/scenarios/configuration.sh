# Aliases, blacklists and soft dependencies of modprobe.d.

configure "alias summer vfat" "blacklist dummy" "alias winter dummy" "softdep loop pre: llc post: tunnel4"
expect_quiet /sbin/modprobe summer
expect_loaded vfat fat
expect_quiet /sbin/modprobe -r summer
expect_absent vfat fat

# A blacklist stops loading by alias, and by name only with -b.
expect_quiet /sbin/modprobe winter
expect_quiet /sbin/modprobe -b dummy
expect_absent dummy
expect_quiet /sbin/modprobe dummy
expect_loaded dummy
expect_quiet /sbin/modprobe -r dummy

expect_quiet /sbin/modprobe loop
expect_loaded loop llc tunnel4
expect_quiet /sbin/modprobe -r loop
expect_absent loop llc tunnel4
