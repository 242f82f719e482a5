// SPDX-License-Identifier: GPL-2.0
/* Exports the function of function.rs under its long name, with a CRC from this prototype. */
#include <linux/export.h>

int _RNvNtNtNtNtCsmodutils_7verbose7symbols4that7outgrow8versions5twice(int number);
EXPORT_SYMBOL_GPL(_RNvNtNtNtNtCsmodutils_7verbose7symbols4that7outgrow8versions5twice);
