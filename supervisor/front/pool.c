/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs are numbered by their place in a table and by how often that place was used, so that a
 * result for a job that has ended is known as such. Places are never given back: their number is
 * bounded by the scheduler's cap on probes in flight.
 */
#include "supervisor/front/pool.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/peer.h"
#include "shared/reason.h"
#include "supervisor/front/heap.h"

#define PLACE_BITS 20 /* a million jobs */
#define PLACE_MASK ((1u << PLACE_BITS) - 1)
#define TICK_MS 100
#define MAX_DEATHS 2
/* After the supervisor has seen a worker die, its socket is read this much longer. */
#define GONE_MS 500

enum job_state {
	JOB_FREE,
	JOB_WAITING, /* for a worker */
	JOB_HELD,    /* for the worker to have the configuration */
	JOB_SENT,
	JOB_CRASHED, /* its second worker died: about to end */
};

struct pool_job {
	struct heap_node deadline;  /* key in ms; while SENT or HELD */
	TAILQ_ENTRY(pool_job) link; /* in the worker's, the waiting or the held list */
	enum job_state state;
	uint32_t id, place, handle;
	unsigned deaths;
	int64_t timeout_ms, sent_ms;
	struct worker *worker;
	void *arg;
	char *request; /* NULL: nobody's */
	const struct msg_test *test; /* NULL: a deployment is asked as it is */
	pool_test_done test_done;
};
TAILQ_HEAD(job_list, pool_job);

struct worker {
	struct pool *pool;
	uint32_t index, pid;
	struct peer *peer;
	struct job_list jobs;
	bool stopping;	 /* takes no more */
	int64_t gone_ms; /* > 0: the supervisor saw it die then */
};

struct pool {
	struct event_base *base;
	struct event *tick;
	struct pool_events events;
	void *arg;
	void (*listener)(enum msg_type type, const void *body, void *arg);
	void *listener_arg;
	struct worker *workers[POOL_WORKERS_MAX];
	uint32_t width; /* highest index ever + 1 */
	size_t n_workers;
	uint64_t restarts, requeued;
	bool had[POOL_WORKERS_MAX]; /* there was a worker of that index */
	uint32_t generation;
	struct pool_job **places;
	size_t n_places, cap_places;
	uint32_t *free_places;
	size_t n_free;
	struct heap deadlines;
	struct job_list waiting, held, crashed;
	struct pool_guest guest;
	size_t n_jobs;
};

static void
tick_later(struct pool *p)
{
	struct timeval tv = { 0, TICK_MS * 1000 };

	if (!event_pending(p->tick, EV_TIMEOUT, NULL))
		event_add(p->tick, &tv);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	pool_tick(arg);
}

struct pool *
pool_new(struct event_base *base, const struct pool_events *events, void *arg)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	p->base = base;
	p->events = *events;
	p->arg = arg;
	TAILQ_INIT(&p->waiting);
	TAILQ_INIT(&p->held);
	TAILQ_INIT(&p->crashed);
	p->tick = evtimer_new(base, on_tick, p);
	if (p->tick == NULL)
		fatal("cannot make the pool's timer");
	return p;
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	for (uint32_t i = 0; i < p->width; i++)
		if (p->workers[i]) {
			peer_free(p->workers[i]->peer);
			free(p->workers[i]);
		}
	for (size_t i = 0; i < p->n_places; i++) {
		free(p->places[i]->request);
		free(p->places[i]);
	}
	free(p->places);
	free(p->free_places);
	heap_clear(&p->deadlines);
	event_free(p->tick);
	free(p);
}

size_t
pool_workers(const struct pool *p)
{
	return p->n_workers;
}

void
pool_counts(const struct pool *p, struct pool_counts *counts)
{
	*counts = (struct pool_counts){ p->n_workers, p->restarts, p->requeued };
}

/* Jobs. */

static struct pool_job *
job_new(struct pool *p)
{
	struct pool_job *job;

	if (p->n_free > 0) {
		job = p->places[p->free_places[--p->n_free]];
	} else {
		if (p->n_places > PLACE_MASK)
			fatal("more than %u jobs", PLACE_MASK);
		if (p->n_places == p->cap_places) {
			p->cap_places = p->cap_places ? p->cap_places * 2 : 64;
			p->places = xrealloc(p->places, p->cap_places * sizeof(struct pool_job *));
			p->free_places = xrealloc(p->free_places, p->cap_places * sizeof(uint32_t));
		}
		job = xcalloc(1, sizeof(*job));
		job->place = (uint32_t)p->n_places;
		job->id = job->place;
		p->places[p->n_places++] = job;
	}
	job->id += 1u << PLACE_BITS;
	job->deaths = 0;
	job->worker = NULL;
	job->test = NULL;
	p->n_jobs++;
	return job;
}

