/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares a request that a dialect has built with one that was recorded. It knows no provider:
 * what may differ is said by who calls it.
 */
#ifndef TESTS_UNIT_PROBE_COMPARE_H
#define TESTS_UNIT_PROBE_COMPARE_H

#include <jansson.h>

#include "shared/buf.h"
#include "workers/dialects/dialect.h"

#define DIFFERENCES_MAX 64

/* Where two requests differ: "method", "url", "header accept", "body.max_tokens", "part file
 * bytes". */
struct difference {
	char field[128];
	char text[512]; /* both sides */
};

struct differences {
	struct difference v[DIFFERENCES_MAX];
	size_t n; /* those beyond the maximum are not kept */
};

void differ(struct differences *d, const char *field, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Adds all differences between what was recorded and what was built. */
void compare_requests(const json_t *recorded, const struct request *built, struct differences *d);
/* Whether a text is the recorded one, in which `<varies>` and `<date>` stand for any text. */
bool text_matches(const char *recorded, const char *text);

#endif
