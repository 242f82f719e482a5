#!/bin/sh
# check.sh TOP TOOLS LIBRARY: runs what was built: the tools on a small module directory that has no modules, and a
# program that calls the library. The tests proper need more than a packager's build has: `cargo xtask test`.
set -eu
top=$1 tools=$2 library=$3
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

for tool in depmod modprobe modinfo lsmod insmod rmmod kmod; do
    ln -s "$tools" "$directory/$tool"
    "$directory/$tool" --version | grep -q '^modutils '
done
mkdir -p "$directory/lib/modules/1.0" "$directory/etc"
echo 'alias check_alias check_module' >"$directory/check.conf"
echo 'kernel/check_builtin.ko' >"$directory/lib/modules/1.0/modules.builtin"
: >"$directory/lib/modules/1.0/modules.order"
"$directory/depmod" -b "$directory" 1.0
[ -s "$directory/lib/modules/1.0/modules.dep.bin" ]
"$directory/modprobe" -d "$directory" -S 1.0 -C "$directory/check.conf" -c | grep -qx 'alias check_alias check_module'
[ "$("$directory/modinfo" -b "$directory" -k 1.0 -F filename check_builtin)" = '(builtin)' ]

cat >"$directory/check.c" <<END
#include <libkmod.h>
#include <string.h>

int main(int argc, char **argv)
{
	const char *none = NULL;
	struct kmod_ctx *ctx = kmod_new(argv[argc - 1], &none);
	struct kmod_module *module;

	if (ctx == NULL || kmod_module_new_from_name(ctx, "check-name", &module) < 0)
		return 1;
	if (strcmp(kmod_module_get_name(module), "check_name") != 0)
		return 2;
	kmod_module_unref(module);
	return kmod_unref(ctx) == NULL ? 0 : 3;
}
END
ln -s "$library" "$directory/libkmod.so.2"
"${CC:-cc}" -I"$top/crates/libkmod/include" "$directory/check.c" "$directory/libkmod.so.2" -o "$directory/check"
LD_LIBRARY_PATH=$directory "$directory/check" "$directory/lib/modules/1.0"
echo "the tools and the library run"
