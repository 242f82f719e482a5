# dkms builds, installs and removes a module with our tools: it calls depmod and modinfo.
expect_status 0 dpkg --install "$package"
mkdir -p /usr/src/dkmshello-1.0
cat >/usr/src/dkmshello-1.0/dkmshello.c <<END
#include <linux/module.h>
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0");
MODULE_ALIAS("dkms-says-hello");
END
echo 'obj-m := dkmshello.o' >/usr/src/dkmshello-1.0/Makefile
cat >/usr/src/dkmshello-1.0/dkms.conf <<END
PACKAGE_NAME=dkmshello
PACKAGE_VERSION=1.0
BUILT_MODULE_NAME[0]=dkmshello
DEST_MODULE_LOCATION[0]=/updates/dkms
AUTOINSTALL=yes
END
expect_status 0 dkms install dkmshello/1.0 -k "$kernel"
expect_output "updates/dkms/dkmshello.ko" grep dkmshello "/lib/modules/$kernel/modules.dep"
expect_output "dkmshello.ko" modprobe -S "$kernel" -D dkms-says-hello
expect_output "1.0" modinfo -k "$kernel" -F version dkmshello
expect_output "installed" dkms status dkmshello/1.0 -k "$kernel"
expect_status 0 dkms remove dkmshello/1.0 --all
expect_status 1 grep dkmshello "/lib/modules/$kernel/modules.dep"
