/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is asked when. In the background each deployment has its place in its interval, spread by a
 * hash of its id and the same over restarts and instances; what people ask for comes first. The
 * caps (overall, per provider host, per second) delay and never drop.
 */
#ifndef SUPERVISOR_FRONT_SCHEDULER_H
#define SUPERVISOR_FRONT_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "supervisor/front/fleet.h"

struct event_base;
struct histogram;
struct pool;
struct scheduler;
struct store;

/* Somebody who waits for a deployment's next result. Embedded in its owner. */
struct waiter {
	LIST_ENTRY(waiter) link;
	bool waiting;
	/* The result is there, or the deployment has ended. Must not start or end probes. */
	void (*done)(struct waiter *w);
	void *owner;
	int64_t since_ms;    /* a result from then on will do (wall clock); 0: from now on */
	const char *request; /* the id of the HTTP request that it waits for; NULL: none. Borrowed */
};

struct scheduler_counts {
	size_t in_flight; /* being asked now */
	size_t waiters;	  /* that have been promised a result */
	size_t queued;	  /* want to be asked; a cap delays them */
	uint64_t started, finished;
	uint64_t shared;	     /* asked for while it was to be asked anyway: probes saved */
	const struct histogram *lag; /* from when a deployment's turn came to its probe. Borrowed */
	const char *store;	     /* the kind of store that verdicts go to; NULL: none */
};

/* Both are borrowed. Makes the pool. Nothing runs before scheduler_start(). */
struct scheduler *scheduler_new(struct event_base *base, struct fleet *fleet);
/* Before the fleet is freed. Accepts NULL. */
void scheduler_free(struct scheduler *s);

struct pool *scheduler_pool(struct scheduler *s);
struct event_base *scheduler_base(struct scheduler *s);
/* Where claims come from and verdicts go to; NULL for none. Borrowed. */
void scheduler_set_store(struct scheduler *s, struct store *store);
/* What was set, or NULL; also when there is no scheduler. */
struct store *scheduler_store(const struct scheduler *s);
/* Called for each deployment that has got a result. */
void scheduler_set_observer(
    struct scheduler *s, void (*observer)(struct deployment *d, void *arg), void *arg);

/* After each fleet_conf_commit(): takes over caps, new deployments and changed intervals. */
void scheduler_configure(struct scheduler *s);
/*
 * Probing in the background begins: all that has no verdict of its present slot is due now. As long
 * as it has not been called, or after scheduler_stop(), probes are only made on demand.
 */
void scheduler_start(struct scheduler *s);
void scheduler_stop(struct scheduler *s);

/* Another instance's result was taken over: d's next turn follows from it, and who waits has it. */
void scheduler_renewed(struct scheduler *s, struct deployment *d);
/* Another witness says that d has failed, and we do not: d is asked soon. */
void scheduler_confirm(struct scheduler *s, struct deployment *d);
/* Who probes what is another question now: what was another's may be ours and due. */
void scheduler_replan(struct scheduler *s);

/* Asks d as soon as the caps allow, unless it is being asked. Not for one with a problem. */
void scheduler_wait(struct scheduler *s, struct deployment *d, struct waiter *w);
/* Nobody is told; a probe that nobody else wants and that has not begun is not made. */
void scheduler_unwait(struct scheduler *s, struct deployment *d, struct waiter *w);

void scheduler_counts(const struct scheduler *s, struct scheduler_counts *counts);

/* Does what is due: what its own timer does, for tests. */
void scheduler_run(struct scheduler *s);
/* Microseconds (monotonic) at which d is due in the background; 0 when it is not. For tests and
 * pages. */
int64_t scheduler_due_us(const struct deployment *d);

#endif
