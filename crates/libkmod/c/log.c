/* Calls a log function of libkmod.h, whose last argument is a va_list: only C can make one. */
#include <stdarg.h>

typedef void (*log_function)(void *data, int priority, const char *file, int line, const char *function,
                             const char *format, va_list arguments);

static void call(log_function log, void *data, int priority, const char *file, int line, const char *function,
                 const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log(data, priority, file, line, function, format, arguments);
	va_end(arguments);
}

/* The text is an argument and never the format: it holds names from files. */
void modutils_call_log_function(log_function log, void *data, int priority, const char *file, int line,
                                const char *function, const char *text);

void modutils_call_log_function(log_function log, void *data, int priority, const char *file, int line,
                                const char *function, const char *text)
{
	call(log, data, priority, file, line, function, "%s\n", text);
}