static struct pool_job *
job_find(struct pool *p, uint32_t id)
{
	struct pool_job *job = (id & PLACE_MASK) < p->n_places ? p->places[id & PLACE_MASK] : NULL;

	return job && job->state != JOB_FREE && job->id == id ? job : NULL;
}

static struct job_list *
list_of(struct pool *p, struct pool_job *job)
{
	switch (job->state) {
	case JOB_WAITING:
		return &p->waiting;
	case JOB_HELD:
		return &p->held;
	case JOB_SENT:
		return &job->worker->jobs;
	case JOB_CRASHED:
		return &p->crashed;
	default:
		fatal("a job in no list");
	}
}

/* The one place where a job's state changes. */
static void
job_move(struct pool *p, struct pool_job *job, enum job_state state, struct worker *w)
{
	if (job->state != JOB_FREE)
		TAILQ_REMOVE(list_of(p, job), job, link);
	job->state = state;
	job->worker = w;
	switch (state) {
	case JOB_FREE:
		free(job->request);
		job->request = NULL;
		heap_remove(&p->deadlines, &job->deadline);
		p->free_places[p->n_free++] = job->place;
		p->n_jobs--;
		return;
	case JOB_WAITING:
		heap_remove(&p->deadlines, &job->deadline);
		break;
	case JOB_HELD:
	case JOB_CRASHED:
		break;
	case JOB_SENT:
		if (!heap_has(&job->deadline)) {
			job->sent_ms = clock_mono_ms();
			heap_set(&p->deadlines, &job->deadline,
			    job->sent_ms + job->timeout_ms + POOL_MARGIN_MS);
		}
		break;
	}
	TAILQ_INSERT_TAIL(list_of(p, job), job, link);
	tick_later(p);
}

static int
job_send(const struct pool *p, const struct pool_job *job, struct peer *peer)
{
	struct msg_job m = { job->id, p->generation, job->handle, str_of(job->request) };
	struct msg_test test;

	if (job->test == NULL)
		return peer_send(peer, MSG_JOB, 0, &m);
	test = *job->test;
	test.job = job->id;
	test.generation = p->generation;
	return peer_send(peer, MSG_TEST, 0, &test);
}

/* Sends it to its own worker, or to the next one that takes it. */
static void
job_assign(struct pool *p, struct pool_job *job)
{
	for (uint32_t i = 0; i < p->width; i++) {
		struct worker *w = p->workers[(job->handle + i) % p->width];

		if (w == NULL || w->stopping || job_send(p, job, w->peer) < 0)
			continue;
		job_move(p, job, JOB_SENT, w);
		return;
	}
	job_move(p, job, JOB_WAITING, NULL);
}

struct pool_job *
pool_start(
    struct pool *p, uint32_t handle, int64_t timeout_ms, struct str request, void *job_arg)
{
	struct pool_job *job = job_new(p);

	job->handle = handle;
	job->timeout_ms = timeout_ms;
	job->request = request.n > 0 ? str_dup(request) : NULL;
	job->arg = job_arg;
	job_assign(p, job);
	return job;
}

struct pool_job *
pool_start_test(struct pool *p, const struct msg_test *m, int64_t timeout_ms, pool_test_done done,
    void *arg)
{
	struct pool_job *job = job_new(p);

	job->handle = m->handle;
	job->timeout_ms = timeout_ms;
	job->arg = arg;
	job->test = m;
	job->test_done = done;
	job_assign(p, job);
	return job;
}

int
pool_send(struct pool *p, enum msg_type type, const void *m)
{
	for (uint32_t i = 0; i < p->width; i++)
		if (p->workers[i] && !p->workers[i]->stopping && p->workers[i]->gone_ms == 0 &&
		    peer_send(p->workers[i]->peer, type, 0, m) == 0)
			return 0;
	return ERR_CLOSED;
}

void
pool_set_listener(
    struct pool *p, void (*listener)(enum msg_type type, const void *body, void *arg), void *arg)
{
	p->listener = listener;
	p->listener_arg = arg;
}

