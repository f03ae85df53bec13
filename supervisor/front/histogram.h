/* SPDX-License-Identifier: Apache-2.0 */
/* Durations counted in fixed buckets, as Prometheus has them. All zero is an empty one. */
#ifndef SUPERVISOR_FRONT_HISTOGRAM_H
#define SUPERVISOR_FRONT_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/* Upper bounds: microseconds, and seconds as text. */
#define HISTOGRAM_BOUNDS(X) \
	X(1000, "0.001") \
	X(2500, "0.0025") \
	X(5000, "0.005") \
	X(10000, "0.01") \
	X(25000, "0.025") \
	X(50000, "0.05") \
	X(100000, "0.1") \
	X(250000, "0.25") \
	X(500000, "0.5") \
	X(1000000, "1.0") \
	X(2500000, "2.5") \
	X(5000000, "5.0") \
	X(10000000, "10.0") \
	X(30000000, "30.0") \
	X(60000000, "60.0") \
	X(120000000, "120.0")

#define HISTOGRAM_COUNT(us, text) +1
#define HISTOGRAM_US(us, text) us,
/* With the last one, which has no bound. */
#define HISTOGRAM_BUCKETS (1 HISTOGRAM_BOUNDS(HISTOGRAM_COUNT))

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS]; /* each bucket's own, not cumulative */
	uint64_t sum_us;
};

/* Counts one; says in which bucket. */
static inline size_t
histogram_add(struct histogram *h, uint64_t us)
{
	static const uint64_t bounds[] = { HISTOGRAM_BOUNDS(HISTOGRAM_US) };
	size_t i = 0;

	while (i < HISTOGRAM_BUCKETS - 1 && us > bounds[i])
		i++;
	h->counts[i]++;
	h->sum_us += us;
	return i;
}

#endif
