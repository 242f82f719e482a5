/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * libkmod.so.2: Linux kernel modules for C programs. libkmod(3) describes the interface.
 *
 * What holds for all functions:
 *
 * - A pointer to an object is NULL, or one that a function of this library returned and whose object is still there.
 *   With NULL, functions that return a pointer return NULL, those that return an int or a long -ENOENT, unless their
 *   comment has another value; the others do nothing.
 * - Errors are negative error numbers, which errno has as well.
 * - Contexts and modules are counted references. A ..._ref() is matched by an ..._unref(), and so is what a function
 *   returns as new. ..._unref() returns its argument while others hold the object, else NULL.
 * - Strings belong to their object: those of modules and contexts stay as long as it, those of list entries as long
 *   as the list.
 * - Where a list is stored through a pointer, the pointer must be NULL before, unless a comment states otherwise.
 * - Different threads may use different contexts at the same time. One context is for one thread at a time.
 */
#ifndef MODUTILS_LIBKMOD_H
#define MODUTILS_LIBKMOD_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The modules of one kernel, with the configuration. */
struct kmod_ctx;
/* An entry of a list. A list is known by its first entry; NULL is the empty list. */
struct kmod_list;
/* A walk over lines of the configuration. */
struct kmod_config_iter;
/* A module: a name, and perhaps the alias that it was found by. */
struct kmod_module;

/*
 * Contexts
 */

/*
 * Reads the configuration for the modules in a directory: /lib/modules/RELEASE of the running kernel for NULL; a
 * relative one is below the current directory. The configuration is in the system's directories for NULL, else in the
 * files and directories of an array that NULL ends; the directory's modules.softdep and modules.weakdep, and the kernel
 * command line, always count. NULL if the release or the current directory is unavailable.
 */
struct kmod_ctx *kmod_new(const char *dirname, const char *const *config_paths);
struct kmod_ctx *kmod_ref(struct kmod_ctx *ctx);
struct kmod_ctx *kmod_unref(struct kmod_ctx *ctx);

/* The module directory. */
const char *kmod_get_dirname(const struct kmod_ctx *ctx);

/* A pointer of the caller's that the context keeps. */
void *kmod_get_userdata(const struct kmod_ctx *ctx);
void kmod_set_userdata(struct kmod_ctx *ctx, const void *userdata);

/*
 * Messages go to standard error unless a function is set for them; with a NULL function they are dropped. Those of
 * priorities up to the set one (syslog(3), LOG_ERR at first, or what the environment variable KMOD_LOG has) are logged.
 * kmod_get_log_priority(NULL) is -1.
 */
void kmod_set_log_fn(struct kmod_ctx *ctx,
		     void (*log_fn)(void *log_data, int priority, const char *file, int line, const char *fn,
				    const char *format, va_list args),
		     const void *data);
int kmod_get_log_priority(const struct kmod_ctx *ctx);
void kmod_set_log_priority(struct kmod_ctx *ctx, int priority);

/*
 * Reads all indexes into memory, where questions are answered from until they are unloaded, whatever becomes of the
 * files; no file stays open. Without, each question reads the files as they are then.
 */
int kmod_load_resources(struct kmod_ctx *ctx);
void kmod_unload_resources(struct kmod_ctx *ctx);

enum kmod_resources {
	/* Nothing has changed. */
	KMOD_RESOURCES_OK = 0,
	/* Loaded indexes have: unload and load them. */
	KMOD_RESOURCES_MUST_RELOAD = 1,
	/* The configuration has: make a new context. */
	KMOD_RESOURCES_MUST_RECREATE = 2,
};

/* Whether what was read has changed on the disk. KMOD_RESOURCES_MUST_RECREATE for NULL. */
int kmod_validate_resources(struct kmod_ctx *ctx);

