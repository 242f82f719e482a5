/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Included before drive.c, followed by a macro for each function, as in
 * `#define kmod_ref(...) (calls[1]++, kmod_ref(__VA_ARGS__))`. The numbers of calls go into the file $CALLS, a line for each.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include <libkmod.h>

static unsigned long calls[128];

__attribute__((destructor)) static void write_calls(void)
{
	FILE *file = getenv("CALLS") ? fopen(getenv("CALLS"), "w") : NULL;
	size_t i;

	for (i = 0; file && i < sizeof(calls) / sizeof(calls[0]); i++)
		fprintf(file, "%lu\n", calls[i]);
	if (file)
		fclose(file);
}

