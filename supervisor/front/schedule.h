/* SPDX-License-Identifier: Apache-2.0 */
/* When a deployment's turn comes: pure arithmetic, no state, no clock. */
#ifndef SUPERVISOR_FRONT_SCHEDULE_H
#define SUPERVISOR_FRONT_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct schedule_rules {
	int64_t interval_ms; /* > 0 */
	int64_t recheck_ms;  /* first delay after a failure */
	uint64_t hash;	     /* of the deployment's id: its phase and its share of jitter */
};

/* The first moment of the deployment's grid at or after `wall_ms`. */
int64_t schedule_grid(const struct schedule_rules *r, int64_t wall_ms);
/* The number of the grid's slot that holds `wall_ms`. */
uint64_t schedule_slot(const struct schedule_rules *r, int64_t wall_ms);
/*
 * Milliseconds from now until the next probe, after a result at `wall_ms`. `streak`: failures in a
 * row, 0 when all is well. `retry_after_ms`: what the provider asked for, -1: nothing. *off_grid
 * says whether it is a re-check between two turns.
 */
int64_t schedule_delay(const struct schedule_rules *r, int64_t wall_ms, unsigned streak,
    int64_t retry_after_ms, bool *off_grid);

#endif
