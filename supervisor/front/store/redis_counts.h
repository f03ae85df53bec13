/* SPDX-License-Identifier: Apache-2.0 */
/* What the connections to our keys' servers have come to, for /metrics and /health/services. All zero in the beginning. */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_COUNTS_H
#define SUPERVISOR_FRONT_STORE_REDIS_COUNTS_H

#include "shared/clock.h"
#include "supervisor/front/histogram.h"

struct redis_counts {
	uint64_t sent, answered, lost; /* commands; lost: with their connection */
	uint64_t connects;	       /* connections that were ready */
	struct histogram latency;
	struct histogram lag; /* from a check elsewhere to its verdict here */
	uint32_t latency_us;  /* of the last answer; 0: none */
};

/* An answer has come to what was sent at `sent_us`. */
static inline void
redis_counts_answer(struct redis_counts *n, int64_t sent_us)
{
	int64_t us = clock_mono_us() - sent_us;

	n->answered++;
	n->latency_us = us > 0 && us < UINT32_MAX ? (uint32_t)us : 1;
	histogram_add(&n->latency, n->latency_us);
}

#endif
