/* SPDX-License-Identifier: Apache-2.0 */
/* A number on a bench's command line. */
#ifndef TESTS_BENCH_NUMBER_H
#define TESTS_BENCH_NUMBER_H

#include <stdlib.h>

#include "shared/log.h"

#define NUMBER_MAX 1000000000L

/* Ends the bench when the text is no number from `least` to NUMBER_MAX. */
static inline long
read_number(const char *text, long least)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end != '\0' || n < least || n > NUMBER_MAX)
		fatal("\"%s\" is no number from %ld to %ld", text, least, NUMBER_MAX);
	return n;
}

#endif
