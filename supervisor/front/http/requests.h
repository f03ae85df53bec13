/* SPDX-License-Identifier: Apache-2.0 */
/* Answers counted by route and status, and logged. */
#ifndef SUPERVISOR_FRONT_HTTP_REQUESTS_H
#define SUPERVISOR_FRONT_HTTP_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

#include "shared/str.h"

/* Bounded by the table of routes and that of statuses; what comes after is counted in the last. */
#define REQUESTS_KINDS_MAX 512
/* With its name an OpenMetrics exemplar has at most 128 characters. */
#define REQUESTS_EXEMPLAR_MAX 116

struct requests_kind {
	const char *route; /* static text; NULL: no route */
	int status;
	uint64_t count;
	/* The last one that had an id. */
	int64_t at_ms;
	char id[REQUESTS_EXEMPLAR_MAX + 1];
};

/* All zero is a good start. */
struct requests {
	struct requests_kind *kinds;
	size_t n, cap;
	uint64_t next_id; /* 0: none was made yet */
};

#define REQUESTS_ID_SIZE 17

/* An id that no other request has, of any process: 16 hexadecimal digits and the NUL. */
void requests_new_id(struct requests *r, char id[REQUESTS_ID_SIZE]);

void requests_count(struct requests *r, const char *route, int status, struct str id);
/* One answer's line at level debug; started_us is monotonic. */
void requests_log(
    const char *request, int status, size_t bytes, int64_t started_us, struct str id);
void requests_clear(struct requests *r);

#endif
