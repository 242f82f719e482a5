# What is built into the kernel counts as loaded and cannot be removed.

grep -q '/tmpfs.ko\|/unix.ko\|/serial_core.ko\|/crc32c_generic.ko' "/lib/modules/$(uname -r)/modules.builtin"
expect_quiet /sbin/modprobe crc32c_generic
expect_output "builtin crc32c_generic" /sbin/modprobe -D crc32c_generic
expect_error "Module crc32c_generic is builtin." /sbin/modprobe -r crc32c_generic
expect_output "(builtin)" /sbin/modinfo crc32c_generic
