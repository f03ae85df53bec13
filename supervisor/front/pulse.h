/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices that the whole process stood still for a while (SIGSTOP, a virtual machine that was
 * paused), while the world and the other instances went on.
 */
#ifndef SUPERVISOR_FRONT_PULSE_H
#define SUPERVISOR_FRONT_PULSE_H

#include <stdbool.h>
#include <stdint.h>

struct event;
struct event_base;

struct pulse {
	struct event *timer;
	int64_t most_ms;	  /* to stand still for less is nothing; 0: never mind */
	int64_t felt_ms, woke_ms; /* monotonic; woke: after the last stop, or 0 */
};

void pulse_init(struct pulse *p, struct event_base *base);
void pulse_clear(struct pulse *p);
/* Looks at the clock now: what came in while we stood still may be at hand before the timer is. */
void pulse_feel(struct pulse *p);
/* Whether we have stood still since that time (monotonic). */
bool pulse_stopped_since(const struct pulse *p, int64_t ms);

#endif
