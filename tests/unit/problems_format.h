/* SPDX-License-Identifier: Apache-2.0 */
/* All that was found wrong in a config, as one text. */
#ifndef TESTS_UNIT_PROBLEMS_FORMAT_H
#define TESTS_UNIT_PROBLEMS_FORMAT_H

#include "shared/buf.h"
#include "supervisor/config/problem.h"

/* A line each, and how many were not kept. */
static inline void
problems_format(struct problems *p, struct buf *b)
{
	for (size_t i = 0; i < problems_count(p); i++) {
		problem_format(problems_at(p, i), b);
		buf_add_char(b, '\n');
	}
	if (problems_dropped(p) > 0)
		buf_addf(b, "and %zu more\n", problems_dropped(p));
}

#endif
