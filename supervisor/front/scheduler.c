/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A deployment's way: its turn comes (due), it waits for the caps (queued), for the fleet's leave
 * to probe (claiming; only in the background), for its result (running), and gets its next turn.
 */
#include "supervisor/front/scheduler.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/hash.h"
#include "supervisor/front/heap.h"
#include "supervisor/front/pool.h"
#include "supervisor/front/queue.h"
#include "supervisor/front/schedule.h"
#include "supervisor/front/store/store.h"
#include "supervisor/front/verdict_pack.h"

/* A claim outlives the probe that it is for by this. */
#define LEASE_MARGIN_MS 10000
#define MAX_STREAK 100

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
	bool again;	     /* its configuration changed while it was being asked */
	uint32_t generation; /* of the configuration that it was scheduled by */
	int64_t interval_ms;
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
	struct event *timer;
	int64_t timer_us; /* when it fires; 0: not set */
	bool background;
	void (*observer)(struct deployment *d, void *arg);
	void *observer_arg;
	uint64_t started, finished;
	size_t waiters;
	struct buf packed;
};

static void
kick(struct scheduler *s)
{
	event_active(s->run, EV_TIMEOUT, 0);
}

static void
set_state(struct schedule_item *item, enum item_state state)
{
	item->state = state;
}

/* The next turn. */

static int64_t
interval_of(const struct scheduler *s, const struct deployment *d)
{
	return d->interval_ms > 0 ? d->interval_ms : settings_interval_ms(fleet_settings(s->fleet));
}

static struct schedule_rules
rules_of(const struct scheduler *s, const struct schedule_item *item)
{
	return (struct schedule_rules){
		.interval_ms = item->interval_ms,
		.recheck_ms = fleet_settings(s->fleet)->num[SETTING_RECHECK],
		.hash = hash_str(str_of(item->d->id)),
	};
}

static bool
in_background(const struct scheduler *s, const struct deployment *d)
{
	return s->background && fleet_settings(s->fleet)->num[SETTING_BACKGROUND] != 0 &&
	       d->problem_reason == REASON_OK &&
	       !(d->flags & (DEPLOYMENT_DISABLED | DEPLOYMENT_OUTSIDE));
}

/* The order of model_list among those that are due at the same moment. */
static void
set_due(struct schedule_item *item, int64_t delay_ms)
{
	heap_set(&item->scheduler->due, &item->due,
	    clock_mono_us() + delay_ms * 1000 + (delay_ms == 0 ? (int64_t)item->d->position : 0));
}

static unsigned
streak_of(const struct schedule_item *item)
{
	if (item->streak == 0 && item->d->verdict.state == VERDICT_UNHEALTHY)
		return 1; /* on its way up */
	return item->streak;
}

/* After a result, or instead of one (retry_after_ms is then -1). */
static void
next_turn(struct scheduler *s, struct schedule_item *item, int64_t retry_after_ms)
{
	struct schedule_rules rules = rules_of(s, item);

	if (item->state != ITEM_IDLE || !in_background(s, item->d)) {
		heap_remove(&s->due, &item->due);
		return;
	}
	set_due(item, schedule_delay(&rules, clock_wall_ms(), streak_of(item), retry_after_ms,
			  &item->off_grid));
}

/* At the start: what has a verdict of its present slot waits for its turn, all else is due now. */
static void
first_turn(struct scheduler *s, struct schedule_item *item)
{
	const struct verdict *v = &item->d->verdict;
	struct schedule_rules rules = rules_of(s, item);
	int64_t now = clock_wall_ms(), delay, next;

	if (item->state != ITEM_IDLE || !in_background(s, item->d)) {
		heap_remove(&s->due, &item->due);
		return;
	}
	item->off_grid = false;
	if (v->checked_at_ms == 0 || v->checked_at_ms > now ||
	    now - v->checked_at_ms >= item->interval_ms) {
		set_due(item, 0);
		return;
	}
	next = v->checked_at_ms +
	       schedule_delay(&rules, v->checked_at_ms, streak_of(item), -1, &item->off_grid);
	delay = next - now;
	set_due(item, delay > 0 ? delay : 0);
}

/* Items. */

static struct schedule_item *
item_new(struct scheduler *s, struct deployment *d)
{
	struct schedule_item *item = xcalloc(1, sizeof(*item));

	item->scheduler = s;
	item->d = d;
	LIST_INIT(&item->waiters);
	queue_attach(&s->queue, &item->queue, d->host);
	item->interval_ms = interval_of(s, d);
	item->generation = d->generation;
	d->schedule = item;
	return item;
}

