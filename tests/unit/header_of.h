/* SPDX-License-Identifier: Apache-2.0 */
/* The headers of a request that a dialect has built. */
#ifndef TESTS_UNIT_HEADER_OF_H
#define TESTS_UNIT_HEADER_OF_H

#include <strings.h>

#include "workers/dialects/dialect.h"

/* The value, which may be empty, or NULL when there is none. */
static inline const char *
header_of(const struct request *r, const char *name)
{
	const char *line = r->headers.data;
	size_t n = strlen(name);

	for (size_t i = 0; i < r->n_headers; i++, line += strlen(line) + 1)
		if (strncasecmp(line, name, n) == 0 && line[n] == ':')
			return line + n + 2;
	return NULL;
}

#endif
