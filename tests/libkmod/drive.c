/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Calls the functions of libkmod.h as a script has it, the file that it is given, and prints what they return: for comparing
 * libraries. A line is a command and its words; `%XX` is a byte, `-` is NULL. Objects are in numbered places.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libkmod.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define PLACES 16
static struct kmod_ctx *contexts[PLACES];
static struct kmod_module *modules[PLACES];
static struct kmod_list *lists[PLACES];
static char *words[64];
static int count;
static int descriptors;

static int place(int word)
{
	int number = word < count && words[word] ? atoi(words[word]) : 0;

	return number >= 0 && number < PLACES ? number : 0;
}

#define CTX contexts[place(1)]
#define MOD modules[place(1)]
#define LIST lists[place(1)]

static const char *text(int word)
{
	return word < count ? words[word] : NULL;
}

static unsigned int bits(int word)
{
	return text(word) ? (unsigned int)strtoul(text(word), NULL, 0) : 0;
}

#ifdef __GLIBC__
#define error_name strerrorname_np
#else
static const char *error_name(int number)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
		{ EPERM, "EPERM" }, { ENOENT, "ENOENT" }, { EIO, "EIO" }, { ENOEXEC, "ENOEXEC" }, { EBADF, "EBADF" },
		{ EEXIST, "EEXIST" }, { EISDIR, "EISDIR" }, { EINVAL, "EINVAL" }, { ENOSYS, "ENOSYS" },
		{ ENODATA, "ENODATA" },
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == number)
			return names[i].name;
	return "another error";
}
#endif

static void show_number(const char *what, long number)
{
	if (number < 0 && number > -200)
		printf("  %s %s%s\n", what, error_name((int)-number), errno == -number ? "" : " (errno differs)");
	else
		printf("  %s %ld\n", what, number);
}

static void show_text(const char *what, const char *string)
{
	printf("  %s %s%s%s\n", what, string ? "\"" : "NULL", string ? string : "", string ? "\"" : "");
}

static void show_modules(const char *what, struct kmod_list *list)
{
	struct kmod_list *entry;

	printf("  %s", what);
	kmod_list_foreach(entry, list) {
		struct kmod_module *module = kmod_module_get_module(entry);

		printf(" %s", kmod_module_get_name(module));
		kmod_module_unref(module);
	}
	printf("\n");
}

/* Both ways through a list, and how long it is. */
static int length(struct kmod_list *list)
{
	struct kmod_list *entry;
	int forth = 0, back = 0;

	kmod_list_foreach(entry, list)
		forth++;
	kmod_list_foreach_reverse(entry, list)
		back++;
	if (forth != back)
		printf("  %d forth, %d back\n", forth, back);
	return forth;
}

static void log_function(void *data, int priority, const char *file, int line, const char *function,
			 const char *format, va_list arguments)
{
	char message[4096];
	va_list copy;

	(void)line;
	va_copy(copy, arguments);
	vsnprintf(message, sizeof(message), format, copy);
	va_end(copy);
	if (strcmp((const char *)data, "texts") == 0) {
		printf("  log %d %s", priority, message);
	} else {
		size_t end = strlen(message);

		printf("  log %d%s%s%s\n", priority, file && function ? "" : " without names",
		       end > 0 && message[end - 1] == '\n' ? "" : " without line end",
		       strcmp((const char *)data, "data") == 0 ? "" : " wrong data");
	}
}

static int run_install(struct kmod_module *module, const char *command, void *data)
{
	printf("  run %s: %s\n", kmod_module_get_name(module), command);
	return atoi((const char *)data);
}

static void print_action(struct kmod_module *module, bool install, const char *options)
{
	printf("  %s %s \"%s\"\n", install ? "install" : "insmod", kmod_module_get_name(module), options);
}

static void config(struct kmod_config_iter *iter)
{
	int round;

	printf("  %s\n", iter ? "walk" : "NULL");
	for (round = 0; iter && round < 2; round++) {
		while (kmod_config_iter_next(iter)) {
			const char *value = kmod_config_iter_get_value(iter);

			if (round == 0)
				printf("    %s => %s\n", kmod_config_iter_get_key(iter), value ? value : "NULL");
		}
		printf("  end: %s\n", kmod_config_iter_get_key(iter) ? "key" : "no key");
	}
	kmod_config_iter_free_iter(iter);
}