static void
tell_waiters(struct schedule_item *item)
{
	struct waiter *w;

	while ((w = LIST_FIRST(&item->waiters)) != NULL) {
		LIST_REMOVE(w, link);
		w->waiting = false;
		item->scheduler->waiters--;
		w->done(w);
	}
}

static void
item_free(struct schedule_item *item)
{
	struct scheduler *s = item->scheduler;

	if (item->job)
		pool_cancel(s->pool, item->job);
	if (item->claim)
		item->claim->item = NULL;
	heap_remove(&s->due, &item->due);
	queue_detach(&s->queue, &item->queue);
	item->d->schedule = NULL;
	tell_waiters(item);
	free(item);
	kick(s);
}

static void
on_gone(struct deployment *d, void *arg)
{
	struct scheduler *s = arg;

	if (d->schedule)
		item_free(d->schedule);
	if (s->store)
		store_remove(s->store, str_of(d->id));
}

void
scheduler_configure(struct scheduler *s)
{
	const struct settings *set = fleet_settings(s->fleet);

	queue_limits(&s->queue, (size_t)settings_concurrency(set),
	    (size_t)set->num[SETTING_PER_HOST], set->num[SETTING_PER_SECOND], clock_mono_us());
	for (size_t i = 0; i < fleet_size(s->fleet); i++) {
		struct deployment *d = fleet_at(s->fleet, i);
		struct schedule_item *item = d->schedule;

		if (item == NULL) {
			first_turn(s, item_new(s, d));
			continue;
		}
		if (item->queue.state == QUEUE_OUT &&
		    strcmp(queue_item_host(&item->queue), d->host) != 0)
			queue_attach(&s->queue, &item->queue, d->host);
		if (item->generation != d->generation) {
			/* Another configuration of the same id: what was said of the old one is of
			 * little worth. */
			item->generation = d->generation;
			item->streak = 0;
			item->interval_ms = interval_of(s, d);
			item->again = item->state == ITEM_RUNNING || item->state == ITEM_CLAIMING;
			if (item->state == ITEM_IDLE && in_background(s, d))
				set_due(item, 0);
		} else if (item->interval_ms != interval_of(s, d)) {
			item->interval_ms = interval_of(s, d);
			next_turn(s, item, -1);
		} else if (heap_has(&item->due) !=
			   (item->state == ITEM_IDLE && in_background(s, d))) {
			first_turn(s, item);
		}
		if (item->state == ITEM_IDLE && !in_background(s, d))
			heap_remove(&s->due, &item->due);
		if (item->state == ITEM_QUEUED && !in_background(s, d) &&
		    (LIST_EMPTY(&item->waiters) || d->problem_reason != REASON_OK)) {
			queue_remove(&s->queue, &item->queue);
			set_state(item, ITEM_IDLE);
			tell_waiters(item);
		}
	}
	pool_set_generation(s->pool, fleet_generation(s->fleet));
	kick(s);
}

/* Probing. */

static void
start_probe(struct scheduler *s, struct schedule_item *item)
{
	set_state(item, ITEM_RUNNING);
	s->started++;
	item->job = pool_start(s->pool, item->d->handle, item->d->timeout_ms, item);
}

static void
give_back(struct scheduler *s, struct schedule_item *item)
{
	item->background = false;
	set_state(item, ITEM_IDLE);
	queue_release(&s->queue, &item->queue);
	if (strcmp(queue_item_host(&item->queue), item->d->host) != 0)
		queue_attach(&s->queue, &item->queue, item->d->host);
	kick(s);
}

static void
on_claim(bool granted, void *arg)
{
	struct claim *c = arg;
	struct schedule_item *item = c->item;
	struct scheduler *s = c->scheduler;

	LIST_REMOVE(c, link);
	free(c);
	if (item == NULL)
		return;
	item->claim = NULL;
	/* Who asks wants an answer of now, whoever holds the slot. */
	if (granted || !LIST_EMPTY(&item->waiters)) {
		start_probe(s, item);
		return;
	}
	give_back(s, item);
	next_turn(s, item, -1);
}