static void
tell_worker(struct pool_job *job)
{
	struct msg_job_cancel m = { job->id };

	/* When it cannot be said, the worker is dead or so far behind that it does not matter. */
	if (job->state == JOB_SENT && peer_send(job->worker->peer, MSG_JOB_CANCEL, 0, &m) < 0)
		log_event(LOG_LEVEL_DEBUG, "cancel_not_sent", LI("worker", job->worker->index));
}

void
pool_cancel(struct pool *p, struct pool_job *job)
{
	tell_worker(job);
	job_move(p, job, JOB_FREE, NULL);
}

static void
job_end(struct pool *p, struct pool_job *job, const struct msg_result *r)
{
	pool_test_done test_done = job->test ? job->test_done : NULL;
	void *arg = job->arg;

	job_move(p, job, JOB_FREE, NULL);
	if (test_done)
		test_done(arg, r);
	else
		p->events.done(arg, r, p->arg);
}

/* Ends a job with a verdict of our own. */
static void
job_fail(
    struct pool *p, struct pool_job *job, enum reason reason, const char *error, const char *detail)
{
	int64_t spent_ms = heap_has(&job->deadline) ? clock_mono_ms() - job->sent_ms : 0;
	struct msg_result r = {
		.job = job->id,
		.generation = p->generation,
		.handle = job->handle,
		.reason = reason,
		.exception_status = reason_status(reason),
		.error = str_of(error),
		.detail = str_of(detail),
		.total_us = spent_ms < 4000000 ? (uint32_t)spent_ms * 1000u : UINT32_MAX,
		.retry_after_ms = -1,
		.checked_at_ms = clock_wall_ms(),
	};

	job_end(p, job, &r);
}

static void
send_waiting(struct pool *p)
{
	struct job_list list = TAILQ_HEAD_INITIALIZER(list);
	struct pool_job *job;

	/* job_assign() may put them back: only those of now. */
	TAILQ_CONCAT(&list, &p->waiting, link);
	while ((job = TAILQ_FIRST(&list)) != NULL) {
		TAILQ_REMOVE(&list, job, link);
		TAILQ_INSERT_TAIL(&p->waiting, job, link);
		job_assign(p, job);
		if (job->state == JOB_WAITING)
			break;
	}
	TAILQ_CONCAT(&p->waiting, &list, link);
}

static void
send_held(struct pool *p)
{
	size_t n = 0;
	struct pool_job *job;

	TAILQ_FOREACH(job, &p->held, link)
	n++;
	while (n-- > 0 && (job = TAILQ_FIRST(&p->held)) != NULL)
		job_assign(p, job);
}

void
pool_set_generation(struct pool *p, uint32_t generation)
{
	p->generation = generation;
	send_held(p);
}

/* Workers. */

static void
worker_lost(struct worker *w)
{
	struct pool *p = w->pool;
	struct pool_job *job;
	size_t requeued = 0, ended = 0;

	p->workers[w->index] = NULL;
	if (!w->stopping)
		p->n_workers--;
	peer_free(w->peer);
	if (p->guest.lost)
		p->guest.lost(p->guest.arg, w->index);
	while ((job = TAILQ_FIRST(&w->jobs)) != NULL) {
		bool again = ++job->deaths < MAX_DEATHS;

		job_move(p, job, again ? JOB_WAITING : JOB_CRASHED, NULL);
		requeued += again;
		ended += !again;
	}
	p->requeued += requeued;
	log_event(ended + requeued > 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "worker_lost",
	    LI("worker", w->index), LI("worker_pid", w->pid), LI("requeued", requeued),
	    LI("crashed", ended));
	free(w);
	send_waiting(p);
	while ((job = TAILQ_FIRST(&p->crashed)) != NULL)
		job_fail(p, job, REASON_PROBE_CRASHED,
		    "litellm.InternalServerError: InternalServerError: the health check crashed",
		    "probe crashed: the process that asked died twice while asking");
}

static void
on_result(struct worker *w, const struct msg_result *r)
{
	struct pool_job *job = job_find(w->pool, r->job);

	/* Cancelled, given up or requeued meanwhile: somebody else's now. */
	if (job == NULL || job->worker != w || job->handle != r->handle)
		return;
	job_end(w->pool, job, r);
}

