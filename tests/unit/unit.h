/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes: cmocka with the headers that it wants, and where fixtures are. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The path of a file of the source tree, in static storage until the next call. */
static inline const char *
unit_source_path(const char *relative)
{
	static char path[4096];
	const char *top = getenv("SRCDIR");

	snprintf(path, sizeof(path), "%s/%s", top ? top : TEST_SRCDIR, relative);
	return path;
}

#endif
