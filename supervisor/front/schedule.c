/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grid is made of wall clock and hash alone, so all instances and all restarts have the same
 * one. A probe outside the grid (at the start, on demand, a re-check) does not move it.
 */
#include "supervisor/front/schedule.h"

/* What a provider may ask for with Retry-After at most, when the interval is shorter. */
#define RETRY_AFTER_MAX_MS ((int64_t)3600 * 1000)
/*
 * A turn that comes sooner than this after a probe is the one that it was for: clocks differ. The
 * next is then an interval after the probe, not after the turn, and as far from its place.
 */
#define SAME_TURN_MS 1000
#define SAME_TURN_PART 8 /* of the interval, at most */
#define MAX_DOUBLINGS 20

int64_t
schedule_grid(const struct schedule_rules *r, int64_t wall_ms)
{
	int64_t phase = (int64_t)(r->hash % (uint64_t)r->interval_ms);
	int64_t past = (wall_ms - phase) % r->interval_ms;

	if (past < 0)
		past += r->interval_ms;
	return past == 0 ? wall_ms : wall_ms + r->interval_ms - past;
}

uint64_t
schedule_slot(const struct schedule_rules *r, int64_t wall_ms)
{
	/* The grid's next point minus one interval begins this slot. */
	return (uint64_t)(schedule_grid(r, wall_ms + 1) / r->interval_ms);
}

static int64_t
recheck_delay(const struct schedule_rules *r, unsigned streak)
{
	int64_t delay = r->recheck_ms;

	for (unsigned i = 1; i < streak && i < MAX_DOUBLINGS && delay < r->interval_ms; i++)
		delay *= 2;
	/* When a whole provider fails, its deployments must not come back as one. */
	return delay + (int64_t)((r->hash >> 32) % (uint64_t)(delay / 4 + 1));
}

int64_t
schedule_delay(const struct schedule_rules *r, int64_t wall_ms, unsigned streak,
    int64_t retry_after_ms, bool *off_grid)
{
	int64_t same = r->interval_ms / SAME_TURN_PART;
	int64_t delay = schedule_grid(r, wall_ms + 1 + (same < SAME_TURN_MS ? same : SAME_TURN_MS)) - wall_ms;
	int64_t most = r->interval_ms > RETRY_AFTER_MAX_MS ? r->interval_ms : RETRY_AFTER_MAX_MS;

	*off_grid = false;
	if (delay > r->interval_ms)
		delay = r->interval_ms;
	if (streak > 0) {
		int64_t recheck = recheck_delay(r, streak);

		if (recheck < delay) {
			delay = recheck;
			*off_grid = true;
		}
	}
	if (retry_after_ms > most)
		retry_after_ms = most;
	if (retry_after_ms > delay) {
		delay = retry_after_ms;
		*off_grid = true;
	}
	return delay;
}
