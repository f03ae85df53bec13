/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long one piece of work keeps the loop, and with it everybody else: the longest of the last one to two minutes.
 */
#ifndef SUPERVISOR_FRONT_HTTP_TURNS_H
#define SUPERVISOR_FRONT_HTTP_TURNS_H

#include "shared/clock.h"
#include "supervisor/front/http/server.h"

#define TURNS_WINDOW_US 60000000

/* A piece that began at `start_us` (monotonic) is over. */
static inline void
turns_note(struct http *h, int64_t start_us)
{
	int64_t now = clock_mono_us(), us = now - start_us;

	if (now - h->turns.since_us >= TURNS_WINDOW_US) {
		h->turns.before_us = now - h->turns.since_us < 2 * TURNS_WINDOW_US ? h->turns.longest_us : 0;
		h->turns.longest_us = 0;
		h->turns.since_us = now;
	}
	if (us > h->turns.longest_us)
		h->turns.longest_us = us;
}

static inline int64_t
turns_longest_us(const struct http *h)
{
	return h->turns.longest_us > h->turns.before_us ? h->turns.longest_us : h->turns.before_us;
}

#endif