static int by_text(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

/* The content of a list, line by line; sorted where its order is nobody's promise. */
static void show_entries(char kind, struct kmod_list *list, bool sorted)
{
	struct kmod_list *entry;
	char **lines = calloc((size_t)length(list) + 1, sizeof(char *));
	int number = 0, i;

	kmod_list_foreach(entry, list) {
		char *line = NULL;
		int len = -1;

		switch (kind) {
		case 'i':
			len = asprintf(&line, "%s=%s", kmod_module_info_get_key(entry),
				       kmod_module_info_get_value(entry));
			break;
		case 'v':
			len = asprintf(&line, "%s %#llx", kmod_module_version_get_symbol(entry),
				       (unsigned long long)kmod_module_version_get_crc(entry));
			break;
		case 's':
			len = asprintf(&line, "%s %#llx", kmod_module_symbol_get_symbol(entry),
				       (unsigned long long)kmod_module_symbol_get_crc(entry));
			break;
		case 'd':
			len = asprintf(&line, "%s %c %#llx", kmod_module_dependency_symbol_get_symbol(entry),
				       kmod_module_dependency_symbol_get_bind(entry),
				       (unsigned long long)kmod_module_dependency_symbol_get_crc(entry));
			break;
		case 'm':
			/* dracut-install does so. */
			len = asprintf(&line, "%s", kmod_module_symbol_get_symbol(entry));
			break;
		default:
			len = asprintf(&line, "%s %#lx", kmod_module_section_get_name(entry),
				       kmod_module_section_get_address(entry));
		}
		if (len < 0)
			abort();
		lines[number++] = line;
	}
	if (sorted)
		qsort(lines, (size_t)number, sizeof(char *), by_text);
	for (i = 0; i < number; i++) {
		printf("    %s\n", lines[i]);
		free(lines[i]);
	}
	free(lines);
}

static void file_facts(char kind, bool quiet)
{
	struct kmod_list *list = quiet ? lists[15] : NULL;
	int found;

	switch (kind) {
	case 'i':
		found = kmod_module_get_info(MOD, &list);
		break;
	case 'v':
		found = kmod_module_get_versions(MOD, &list);
		break;
	case 's':
		found = kmod_module_get_symbols(MOD, &list);
		break;
	default:
		found = kmod_module_get_dependency_symbols(MOD, &list);
	}
	show_number("found", found);
	if (quiet)
		return;
	if (found >= 0 && found != length(list))
		printf("  but %d entries\n", length(list));
	show_entries(kind, list, false);
	if (kind == 'i')
		kmod_module_info_free_list(list);
	else if (kind == 'v')
		kmod_module_versions_free_list(list);
	else if (kind == 's')
		kmod_module_symbols_free_list(list);
	else
		kmod_module_dependency_symbols_free_list(list);
}

/* Every function with NULL for its object. */
static void with_null(void)
{
	struct kmod_ctx *ctx = contexts[0];
	struct kmod_list *list = NULL;
	struct kmod_module *module = NULL, *some = NULL;

	show_number("new_from_name", kmod_module_new_from_name(ctx, "some", &some));
	show_number("ref", kmod_ref(NULL) != NULL);
	show_number("unref", kmod_unref(NULL) != NULL);
	show_number("load", kmod_load_resources(NULL));
	kmod_unload_resources(NULL);
	show_number("validate", kmod_validate_resources(NULL));
	show_number("dump", kmod_dump_index(NULL, KMOD_INDEX_MODULES_DEP, 1));
	kmod_set_log_priority(NULL, 3);
	show_number("priority", kmod_get_log_priority(NULL) == -1 ? 4711 : kmod_get_log_priority(NULL));
	kmod_set_log_fn(NULL, log_function, NULL);
	kmod_set_userdata(NULL, "x");
	show_number("userdata", kmod_get_userdata(NULL) != NULL);
	show_text("dirname", kmod_get_dirname(NULL));
	show_number("last", kmod_list_last(NULL) != NULL);
	show_number("next", kmod_list_next(NULL, NULL) != NULL);
	show_number("prev", kmod_list_prev(NULL, NULL) != NULL);
	config(kmod_config_get_blacklists(NULL));
	config(kmod_config_get_install_commands(NULL));
	config(kmod_config_get_remove_commands(NULL));
	config(kmod_config_get_aliases(NULL));
	config(kmod_config_get_options(NULL));
	config(kmod_config_get_softdeps(NULL));
	config(kmod_config_get_weakdeps(NULL));
	show_text("key", kmod_config_iter_get_key(NULL));
	show_text("value", kmod_config_iter_get_value(NULL));
	show_number("iter_next", kmod_config_iter_next(NULL));
	kmod_config_iter_free_iter(NULL);
	show_number("lookup", kmod_module_new_from_lookup(NULL, "x", &list));
	show_number("lookup", kmod_module_new_from_lookup(ctx, NULL, &list));
	show_number("lookup", kmod_module_new_from_lookup(ctx, "x", NULL));
	show_number("name_lookup", kmod_module_new_from_name_lookup(NULL, "x", &module));
	show_number("name_lookup", kmod_module_new_from_name_lookup(ctx, NULL, &module));
	show_number("name_lookup", kmod_module_new_from_name_lookup(ctx, "x", NULL));
	show_number("name", kmod_module_new_from_name(NULL, "x", &module));
	show_number("name", kmod_module_new_from_name(ctx, NULL, &module));
	show_number("name", kmod_module_new_from_name(ctx, "x", NULL));
	show_number("path", kmod_module_new_from_path(NULL, "/bin/sh", &module));
	show_number("path", kmod_module_new_from_path(ctx, NULL, &module));
	show_number("path", kmod_module_new_from_path(ctx, "/bin/sh", NULL));
	show_number("loaded", kmod_module_new_from_loaded(NULL, &list));
	show_number("loaded", kmod_module_new_from_loaded(ctx, NULL));
	show_number("module ref", kmod_module_ref(NULL) != NULL);
	show_number("module unref", kmod_module_unref(NULL) != NULL);
	show_number("unref_list", kmod_module_unref_list(NULL));
	show_number("get_module", kmod_module_get_module(NULL) != NULL);
	show_number("insert", kmod_module_insert_module(NULL, 0, NULL));
	show_number("probe", kmod_module_probe_insert_module(NULL, 0, NULL, NULL, NULL, NULL));
	show_number("remove", kmod_module_remove_module(NULL, 0));
	show_text("name", kmod_module_get_name(NULL));
	show_text("path", kmod_module_get_path(NULL));
	show_text("options", kmod_module_get_options(NULL));
	show_text("install", kmod_module_get_install_commands(NULL));
	show_text("remove", kmod_module_get_remove_commands(NULL));
	show_number("dependencies", kmod_module_get_dependencies(NULL) != NULL);
	show_number("softdeps", kmod_module_get_softdeps(NULL, &list, &list));
	show_number("softdeps", kmod_module_get_softdeps(some, NULL, &list));
	show_number("softdeps", kmod_module_get_softdeps(some, &list, NULL));
	show_number("weakdeps", kmod_module_get_weakdeps(NULL, &list));
	show_number("weakdeps", kmod_module_get_weakdeps(some, NULL));
	show_number("filter", kmod_module_apply_filter(NULL, KMOD_FILTER_BUILTIN, NULL, &list));
	show_number("filter", kmod_module_apply_filter(ctx, KMOD_FILTER_BUILTIN, NULL, NULL));
	show_number("filter", kmod_module_apply_filter(ctx, KMOD_FILTER_BUILTIN, NULL, &list));
	show_number("filtered", kmod_module_get_filtered_blacklist(NULL, NULL, &list));
	show_number("filtered", kmod_module_get_filtered_blacklist(ctx, NULL, NULL));
	show_number("filtered", kmod_module_get_filtered_blacklist(ctx, NULL, &list));
	show_number("initstate", kmod_module_get_initstate(NULL));
	show_number("size", kmod_module_get_size(NULL));
	show_number("refcnt", kmod_module_get_refcnt(NULL));
	show_number("holders", kmod_module_get_holders(NULL) != NULL);
	show_number("sections", kmod_module_get_sections(NULL) != NULL);
	show_text("section", kmod_module_section_get_name(NULL));
	show_number("address", kmod_module_section_get_address(NULL) == ULONG_MAX);
	kmod_module_section_free_list(NULL);
	show_number("info", kmod_module_get_info(NULL, &list));
	show_number("info", kmod_module_get_info(some, NULL));
	show_text("key", kmod_module_info_get_key(NULL));
	show_text("value", kmod_module_info_get_value(NULL));
	kmod_module_info_free_list(NULL);
	show_number("versions", kmod_module_get_versions(NULL, &list));
	show_number("versions", kmod_module_get_versions(some, NULL));
	show_text("version", kmod_module_version_get_symbol(NULL));
	show_number("crc", (long)kmod_module_version_get_crc(NULL));
	kmod_module_versions_free_list(NULL);
	show_number("symbols", kmod_module_get_symbols(NULL, &list));
	show_number("symbols", kmod_module_get_symbols(some, NULL));
	show_text("symbol", kmod_module_symbol_get_symbol(NULL));
	show_number("crc", (long)kmod_module_symbol_get_crc(NULL));
	kmod_module_symbols_free_list(NULL);
	show_number("needed", kmod_module_get_dependency_symbols(NULL, &list));
	show_number("needed", kmod_module_get_dependency_symbols(some, NULL));
	show_text("needed", kmod_module_dependency_symbol_get_symbol(NULL));
	show_number("bind", kmod_module_dependency_symbol_get_bind(NULL));
	show_number("crc", (long)kmod_module_dependency_symbol_get_crc(NULL));
	kmod_module_dependency_symbols_free_list(NULL);
	kmod_module_unref(some);
}

static void new_context(void)
{
	const char *paths[64];
	int i;

	for (i = 3; i < count; i++)
		paths[i - 3] = words[i];
	paths[count > 3 ? count - 3 : 0] = NULL;
	if (count == 4 && strcmp(words[3], "none") == 0)
		paths[0] = NULL;
	CTX = kmod_new(text(2), count > 3 ? paths : NULL);
	show_number("context", CTX != NULL);
}

static void command(void)
{
	const char *name = words[0];
	struct kmod_list *one = NULL, *other = NULL;

	errno = 0;
#define IS(string) (strcmp(name, string) == 0)
	if (IS("new")) {
		new_context();
	} else if (IS("ref")) {
		show_number("same", kmod_ref(CTX) == CTX);
	} else if (IS("unref")) {
		show_number("stays", kmod_unref(CTX) != NULL);
	} else if (IS("dirname")) {
		show_text("directory", kmod_get_dirname(CTX));
	} else if (IS("load")) {
		show_number("load", kmod_load_resources(CTX));
	} else if (IS("unload")) {
		kmod_unload_resources(CTX);
	} else if (IS("validate")) {
		show_number("validate", kmod_validate_resources(CTX));
	} else if (IS("dump")) {
		fflush(stdout);
		show_number("dump", kmod_dump_index(CTX, (enum kmod_index)bits(2), count > 3 ? atoi(words[3]) : 1));
	} else if (IS("priority")) {
		if (count > 2)
			kmod_set_log_priority(CTX, atoi(words[2]));
		printf("  priority %d\n", kmod_get_log_priority(CTX));
	} else if (IS("log")) {
		if (text(2))
			kmod_set_log_fn(CTX, log_function, strcmp(text(2), "texts") ? "data" : "texts");
		else
			kmod_set_log_fn(CTX, NULL, NULL);
	} else if (IS("userdata")) {
		show_text("before", kmod_get_userdata(CTX));
		kmod_set_userdata(CTX, "mine");
		show_text("after", kmod_get_userdata(CTX));
	} else if (IS("config")) {
		printf(" blacklists\n");
		config(kmod_config_get_blacklists(CTX));
		printf(" install\n");
		config(kmod_config_get_install_commands(CTX));
		printf(" remove\n");
		config(kmod_config_get_remove_commands(CTX));
		printf(" aliases\n");
		config(kmod_config_get_aliases(CTX));
		printf(" options\n");
		config(kmod_config_get_options(CTX));
		printf(" softdeps\n");
		config(kmod_config_get_softdeps(CTX));
		printf(" weakdeps\n");
		config(kmod_config_get_weakdeps(CTX));
	} else if (IS("lookup")) {
		kmod_module_unref_list(lists[place(3)]);
		lists[place(3)] = NULL;
		show_number("lookup", kmod_module_new_from_lookup(CTX, text(2), &lists[place(3)]));
		show_modules("found", lists[place(3)]);
	} else if (IS("lookup-again")) {
		show_number("lookup", kmod_module_new_from_lookup(CTX, text(2), &lists[place(3)]));
	} else if (IS("name-lookup")) {
		modules[place(3)] = NULL;
		show_number("lookup", kmod_module_new_from_name_lookup(CTX, text(2), &modules[place(3)]));
		show_text("found", kmod_module_get_name(modules[place(3)]));
	} else if (IS("name")) {
		show_number("name", kmod_module_new_from_name(CTX, text(2), &modules[place(3)]));
		show_text("module", kmod_module_get_name(modules[place(3)]));
	} else if (IS("path")) {
		modules[place(3)] = NULL;
		show_number("path", kmod_module_new_from_path(CTX, text(2), &modules[place(3)]));
		show_text("module", kmod_module_get_name(modules[place(3)]));
		show_text("at", kmod_module_get_path(modules[place(3)]));
	} else if (IS("loaded")) {
		show_number("loaded", kmod_module_new_from_loaded(CTX, &lists[place(2)]));
		show_modules("modules", lists[place(2)]);
	} else if (IS("get")) {
		struct kmod_list *entry = LIST;
		int i;

		for (i = bits(2); i > 0; i--)
			entry = kmod_list_next(LIST, entry);
		modules[place(3)] = kmod_module_get_module(entry);
		show_text("module", kmod_module_get_name(modules[place(3)]));
	} else if (IS("same")) {
		printf("  %s\n", MOD == modules[place(2)] ? "the same" : "different");
	} else if (IS("module-ref")) {
		show_number("same", kmod_module_ref(MOD) == MOD);
	} else if (IS("module-unref")) {
		show_number("stays", kmod_module_unref(MOD) != NULL);
	} else if (IS("free")) {
		show_number("free", kmod_module_unref_list(LIST));
		LIST = NULL;
	} else if (IS("list")) {
		struct kmod_list *second = kmod_list_next(LIST, LIST);

		show_number("length", length(LIST));
		show_number("last has no next", kmod_list_next(LIST, kmod_list_last(LIST)) == NULL);
		show_number("head has no previous", kmod_list_prev(LIST, LIST) == NULL);
		show_number("from the second on", length(second));
		show_number("last of the second is the head", kmod_list_last(second) == LIST);
		show_number("next of nothing", kmod_list_next(LIST, NULL) != NULL);
	} else if (IS("filter")) {
		show_number("filter", kmod_module_apply_filter(contexts[0], (enum kmod_filter)bits(2), LIST, &one));
		show_modules("kept", one);
		kmod_module_unref_list(one);
		show_number("filter", kmod_module_get_filtered_blacklist(contexts[0], LIST, &other));
		show_modules("kept", other);
		kmod_module_unref_list(other);
	} else if (IS("facts")) {
		show_text("name", kmod_module_get_name(MOD));
		show_text("path", kmod_module_get_path(MOD));
		show_text("options", kmod_module_get_options(MOD));
		show_text("install", kmod_module_get_install_commands(MOD));
		show_text("remove", kmod_module_get_remove_commands(MOD));
	} else if (IS("needs")) {
		one = kmod_module_get_dependencies(MOD);
		show_modules("dependencies", one);
		kmod_module_unref_list(one);
		one = NULL;
		show_number("softdeps", kmod_module_get_softdeps(MOD, &one, &other));
		show_modules("pre", one);
		show_modules("post", other);
		kmod_module_unref_list(one);
		kmod_module_unref_list(other);
		one = NULL;
		show_number("weakdeps", kmod_module_get_weakdeps(MOD, &one));
		show_modules("weak", one);
		kmod_module_unref_list(one);
	} else if (IS("info")) {
		file_facts('i', false);
	} else if (IS("versions")) {
		file_facts('v', false);
	} else if (IS("symbols")) {
		file_facts('s', false);
	} else if (IS("needed")) {
		file_facts('d', false);
	} else if (IS("mixed")) {
		show_number("needed", kmod_module_get_dependency_symbols(MOD, &one));
		show_entries('m', one, false);
		kmod_module_dependency_symbols_free_list(one);
	} else if (IS("occupied")) {
		file_facts(text(2)[0], true);
	} else if (IS("state")) {
		int state = kmod_module_get_initstate(MOD);

		show_number("state", state);
		show_text("state", kmod_module_initstate_str((enum kmod_module_initstate)state));
		show_number("size", kmod_module_get_size(MOD));
		show_number("refcnt", kmod_module_get_refcnt(MOD));
		one = kmod_module_get_holders(MOD);
		show_number("holders", length(one));
		show_modules("holders", one);
		kmod_module_unref_list(one);
		one = kmod_module_get_sections(MOD);
		show_entries('a', one, true);
		kmod_module_section_free_list(one);
	} else if (IS("states")) {
		int state;

		for (state = -3; state < 7; state++)
			show_text("state", kmod_module_initstate_str((enum kmod_module_initstate)state));
	} else if (IS("insert")) {
		show_number("insert", kmod_module_insert_module(MOD, bits(2), text(3)));
	} else if (IS("remove")) {
		show_number("remove", kmod_module_remove_module(MOD, bits(2)));
	} else if (IS("probe")) {
		/* MODULE FLAGS OPTIONS RESULT: what the function for install commands returns, NULL for no function. */
		show_number("probe", kmod_module_probe_insert_module(MOD, bits(2), text(3),
								     text(4) ? run_install : NULL, text(4), print_action));
	} else if (IS("quietly")) {
		show_number("probe", kmod_module_probe_insert_module(MOD, bits(2), NULL, NULL, NULL, NULL));
	} else if (IS("descriptors")) {
		int fd, open = 0;

		for (fd = 0; fd < 1024; fd++)
			open += fcntl(fd, F_GETFD) != -1;
		if (descriptors && descriptors != open)
			printf("  %d opened, not closed\n", open - descriptors);
		descriptors = open;
	} else if (IS("null")) {
		with_null();
	} else if (IS("sh")) {
		fflush(stdout);
		show_number("status", system(text(1)));
	} else {
		printf("  no such command\n");
		exit(2);
	}
}

static int digit(char byte)
{
	return byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10;
}

/* A word with its escapes undone. */
static char *decoded(char *word)
{
	char *from = word, *to = word;

	if (strcmp(word, "-") == 0)
		return NULL;
	while (*from) {
		if (from[0] == '%' && from[1] && from[2]) {
			*to++ = (char)(digit(from[1]) * 16 + digit(from[2]));
			from += 3;
		} else if (from[0] == '%') {
			from++;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
	return word;
}

int main(int argc, char **argv)
{
	char line[1 << 16];
	FILE *script = argc > 1 ? fopen(argv[1], "r") : NULL;

	if (!script)
		return 2;
	while (fgets(line, sizeof(line), script)) {
		char *word;

		line[strcspn(line, "\n")] = '\0';
		printf("%s\n", line);
		count = 0;
		for (word = strtok(line, " "); word && count < 60; word = strtok(NULL, " "))
			words[count++] = decoded(word);
		if (count > 0)
			command();
		fflush(stdout);
	}
	fclose(script);
	return 0;
}
