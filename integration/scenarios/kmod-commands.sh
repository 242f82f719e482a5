# The commands of kmod that show modules: their graph, their parameters, and what blocks them.
# tools: ours
# boot: module_blacklist=zram modprobe.blacklist=dummy

expect_quiet /sbin/modprobe vfat
expect_output "$(printf 'vfat\n`-- fat')" /bin/kmod graph vfat
expect_output "$(printf 'fat\n`-- vfat')" /bin/kmod graph --loaded --reverse fat
expect_output '	"vfat" -> "fat";' /bin/kmod graph --format dot vfat

expect_output "loop (not loaded)" /bin/kmod params loop
expect_quiet /sbin/modprobe loop max_part=7
expect_output "  max_part (int) = 7, 0444" /bin/kmod params loop
grep -qxF "      Maximum number of loop devices" out || fail "the description is missing"

# The kernel refuses what its command line names; modprobe skips only aliases.
expect_output "zram is refused by the kernel (module_blacklist=)  /proc/cmdline line 1" /bin/kmod blocked
expect_status 4 /bin/kmod blocked zram
grep -qxF "  Nothing loads it but insmod, where the kernel itself does not refuse it." out || fail "that only insmod loads it is missing"
expect_status 1 /sbin/modprobe zram
expect_status 4 /bin/kmod blocked dummy
grep -qF "dummy is not loaded by its aliases (blacklist)  /proc/cmdline line 1" out || fail "the blacklist is missing"
grep -qxF "    by name: modprobe dummy" out || fail "that its name loads it is missing"
expect_quiet /sbin/modprobe -r -a loop vfat
# What zram needs was loaded before the kernel refused it.
for module in zsmalloc lz4_compress lz4hc_compress; do /sbin/rmmod $module 2>/dev/null || true; done
