/* SPDX-License-Identifier: Apache-2.0 */
/* What a server's connections have come to, for /metrics and /health/services. All zero in the beginning. */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_COUNTS_H
#define SUPERVISOR_FRONT_STORE_REDIS_COUNTS_H

#include "shared/clock.h"
#include "supervisor/front/histogram.h"
#include "supervisor/front/store/redis_reply.h"

/* An error kind of its own: the connection could not be made, or was lost. */
#define REDIS_COUNTS_CONNECTION (REDIS_ERROR_OTHER + 1)
#define REDIS_COUNTS_ERRORS (REDIS_COUNTS_CONNECTION + 1)

struct redis_counts {
	uint64_t commands; /* answered */
	uint64_t connects; /* connections that were ready */
	uint64_t errors[REDIS_COUNTS_ERRORS];
	struct histogram latency;
	struct histogram lag; /* from a check elsewhere to its verdict here */
	uint32_t latency_us;  /* of the last answer; 0: none */
};

/* Counts what an answer, sent for at `sent_us`, was. */
static inline void
redis_counts_answer(struct redis_counts *n, int64_t sent_us, enum redis_error e)
{
	int64_t us = clock_mono_us() - sent_us;

	n->commands++;
	n->errors[e] += e != REDIS_ERROR_NONE;
	n->latency_us = us > 0 && us < UINT32_MAX ? (uint32_t)us : 1;
	histogram_add(&n->latency, n->latency_us);
}

#endif
