/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a deployment's next turn is: schedule.h's arithmetic with the settings, the clock and the
 * verdict put in. Also the scheduler's own structs, which both its files share; nobody else
 * includes this.
 */
#ifndef SUPERVISOR_FRONT_TURN_H
#define SUPERVISOR_FRONT_TURN_H

#include <sys/queue.h>

#include "shared/buf.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/heap.h"
#include "supervisor/front/histogram.h"
#include "supervisor/front/pulse.h"
#include "supervisor/front/queue.h"
#include "supervisor/front/schedule.h"
#include "supervisor/front/scheduler.h"

enum item_state {
	ITEM_IDLE, /* in the due-heap when it is wanted in the background */
	ITEM_QUEUED,
	ITEM_CLAIMING,
	ITEM_RUNNING,
};

struct schedule_item {
	struct heap_node due; /* key in microseconds, monotonic */
	struct queue_item queue;
	struct scheduler *scheduler;
	struct deployment *d;
	LIST_HEAD(, waiter) waiters;
	enum item_state state;
	uint8_t streak;	     /* failures in a row */
	bool background;     /* its turn has come; also when somebody asked first */
	bool off_grid;	     /* its turn is a re-check */
	bool demand;	     /* it holds, or asks for, the fleet's claim for a probe on demand */
	bool elsewhere;	     /* another instance is asking it; due when we look again */
	bool denied;	     /* its last claim was not granted */
	bool theirs;	     /* its last result is another instance's */
	bool again;	     /* its configuration changed while it was being asked */
	uint32_t generation; /* of the configuration that it was scheduled by */
	int64_t interval_ms;
	int64_t wanted_us; /* monotonic: when its turn comes, whatever its place in the heap */
	int64_t elsewhere_end_ms; /* monotonic: then it is asked here; 0 */
	int64_t began_ms;	  /* of its last probe, monotonic */
	int64_t asked_ms;	  /* a result from then on will do for its waiters, wall clock */
	struct pool_job *job;
	struct claim *claim;
};

struct claim {
	struct scheduler *scheduler;
	struct schedule_item *item; /* NULL when it ended meanwhile */
	LIST_ENTRY(claim) link;
};

struct scheduler {
	struct event_base *base;
	struct fleet *fleet;
	struct pool *pool;
	struct store *store;
	struct queue queue;
	struct heap due;
	LIST_HEAD(, claim) claims;
	struct event *run; /* made active: something may be started */
	struct pulse pulse;
	struct event *timer;
	int64_t timer_us; /* when it fires; 0: not set */
	bool background;
	void (*observer)(struct deployment *d, void *arg);
	void *observer_arg;
	uint64_t started, finished, shared;
	struct histogram lag;
	size_t waiters;
	struct buf packed;
};

int64_t turn_interval_ms(const struct scheduler *s, const struct deployment *d);
struct schedule_rules turn_rules(const struct scheduler *s, const struct schedule_item *item);
/* The time that all instances share: what the grid and its slots go by. */
int64_t turn_now_ms(const struct scheduler *s);
/* Whether d is probed without being asked for. */
bool turn_in_background(const struct scheduler *s, const struct deployment *d);
/* Due after so long; 0: now, in model_list's order. */
void turn_set(struct schedule_item *item, int64_t delay_ms);
/* What the provider asks for: with Retry-After, or by what is left of its rate limits; -1. */
int64_t turn_wait_ms(const struct msg_result *r);
/* After a result, or instead of one (retry_after_ms is then -1). */
void turn_next(struct scheduler *s, struct schedule_item *item, int64_t retry_after_ms);
/* At the start: what has a verdict of its present slot waits for its turn, all else is due now. */
void turn_first(struct scheduler *s, struct schedule_item *item);
/* Somebody waits, and another instance is asking: we look again soon, and again. */
void turn_elsewhere(struct schedule_item *item);
/* The other one's probe must have ended long ago. */
bool turn_waited_enough(const struct schedule_item *item);
/* Almost now, as a re-check; false when it is being asked anyway, or not in the background. */
bool turn_soon(struct scheduler *s, struct schedule_item *item);
/* The claim was not granted: the next turn, or when whose turn it was must have used it. */
void turn_denied(struct scheduler *s, struct schedule_item *item);
/* Whose turn it is has let it pass, or has not begun at all when we looked last: anybody may. */
bool turn_overdue(const struct scheduler *s, const struct schedule_item *item);

/* The id of the HTTP request that a probe is made for, of the first who waits: the others only share it. */
struct str turn_request(const struct schedule_item *item);
/* A line that its probe has begun or, with a result, ended. */
void turn_log(const struct schedule_item *item, const struct msg_result *r);

#endif