enum kmod_index {
	KMOD_INDEX_MODULES_DEP = 0,
	KMOD_INDEX_MODULES_ALIAS,
	KMOD_INDEX_MODULES_SYMBOL,
	KMOD_INDEX_MODULES_BUILTIN_ALIAS,
	KMOD_INDEX_MODULES_BUILTIN,
	/* Keeps the width of the type. */
	_KMOD_INDEX_PAD = 1U << 31,
};

/* Writes an index as lines to a descriptor. -ENOSYS for NULL and an index that is missing. */
int kmod_dump_index(struct kmod_ctx *ctx, enum kmod_index type, int fd);

/*
 * Lists
 */

/* The last entry; the one after or before another one, NULL at the end of the list. */
struct kmod_list *kmod_list_last(const struct kmod_list *list);
struct kmod_list *kmod_list_next(const struct kmod_list *list, const struct kmod_list *curr);
struct kmod_list *kmod_list_prev(const struct kmod_list *list, const struct kmod_list *curr);

/* Visits the entries of a list, the second time from its end. */
#define kmod_list_foreach(list_entry, first_entry)                       \
	for (list_entry = first_entry; list_entry != NULL; \
	     list_entry = kmod_list_next(first_entry, list_entry))
#define kmod_list_foreach_reverse(list_entry, first_entry)                                  \
	for (list_entry = kmod_list_last(first_entry); list_entry != NULL; \
	     list_entry = kmod_list_prev(first_entry, list_entry))

/*
 * Configuration
 */

/* Walks over the lines of a directive. A walk begins before the first line. */
struct kmod_config_iter *kmod_config_get_blacklists(const struct kmod_ctx *ctx);
struct kmod_config_iter *kmod_config_get_install_commands(const struct kmod_ctx *ctx);
struct kmod_config_iter *kmod_config_get_remove_commands(const struct kmod_ctx *ctx);
struct kmod_config_iter *kmod_config_get_aliases(const struct kmod_ctx *ctx);
struct kmod_config_iter *kmod_config_get_options(const struct kmod_ctx *ctx);
struct kmod_config_iter *kmod_config_get_softdeps(const struct kmod_ctx *ctx);
struct kmod_config_iter *kmod_config_get_weakdeps(const struct kmod_ctx *ctx);

/* Goes to the next line; false at the end, after which the walk begins again. */
bool kmod_config_iter_next(struct kmod_config_iter *iter);
/* What the line is about, and what it has of that: NULL for a blacklist. */
const char *kmod_config_iter_get_key(const struct kmod_config_iter *iter);
const char *kmod_config_iter_get_value(const struct kmod_config_iter *iter);
void kmod_config_iter_free_iter(struct kmod_config_iter *iter);

/*
 * Finding modules
 */

/*
 * The modules that a name, alias or modalias means, in the order in which to try them, as modprobe(8) searches them.
 * Nothing found is no error: 0, and an empty list.
 */
int kmod_module_new_from_lookup(struct kmod_ctx *ctx, const char *given_alias, struct kmod_list **list);
/* The module of that very name, in a file or built in. Nothing found is no error, and *mod stays as it was. */
int kmod_module_new_from_name_lookup(struct kmod_ctx *ctx, const char *modname, struct kmod_module **mod);
/* The module of a name, which need not exist. */
int kmod_module_new_from_name(struct kmod_ctx *ctx, const char *name, struct kmod_module **mod);
/* The module in a file. -EEXIST if the context knows one of its name in another file. */
int kmod_module_new_from_path(struct kmod_ctx *ctx, const char *path, struct kmod_module **mod);
/* The loaded modules, newest first. *list need not be NULL before. */
int kmod_module_new_from_loaded(struct kmod_ctx *ctx, struct kmod_list **list);

struct kmod_module *kmod_module_ref(struct kmod_module *mod);
struct kmod_module *kmod_module_unref(struct kmod_module *mod);
/* Frees a list of modules with the references that it holds. 0 for NULL. */
int kmod_module_unref_list(struct kmod_list *list);
/* The module of a list's entry, as a new reference. */
struct kmod_module *kmod_module_get_module(const struct kmod_list *entry);

