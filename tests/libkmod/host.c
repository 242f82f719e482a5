/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Uses the library as long-lived programs do, which open it with dlopen: `host LIBRARY DIRECTORY WAY`. It prints nothing
 * on standard output, so that everything there is the library's. What went wrong is on standard error, and it ends with 1.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libkmod.h>

static const char *library, *directory;

#define fail(...) \
	do { \
		fprintf(stderr, __VA_ARGS__); \
		fputc('\n', stderr); \
		_exit(1); \
	} while (0)

#define FUNCTIONS(X) \
	X(kmod_new) X(kmod_unref) X(kmod_load_resources) X(kmod_unload_resources) X(kmod_validate_resources) \
	X(kmod_set_log_fn) X(kmod_dump_index) X(kmod_list_next) X(kmod_module_new_from_lookup) \
	X(kmod_module_new_from_name) X(kmod_module_get_module) X(kmod_module_get_name) X(kmod_module_unref) \
	X(kmod_module_unref_list) X(kmod_module_get_info) X(kmod_module_info_free_list) \
	X(kmod_module_get_symbols) X(kmod_module_symbols_free_list) X(kmod_module_get_dependencies) \
	X(kmod_module_get_initstate) X(kmod_module_insert_module) X(kmod_module_new_from_loaded)

struct kmod {
	void *handle;
#define X(name) __typeof__(name) *name;
	FUNCTIONS(X)
#undef X
};

static void opened(struct kmod *kmod)
{
	kmod->handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	if (!kmod->handle)
		fail("dlopen: %s", dlerror());
#define X(name) \
	kmod->name = (__typeof__(name) *)dlsym(kmod->handle, #name); \
	if (!kmod->name) \
		fail("no %s", #name);
	FUNCTIONS(X)
#undef X
}

static const char *const no_configuration[] = { NULL };

static struct kmod_ctx *context(struct kmod *kmod)
{
	struct kmod_ctx *ctx = kmod->kmod_new(directory, no_configuration);

	if (!ctx)
		fail("kmod_new: %m");
	return ctx;
}

/* How many modules a query finds, or an error. */
static int found(struct kmod *kmod, struct kmod_ctx *ctx, const char *query)
{
	struct kmod_list *list = NULL, *entry;
	int status = kmod->kmod_module_new_from_lookup(ctx, query, &list), count = 0;

	if (status < 0)
		return status;
	for (entry = list; entry; entry = kmod->kmod_list_next(list, entry)) {
		struct kmod_module *module = kmod->kmod_module_get_module(entry);

		if (!kmod->kmod_module_get_name(module))
			fail("a module has no name");
		kmod->kmod_module_unref(module);
		count++;
	}
	kmod->kmod_module_unref_list(list);
	return count;
}

static void expect(struct kmod *kmod, struct kmod_ctx *ctx, const char *query, int wanted)
{
	int count = found(kmod, ctx, query);

	if (count != wanted)
		fail("%s: found %d instead of %d", query, count, wanted);
}

static void facts(struct kmod *kmod, struct kmod_ctx *ctx)
{
	struct kmod_module *module = NULL;
	struct kmod_list *list = NULL;

	/* Compressed files take the decoders. */
	if (kmod->kmod_module_new_from_name(ctx, "packed", &module) < 0)
		fail("new_from_name");
	if (kmod->kmod_module_get_info(module, &list) < 2)
		fail("info of packed");
	kmod->kmod_module_info_free_list(list);
	kmod->kmod_module_unref(module);
	module = NULL;
	list = NULL;
	if (kmod->kmod_module_new_from_name(ctx, "pressed", &module) < 0)
		fail("new_from_name");
	if (kmod->kmod_module_get_symbols(module, &list) != 1)
		fail("symbols of pressed");
	kmod->kmod_module_symbols_free_list(list);
	kmod->kmod_module_unref(module);
	module = NULL;
	if (kmod->kmod_module_new_from_name(ctx, "top_most", &module) < 0)
		fail("new_from_name");
	list = kmod->kmod_module_get_dependencies(module);
	if (!list)
		fail("top_most has no dependencies");
	kmod->kmod_module_unref_list(list);
	kmod->kmod_module_unref(module);
}

/* Some of everything with one context. */
static void use(struct kmod *kmod, struct kmod_ctx *ctx)
{
	expect(kmod, ctx, "base", 1);
	expect(kmod, ctx, "twin", 2);
	expect(kmod, ctx, "pci:v00001AF4d00001000sv00", 2);
	expect(kmod, ctx, "symbol:base_sym", 1);
	expect(kmod, ctx, "inside-alias", 1);
	expect(kmod, ctx, "nothing", 0);
	facts(kmod, ctx);
}

static void whole(struct kmod *kmod)
{
	struct kmod_ctx *ctx = context(kmod);

	use(kmod, ctx);
	if (kmod->kmod_load_resources(ctx) < 0)
		fail("load_resources");
	use(kmod, ctx);
	kmod->kmod_validate_resources(ctx);
	kmod->kmod_unload_resources(ctx);
	if (kmod->kmod_unref(ctx))
		fail("the context stays");
}

static int entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	if (!dir)
		fail("%s: %m", path);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void *rounds(void *shared)
{
	int i;

	for (i = 0; i < 20; i++)
		whole(shared);
	return NULL;
}

/* Contexts in different threads at once. */
static void threads(void)
{
	pthread_t some[8];
	struct kmod kmod;
	int i;

	opened(&kmod);
	for (i = 0; i < 8; i++)
		if (pthread_create(&some[i], NULL, rounds, &kmod))
			fail("pthread_create");
	for (i = 0; i < 8; i++)
		pthread_join(some[i], NULL);
}

static void joined(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child)
		fail("fork: %m");
	if (status)
		fail("the child ended with %#x", status);
}

static atomic_int over;

static void *until_over(void *shared)
{
	while (!over)
		whole(shared);
	return NULL;
}

/* A child uses and releases what it inherited, as workers of udev do; while other threads of its parent are in the library. */
static void forks(void)
{
	struct kmod kmod;
	struct kmod_ctx *ctx;
	pthread_t other[2];
	int i;

	opened(&kmod);
	ctx = context(&kmod);
	if (kmod.kmod_load_resources(ctx) < 0)
		fail("load_resources");
	expect(&kmod, ctx, "twin", 2);
	for (i = 0; i < 2; i++)
		pthread_create(&other[i], NULL, until_over, &kmod);
	for (i = 0; i < 60; i++) {
		pid_t child = fork();

		if (child == 0) {
			alarm(20);
			use(&kmod, ctx);
			whole(&kmod);
			if (kmod.kmod_unref(ctx))
				fail("the context stays in the child");
			_exit(0);
		}
		joined(child);
	}
	over = 1;
	for (i = 0; i < 2; i++)
		pthread_join(other[i], NULL);
	use(&kmod, ctx);
	kmod.kmod_unref(ctx);
}

static long resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long size, pages = 0;

	if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2)
		fail("statm");
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	int byte, count = 0;

	while ((byte = fgetc(file)) != EOF)
		count += byte == '\n';
	fclose(file);
	return count;
}

