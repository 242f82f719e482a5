# A module loads from .gz. Debian builds the packaged kmod without it.
# tools: ours

root=/variants/ko.gz
expect_status 0 /sbin/depmod -b "$root"
expect_quiet /sbin/modprobe -d "$root" vfat
expect_loaded vfat fat
expect_quiet /sbin/modprobe -d "$root" -r vfat
expect_absent vfat fat