static void
on_refused(struct worker *w, const struct msg_job_refused *m)
{
	struct pool *p = w->pool;
	struct pool_job *job = job_find(p, m->job);

	if (job == NULL || job->worker != w)
		return;
	if (m->why == REFUSED_STOPPING) {
		if (!w->stopping) {
			w->stopping = true;
			p->n_workers--;
		}
		job_move(p, job, JOB_WAITING, NULL);
		job_assign(p, job);
		return;
	}
	if (m->why == REFUSED_UNKNOWN && m->generation == p->generation) {
		/* Both have the same configuration, and it is not in the worker's. */
		job_fail(p, job, REASON_CONFIG,
		    "litellm.BadRequestError: BadRequestError: the deployment cannot be asked",
		    "no worker knows this deployment");
		return;
	}
	/* One side has a configuration that the other is about to get. */
	log_event(LOG_LEVEL_DEBUG, "job_refused", LI("worker", w->index), LI("why", m->why),
	    LI("its_generation", m->generation), LI("generation", p->generation));
	job_move(p, job, JOB_HELD, NULL);
}

static void
on_message(struct peer *peer, const struct msg *m, void *arg)
{
	struct worker *w = arg;

	if (m == NULL)
		worker_lost(w);
	else if (m->type == MSG_RESULT)
		on_result(w, m->body);
	else if (m->type == MSG_JOB_REFUSED)
		on_refused(w, m->body);
	else if (w->pool->listener && (m->type == MSG_SERVICE_STATE || m->type == MSG_EXPORTED))
		w->pool->listener(m->type, m->body, w->pool->listener_arg);
	else if (w->pool->guest.message)
		w->pool->guest.message(w->pool->guest.arg, w->index, m);
}

void
pool_set_guest(struct pool *p, const struct pool_guest *guest)
{
	p->guest = *guest;
}

struct peer *
pool_peer(struct pool *p, uint32_t handle, unsigned nth, uint32_t *index)
{
	for (uint32_t i = 0; i < p->width; i++) {
		struct worker *w = p->workers[(handle + i) % p->width];

		if (w == NULL || w->stopping || nth-- > 0)
			continue;
		*index = w->index;
		return w->peer;
	}
	return NULL;
}

struct peer *
pool_peer_at(struct pool *p, uint32_t index)
{
	return index < p->width && p->workers[index] ? p->workers[index]->peer : NULL;
}

void
pool_add(struct pool *p, uint32_t index, uint32_t pid, int fd)
{
	struct worker *w;
	char name[32];

	if (index >= POOL_WORKERS_MAX) {
		log_event(LOG_LEVEL_ERROR, "too_many_workers", LI("worker", index));
		close(fd);
		return;
	}
	if (p->workers[index])
		worker_lost(p->workers[index]);
	w = xcalloc(1, sizeof(*w));
	w->pool = p;
	w->index = index;
	w->pid = pid;
	TAILQ_INIT(&w->jobs);
	snprintf(name, sizeof(name), "worker %u", index);
	w->peer = peer_new(p->base, fd, ROLE_F, ROLE_W, name, on_message, w);
	p->workers[index] = w;
	p->n_workers++;
	p->restarts += p->had[index];
	p->had[index] = true;
	if (index >= p->width)
		p->width = index + 1;
	send_waiting(p);
	p->events.worker(p->arg);
}

void
pool_gone(struct pool *p, uint32_t index)
{
	if (index < POOL_WORKERS_MAX && p->workers[index]) {
		p->workers[index]->gone_ms = clock_mono_ms();
		tick_later(p);
	}
}

void
pool_tick(struct pool *p)
{
	int64_t now = clock_mono_ms();
	struct heap_node *first;
	bool gone = false;

	for (uint32_t i = 0; i < p->width; i++) {
		struct worker *w = p->workers[i];

		if (w == NULL || w->gone_ms == 0)
			continue;
		if (now - w->gone_ms >= GONE_MS)
			worker_lost(w);
		else
			gone = true;
	}
	send_held(p);
	while ((first = heap_first(&p->deadlines)) != NULL && first->key <= now) {
		struct pool_job *job = HEAP_OWNER(first, struct pool_job, deadline);

		tell_worker(job);
		job_fail(p, job, REASON_TIMEOUT, "Timeout exceeded",
		    job->state == JOB_HELD ? "no worker has this deployment's configuration"
					   : "the process that asks gave no result in time");
	}
	if (p->n_jobs > 0 || gone)
		tick_later(p);
}