static void *once(void *ignored)
{
	struct kmod kmod;

	(void)ignored;
	opened(&kmod);
	whole(&kmod);
	if (dlclose(kmod.handle))
		fail("dlclose: %s", dlerror());
	return NULL;
}

/* Opened and closed again and again, in this thread and in ones that end: more often than there are keys for a thread's data. */
static void reopened(void)
{
	long before = 0, after;
	int i, maps = 0;

	for (i = 0; i < 1300; i++) {
		pthread_t thread;

		if (i % 2) {
			once(NULL);
		} else {
			if (pthread_create(&thread, NULL, once, NULL))
				fail("pthread_create");
			pthread_join(thread, NULL);
		}
		if (i == 300) {
			before = resident();
			maps = mappings();
		}
	}
	after = resident();
	if (after > before + 1024)
		fail("%ld KiB resident, then %ld", before, after);
	if (mappings() > maps + 4)
		fail("%d mappings, then %d", maps, mappings());
}

/* What a process has, and no library may change. */
static void untouched(void)
{
	struct sigaction before[65], now;
	sigset_t mask_before, mask_now;
	extern char **environ;
	struct kmod kmod;
	struct kmod_ctx *ctx;
	struct kmod_module *module = NULL;
	struct kmod_list *list = NULL;
	mode_t mode;
	int i, null;
	char **variables = environ;

	for (i = 1; i < 65; i++)
		sigaction(i, NULL, &before[i]);
	sigprocmask(SIG_SETMASK, NULL, &mask_before);
	umask(027);
	opened(&kmod);
	whole(&kmod);
	ctx = context(&kmod);
	/* Failures that are logged, to standard error, and a dump into a pipe that nobody reads. */
	kmod.kmod_module_new_from_name(ctx, "absent", &module);
	if (kmod.kmod_module_insert_module(module, 0, NULL) != -ENOENT)
		fail("an absent module was inserted");
	kmod.kmod_module_get_initstate(module);
	kmod.kmod_module_unref(module);
	kmod.kmod_module_new_from_loaded(ctx, &list);
	kmod.kmod_module_unref_list(list);
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	kmod.kmod_dump_index(ctx, KMOD_INDEX_MODULES_ALIAS, null);
	close(null);
	kmod.kmod_set_log_fn(ctx, NULL, NULL);
	kmod.kmod_unref(ctx);
	dlclose(kmod.handle);
	for (i = 1; i < 65; i++) {
		sigaction(i, NULL, &now);
		if (now.sa_handler != before[i].sa_handler || now.sa_flags != before[i].sa_flags)
			fail("the handler of signal %d is another", i);
	}
	sigprocmask(SIG_SETMASK, NULL, &mask_now);
	if (memcmp(&mask_before, &mask_now, sizeof(mask_now)))
		fail("the signal mask is another");
	mode = umask(0);
	if (mode != 027)
		fail("the umask is %o", mode);
	if (environ != variables)
		fail("the environment is another");
}