static void
start_claim(struct scheduler *s, struct schedule_item *item)
{
	struct schedule_rules rules = rules_of(s, item);
	int64_t now = clock_wall_ms();
	uint64_t slot = schedule_slot(&rules, now);
	struct claim *c;

	if (s->store == NULL) {
		start_probe(s, item);
		return;
	}
	/* A re-check has slots of its own, as long as the time between two of them. */
	if (item->off_grid)
		slot = (uint64_t)1 << 63 | (uint64_t)(now / rules.recheck_ms);
	c = xcalloc(1, sizeof(*c));
	c->scheduler = s;
	c->item = item;
	item->claim = c;
	set_state(item, ITEM_CLAIMING);
	LIST_INSERT_HEAD(&s->claims, c, link);
	if (store_claim(s->store, str_of(item->d->id), slot, item->d->timeout_ms + LEASE_MARGIN_MS,
		on_claim, c) < 0) {
		item->claim = NULL;
		LIST_REMOVE(c, link);
		free(c);
		start_probe(s, item);
	}
}

static void
keep(struct scheduler *s, struct deployment *d)
{
	struct store_item item = { str_of(d->id), { NULL, 0 }, d->verdict.checked_at_ms };
	int rc;

	if (s->store == NULL)
		return;
	buf_reset(&s->packed);
	rc = verdict_pack(d, &s->packed);
	item.packed = buf_str(&s->packed);
	if (rc == 0)
		rc = store_put(s->store, &item);
	if (rc < 0)
		log_event(LOG_LEVEL_DEBUG, "verdict_not_kept", LS("id", d->id),
		    LS("error", err_text(rc)));
}

static void
on_done(void *job_arg, const struct msg_result *r, void *arg)
{
	struct schedule_item *item = job_arg;
	struct scheduler *s = arg;
	struct deployment *d = item->d;
	bool again = item->again;

	item->job = NULL;
	item->again = false;
	s->finished++;
	if (r->healthy)
		item->streak = 0;
	else if (item->streak < MAX_STREAK)
		item->streak++;
	if (fleet_apply(s->fleet, d, r))
		keep(s, d);
	give_back(s, item);
	next_turn(s, item, r->retry_after_ms);
	if (again && in_background(s, d))
		set_due(item, 0);
	tell_waiters(item);
	if (s->observer)
		s->observer(d, s->observer_arg);
}

static void
enqueue(struct scheduler *s, struct schedule_item *item, enum queue_priority priority)
{
	heap_remove(&s->due, &item->due);
	set_state(item, ITEM_QUEUED);
	queue_put(&s->queue, &item->queue, priority);
}

static void
set_timer(struct scheduler *s, int64_t now_us)
{
	struct heap_node *first = heap_first(&s->due);
	int64_t wait = queue_wait_us(&s->queue), at = 0, left;
	struct timeval tv;

	if (first)
		at = first->key;
	if (wait > 0 && pool_workers(s->pool) > 0 && (at == 0 || now_us + wait < at))
		at = now_us + wait;
	if (at == s->timer_us)
		return;
	s->timer_us = at;
	if (at == 0) {
		event_del(s->timer);
		return;
	}
	left = at > now_us ? at - now_us : 0;
	tv = (struct timeval){ left / 1000000, left % 1000000 };
	event_add(s->timer, &tv);
}

void
scheduler_run(struct scheduler *s)
{
	int64_t now = clock_mono_us();
	struct heap_node *first;
	struct queue_item *next;

	while ((first = heap_first(&s->due)) != NULL && first->key <= now) {
		struct schedule_item *item = HEAP_OWNER(first, struct schedule_item, due);

		item->background = true;
		enqueue(s, item, QUEUE_BACKGROUND);
	}
	while (pool_workers(s->pool) > 0 && (next = queue_take(&s->queue, now)) != NULL) {
		struct schedule_item *item = HEAP_OWNER(next, struct schedule_item, queue);

		if (LIST_EMPTY(&item->waiters))
			start_claim(s, item);
		else
			start_probe(s, item);
	}
	set_timer(s, now);
}

static void
on_run(evutil_socket_t fd, short what, void *arg)
{
	scheduler_run(arg);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct scheduler *s = arg;

	s->timer_us = 0;
	scheduler_run(s);
}

static void
on_worker(void *arg)
{
	kick(arg);
}

/* Asking. */