enum kmod_filter {
	/* Drops modules whose names are on a blacklist. */
	KMOD_FILTER_BLACKLIST = 0x00001,
	/* Drops modules that are part of the kernel. */
	KMOD_FILTER_BUILTIN = 0x00002,
};

/* A new list of what the filter keeps; *output need not be NULL before. The second one is deprecated. */
int kmod_module_apply_filter(const struct kmod_ctx *ctx, enum kmod_filter filter_type,
			     const struct kmod_list *input, struct kmod_list **output);
int kmod_module_get_filtered_blacklist(const struct kmod_ctx *ctx, const struct kmod_list *input,
				       struct kmod_list **output)
#if defined(__GNUC__)
	__attribute__((deprecated))
#endif
	;

/*
 * What is known of a module
 */

const char *kmod_module_get_name(const struct kmod_module *mod);
/* NULL for a module without a known file, as one that is part of the kernel. */
const char *kmod_module_get_path(const struct kmod_module *mod);
/* What is configured for the module, and for the alias that it was found by; NULL for nothing. */
const char *kmod_module_get_options(const struct kmod_module *mod);
/* The command to run instead of loading or removing it: the first line that matches. */
const char *kmod_module_get_install_commands(const struct kmod_module *mod);
const char *kmod_module_get_remove_commands(const struct kmod_module *mod);
/* All modules that it needs, in the order of loading, as a new list. */
struct kmod_list *kmod_module_get_dependencies(const struct kmod_module *mod);
/* The modules of all its softdep lines, to be loaded before and after it; and those of its weakdep lines. */
int kmod_module_get_softdeps(const struct kmod_module *mod, struct kmod_list **pre, struct kmod_list **post);
int kmod_module_get_weakdeps(const struct kmod_module *mod, struct kmod_list **weak);

/*
 * What is in a module's file. These return how many entries the new list has: -ENOENT if no file is known, -ENODATA if it
 * has none, the error of reading it.
 */

/* The entries of .modinfo, or of modules.builtin.modinfo, and those of the signature. */
int kmod_module_get_info(const struct kmod_module *mod, struct kmod_list **list);
const char *kmod_module_info_get_key(const struct kmod_list *entry);
const char *kmod_module_info_get_value(const struct kmod_list *entry);
void kmod_module_info_free_list(struct kmod_list *list);

/* The symbols that it was built against, with their CRCs. */
int kmod_module_get_versions(const struct kmod_module *mod, struct kmod_list **list);
const char *kmod_module_version_get_symbol(const struct kmod_list *entry);
uint64_t kmod_module_version_get_crc(const struct kmod_list *entry);
void kmod_module_versions_free_list(struct kmod_list *list);

/* The symbols that it offers. */
int kmod_module_get_symbols(const struct kmod_module *mod, struct kmod_list **list);
const char *kmod_module_symbol_get_symbol(const struct kmod_list *entry);
uint64_t kmod_module_symbol_get_crc(const struct kmod_list *entry);
void kmod_module_symbols_free_list(struct kmod_list *list);

enum kmod_symbol_bind {
	KMOD_SYMBOL_NONE = '\0',
	KMOD_SYMBOL_LOCAL = 'L',
	KMOD_SYMBOL_GLOBAL = 'G',
	KMOD_SYMBOL_WEAK = 'W',
	KMOD_SYMBOL_UNDEF = 'U',
};

/* The symbols that it needs: KMOD_SYMBOL_WEAK if it loads without one, else KMOD_SYMBOL_UNDEF. */
int kmod_module_get_dependency_symbols(const struct kmod_module *mod, struct kmod_list **list);
const char *kmod_module_dependency_symbol_get_symbol(const struct kmod_list *entry);
int kmod_module_dependency_symbol_get_bind(const struct kmod_list *entry);
uint64_t kmod_module_dependency_symbol_get_crc(const struct kmod_list *entry);
void kmod_module_dependency_symbols_free_list(struct kmod_list *list);

