/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workers, as the front sees them: jobs out, results in. A deployment always goes to the same
 * worker while that one lives, because its connections are kept there. What is asked when is
 * scheduler's work.
 */
#ifndef SUPERVISOR_FRONT_POOL_H
#define SUPERVISOR_FRONT_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/msgs.h"

struct event_base;
struct msg;
struct peer;
struct pool;
struct pool_job;

#define POOL_WORKERS_MAX 1024
/* What a job gets beyond its own timeout before the front gives it up. */
#define POOL_MARGIN_MS 5000

struct pool_events {
	/*
	 * A job has ended, with the worker's result or one made here: "probe crashed" after a
	 * second death, timeout when nothing came. The result is valid during the call. Never
	 * called inside pool_start() or pool_cancel().
	 */
	void (*done)(void *job_arg, const struct msg_result *r, void *arg);
	/* A worker is there; before, there may have been none. */
	void (*worker)(void *arg);
};

struct pool *pool_new(struct event_base *base, const struct pool_events *events, void *arg);
/* Jobs end without a word. Accepts NULL. */
void pool_free(struct pool *p);

/* Takes over the socket of worker `index`; one of that index that is still there counts as dead. */
void pool_add(struct pool *p, uint32_t index, uint32_t pid, int fd);
/* The supervisor saw it die. What it sent before is still read. */
void pool_gone(struct pool *p, uint32_t index);
struct pool_counts {
	size_t workers;	   /* that take jobs */
	uint64_t restarts; /* workers that took the place of one before */
	uint64_t requeued; /* jobs that went to another worker after a death */
};
void pool_counts(const struct pool *p, struct pool_counts *counts);
/* Workers that take jobs. */
size_t pool_workers(const struct pool *p);

/* The generation that jobs are for, from now on; jobs that waited for it go out. */
void pool_set_generation(struct pool *p, uint32_t generation);

/*
 * Starts a job; it waits here while there is no worker. Valid until done or cancelled. The timeout
 * runs from when a worker has it. `request` is the id of the HTTP request that asked, empty for none.
 */
struct pool_job *pool_start(
    struct pool *p, uint32_t handle, int64_t timeout_ms, struct str request, void *job_arg);
/*
 * The same for a test: `m` is borrowed until `done` is called, which gets the result, or the job is
 * cancelled. Its job and generation are filled in here.
 */
typedef void (*pool_test_done)(void *arg, const struct msg_result *r);
struct pool_job *pool_start_test(struct pool *p, const struct msg_test *m, int64_t timeout_ms,
    pool_test_done done, void *arg);
/*
 * A message that is no job, to a worker that takes some: SERVICE, EXPORT. ERR_CLOSED when there is none. What
 * it answers goes to the listener, if it answers at all: who sends looks at the clock himself.
 */
int pool_send(struct pool *p, enum msg_type type, const void *m) MUST_CHECK;
/* Who hears SERVICE_STATE and EXPORTED; `body` is valid during the call. */
void pool_set_listener(
    struct pool *p, void (*listener)(enum msg_type type, const void *body, void *arg), void *arg);
/* Nobody wants the result any more; done is not called. */
void pool_cancel(struct pool *p, struct pool_job *job);

/* Who else talks to the workers over the same sockets: it hears what is no answer to a job. */
struct pool_guest {
	void (*message)(void *arg, uint32_t worker, const struct msg *m);
	void (*lost)(void *arg, uint32_t worker); /* and is no longer to be had */
	void *arg;
};
/* One at a time; all NULL: none. */
void pool_set_guest(struct pool *p, const struct pool_guest *guest);
/*
 * The worker that a deployment's jobs go to (nth 0), or the nth after it; its number is in *index.
 * NULL when there are no so many that take jobs. Valid until it is lost.
 */
struct peer *pool_peer(struct pool *p, uint32_t handle, unsigned nth, uint32_t *index);
/* The worker of that number, or NULL. */
struct peer *pool_peer_at(struct pool *p, uint32_t index);

/* Looks at the clock: what its own timer does, for tests. */
void pool_tick(struct pool *p);

#endif