void
scheduler_wait(struct scheduler *s, struct deployment *d, struct waiter *w)
{
	struct schedule_item *item = d->schedule;

	if (item == NULL)
		item = item_new(s, d);
	w->waiting = true;
	s->waiters++;
	LIST_INSERT_HEAD(&item->waiters, w, link);
	if (item->state == ITEM_IDLE || item->state == ITEM_QUEUED) {
		enqueue(s, item, QUEUE_DEMAND);
		kick(s);
	}
}

void
scheduler_unwait(struct scheduler *s, struct deployment *d, struct waiter *w)
{
	struct schedule_item *item;

	if (!w->waiting)
		return;
	LIST_REMOVE(w, link);
	w->waiting = false;
	s->waiters--;
	item = d->schedule;
	if (item->state != ITEM_QUEUED || !LIST_EMPTY(&item->waiters))
		return;
	/* Nobody waits: either its turn has come too, or it goes back to where it was. */
	queue_remove(&s->queue, &item->queue);
	set_state(item, ITEM_IDLE);
	if (item->background && in_background(s, d))
		enqueue(s, item, QUEUE_BACKGROUND);
	else
		first_turn(s, item);
	kick(s);
}

/* Life. */

struct scheduler *
scheduler_new(struct event_base *base, struct fleet *fleet)
{
	struct scheduler *s = xcalloc(1, sizeof(*s));
	const struct pool_events events = { on_done, on_worker };
	const struct fleet_watch watch = { NULL, on_gone, s };

	s->base = base;
	s->fleet = fleet;
	s->pool = pool_new(base, &events, s);
	LIST_INIT(&s->claims);
	queue_init(&s->queue);
	buf_init(&s->packed, VERDICT_PACKED_MAX);
	s->run = event_new(base, -1, 0, on_run, s);
	s->timer = evtimer_new(base, on_timer, s);
	if (s->run == NULL || s->timer == NULL)
		fatal("cannot make the scheduler's timers");
	fleet_add_watch(fleet, &watch);
	return s;
}

void
scheduler_free(struct scheduler *s)
{
	struct claim *c;

	if (s == NULL)
		return;
	s->store = NULL;
	fleet_remove_watch(s->fleet, s);
	for (size_t i = 0; i < fleet_size(s->fleet); i++)
		if (fleet_at(s->fleet, i)->schedule)
			item_free(fleet_at(s->fleet, i)->schedule);
	while ((c = LIST_FIRST(&s->claims)) != NULL) {
		LIST_REMOVE(c, link);
		free(c);
	}
	pool_free(s->pool);
	queue_clear(&s->queue);
	heap_clear(&s->due);
	buf_clear(&s->packed);
	event_free(s->run);
	event_free(s->timer);
	free(s);
}

struct pool *
scheduler_pool(struct scheduler *s)
{
	return s->pool;
}

struct event_base *
scheduler_base(struct scheduler *s)
{
	return s->base;
}

void
scheduler_set_store(struct scheduler *s, struct store *store)
{
	s->store = store;
}

void
scheduler_set_observer(
    struct scheduler *s, void (*observer)(struct deployment *d, void *arg), void *arg)
{
	s->observer = observer;
	s->observer_arg = arg;
}

static void
all_first_turns(struct scheduler *s)
{
	for (size_t i = 0; i < fleet_size(s->fleet); i++) {
		struct deployment *d = fleet_at(s->fleet, i);

		if (d->schedule)
			first_turn(s, d->schedule);
	}
	kick(s);
}

void
scheduler_start(struct scheduler *s)
{
	s->background = true;
	all_first_turns(s);
}

void
scheduler_stop(struct scheduler *s)
{
	s->background = false;
	for (size_t i = 0; i < fleet_size(s->fleet); i++) {
		struct schedule_item *item = fleet_at(s->fleet, i)->schedule;

		if (item == NULL || item->state != ITEM_QUEUED || !LIST_EMPTY(&item->waiters))
			continue;
		queue_remove(&s->queue, &item->queue);
		set_state(item, ITEM_IDLE);
	}
	all_first_turns(s); /* takes them all out of the heap */
}

void
scheduler_counts(const struct scheduler *s, struct scheduler_counts *counts)
{
	*counts = (struct scheduler_counts){ s->queue.taken, s->waiters, s->queue.queued,
		s->started, s->finished };
}

int64_t
scheduler_due_us(const struct deployment *d)
{
	return d->schedule && heap_has(&d->schedule->due) ? d->schedule->due.key : 0;
}