static const char *const indexes[] = { "dep", "alias", "symbols", "builtin", "builtin.alias" };

static void path_of(char *path, size_t size, int index)
{
	snprintf(path, size, "%s/modules.%s.bin", directory, indexes[index]);
}

struct content {
	char bytes[1 << 16];
	ssize_t length;
};

static void *cutter(void *shared)
{
	struct content *contents = shared;
	char path[4096];
	int i;

	/* In place, as no depmod does: a copying program is in the middle, or the disk full. */
	while (!over)
		for (i = 0; i < 5; i++) {
			int fd;

			path_of(path, sizeof(path), i);
			fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
			if (fd < 0 || write(fd, contents[i].bytes, (size_t)contents[i].length / 2) < 0 ||
			    write(fd, contents[i].bytes + contents[i].length / 2,
				  (size_t)(contents[i].length - contents[i].length / 2)) < 0)
				fail("%s: %m", path);
			close(fd);
		}
	return NULL;
}

static void silent(void *data, int priority, const char *file, int line, const char *function, const char *format,
		   va_list arguments)
{
	(void)data, (void)priority, (void)file, (void)line, (void)function, (void)format, (void)arguments;
}

/* Indexes that are cut and written again all the time: a lookup may fail then, and the process lives. */
static void cut(void)
{
	static struct content contents[5];
	struct kmod kmod;
	struct kmod_ctx *kept, *asking;
	pthread_t thread;
	char path[4096];
	int i;

	opened(&kmod);
	for (i = 0; i < 5; i++) {
		int fd;

		path_of(path, sizeof(path), i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		contents[i].length = fd < 0 ? -1 : read(fd, contents[i].bytes, sizeof(contents[i].bytes));
		if (contents[i].length < 16)
			fail("%s: %m", path);
		close(fd);
	}
	kept = context(&kmod);
	asking = context(&kmod);
	kmod.kmod_set_log_fn(asking, silent, NULL);
	if (kmod.kmod_load_resources(kept) < 0)
		fail("load_resources");
	for (i = 0; i < 5; i++) {
		path_of(path, sizeof(path), i);
		if (truncate(path, 0))
			fail("%s: %m", path);
	}
	expect(&kmod, kept, "twin", 2);
	pthread_create(&thread, NULL, cutter, contents);
	for (i = 0; i < 3000; i++) {
		int count = found(&kmod, asking, "twin");

		if (count > 2)
			fail("found %d", count);
		expect(&kmod, kept, "twin", 2);
		expect(&kmod, kept, "inside-alias", 1);
		kmod.kmod_validate_resources(asking);
		if (kmod.kmod_load_resources(asking) == 0)
			kmod.kmod_unload_resources(asking);
	}
	over = 1;
	pthread_join(thread, NULL);
	expect(&kmod, asking, "twin", 2);
	kmod.kmod_unref(kept);
	kmod.kmod_unref(asking);
}

int main(int argc, char **argv)
{
	int descriptors;

	if (argc != 4)
		fail("host LIBRARY DIRECTORY WAY");
	library = argv[1];
	directory = argv[2];
	descriptors = entries("/proc/self/fd");
	if (strcmp(argv[3], "threads") == 0)
		threads();
	else if (strcmp(argv[3], "forks") == 0)
		forks();
	else if (strcmp(argv[3], "reopened") == 0)
		reopened();
	else if (strcmp(argv[3], "untouched") == 0)
		untouched();
	else if (strcmp(argv[3], "cut") == 0)
		cut();
	else
		fail("no such way");
	if (entries("/proc/self/task") != 3)
		fail("%d threads", entries("/proc/self/task") - 2);
	if (strcmp(argv[3], "reopened") == 0 && entries("/proc/self/fd") != descriptors)
		fail("%d descriptors, then %d", descriptors - 3, entries("/proc/self/fd") - 3);
	return 0;
}
