/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What udev does at boot: a context with loaded indexes, and a lookup for each line of a file.
 * `cost DIRECTORY FILE` prints how many modules were found, and the memory that was resident before the end.
 */
#include <stdio.h>
#include <string.h>

#include <libkmod.h>

static int modules_of(struct kmod_ctx *ctx, const char *alias)
{
	struct kmod_list *list = NULL, *entry;
	int count = 0;

	if (kmod_module_new_from_lookup(ctx, alias, &list) < 0)
		return 0;
	kmod_list_foreach(entry, list) {
		struct kmod_module *module = kmod_module_get_module(entry);

		count += kmod_module_get_name(module) != NULL;
		kmod_module_unref(module);
	}
	kmod_module_unref_list(list);
	return count;
}

int main(int argc, char **argv)
{
	const char *no_configuration[] = { NULL };
	struct kmod_ctx *ctx = argc > 2 ? kmod_new(argv[1], no_configuration) : NULL;
	FILE *aliases = ctx ? fopen(argv[2], "r") : NULL, *status;
	char line[4096];
	int found = 0;

	if (!aliases || kmod_load_resources(ctx) < 0)
		return 1;
	while (fgets(line, sizeof(line), aliases)) {
		line[strcspn(line, "\n")] = '\0';
		found += modules_of(ctx, line);
	}
	fclose(aliases);
	printf("found %d\n", found);
	status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof(line), status))
		if (strncmp(line, "VmRSS:", 6) == 0)
			fputs(line, stdout);
	if (status)
		fclose(status);
	kmod_unref(ctx);
	return 0;
}