/*
 * What the running kernel has of a module, asked each time
 */

enum kmod_module_initstate {
	KMOD_MODULE_BUILTIN = 0,
	KMOD_MODULE_LIVE,
	KMOD_MODULE_COMING,
	KMOD_MODULE_GOING,
	/* Keeps the width of the type. */
	_KMOD_MODULE_PAD = 1U << 31,
};

/* -ENOENT if the kernel does not have it. */
int kmod_module_get_initstate(const struct kmod_module *mod);
/* NULL for what is no state. */
const char *kmod_module_initstate_str(enum kmod_module_initstate state);
/* The bytes that it takes in memory; how many use it. */
long kmod_module_get_size(const struct kmod_module *mod);
int kmod_module_get_refcnt(const struct kmod_module *mod);
/* The modules that use it, as a new list. */
struct kmod_list *kmod_module_get_holders(const struct kmod_module *mod);

/* Where its sections are; the address is 0 where the kernel does not show it, ULONG_MAX for NULL. */
struct kmod_list *kmod_module_get_sections(const struct kmod_module *mod);
const char *kmod_module_section_get_name(const struct kmod_list *entry);
unsigned long kmod_module_section_get_address(const struct kmod_list *entry);
void kmod_module_section_free_list(struct kmod_list *list);

/*
 * Loading and removing
 */

enum kmod_remove {
	/* Also if it is in use, where the kernel allows that. */
	KMOD_REMOVE_FORCE = O_TRUNC,
	/* Always so. */
	KMOD_REMOVE_NOWAIT = O_NONBLOCK,
	/* Without a message if it fails. */
	KMOD_REMOVE_NOLOG = 1,
};

enum kmod_insert {
	/* Without the check of the kernel's version, and of the symbols' versions. */
	KMOD_INSERT_FORCE_VERMAGIC = 0x1,
	KMOD_INSERT_FORCE_MODVERSION = 0x2,
};

enum kmod_probe {
	KMOD_PROBE_FORCE_VERMAGIC = 0x00001,
	KMOD_PROBE_FORCE_MODVERSION = 0x00002,
	/* Without the module's own install command and soft dependencies. */
	KMOD_PROBE_IGNORE_COMMAND = 0x00004,
	/* Whatever is loaded already. */
	KMOD_PROBE_IGNORE_LOADED = 0x00008,
	/* Nothing is done; print_action is called. */
	KMOD_PROBE_DRY_RUN = 0x00010,
	/* -EEXIST if it is loaded already. */
	KMOD_PROBE_FAIL_ON_LOADED = 0x00020,

	/* Stop at a blacklist: any module on one; the module itself; the module itself if it was found by an alias. The
	 * flag is returned when the module itself is on one. */
	KMOD_PROBE_APPLY_BLACKLIST_ALL = 0x10000,
	KMOD_PROBE_APPLY_BLACKLIST = 0x20000,
	KMOD_PROBE_APPLY_BLACKLIST_ALIAS_ONLY = 0x40000,
};

/* Gives the module alone to the kernel, with these parameters or NULL. */
int kmod_module_insert_module(struct kmod_module *mod, unsigned int flags, const char *options);

/*
 * Loads the module with all it needs, as modprobe(8) does. The options come after the configured ones. print_action is
 * called before each step. run_install runs install commands, with data; a negative result is a failure, one of the
 * module itself is returned. Without it, the shell runs them. Both functions may be NULL.
 */
int kmod_module_probe_insert_module(struct kmod_module *mod, unsigned int flags, const char *extra_options,
				    int (*run_install)(struct kmod_module *m, const char *cmdline, void *data),
				    const void *data,
				    void (*print_action)(struct kmod_module *m, bool install, const char *options));

/* Has the kernel drop the module. */
int kmod_module_remove_module(struct kmod_module *mod, unsigned int flags);

#ifdef __cplusplus
}
#endif

#endif
