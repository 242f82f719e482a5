// SPDX-License-Identifier: GPL-2.0
/*
 * Exports square(), which function.rs defines. The CRC in the version tables comes from this prototype, so a build
 * with SQUARE_OF_LONG exports the same name with another CRC.
 */
#include <linux/export.h>

#ifdef SQUARE_OF_LONG
long square(long number);
#else
int square(int number);
#endif
EXPORT_SYMBOL_GPL(square);
