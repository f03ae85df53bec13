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
#include "supervisor/front/keep.h"
#include "supervisor/front/pool.h"
#include "supervisor/front/quorum.h"
#include "supervisor/front/store/store.h"
#include "supervisor/front/turn.h"
#include "supervisor/front/verdict_pack.h"

/* A claim outlives the probe that it is for by this. */
#define LEASE_MARGIN_MS 10000
#define MAX_STREAK 100
/* The claim of whoever probes because somebody waits. */
#define SLOT_DEMAND ((uint64_t)1 << 62)

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

static struct schedule_item *
item_new(struct scheduler *s, struct deployment *d)
{
	struct schedule_item *item = xcalloc(1, sizeof(*item));

	item->scheduler = s;
	item->d = d;
	LIST_INIT(&item->waiters);
	queue_attach(&s->queue, &item->queue, d->host);
	item->interval_ms = turn_interval_ms(s, d);
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

/* Nothing is asked of it any more, or nothing can be: whoever waits has what there is. */
static void
unwanted(struct scheduler *s, struct schedule_item *item)
{
	if (item->state == ITEM_QUEUED) {
		queue_remove(&s->queue, &item->queue);
		set_state(item, ITEM_IDLE);
	} else if (item->state == ITEM_RUNNING && item->d->problem_reason != REASON_OK) {
		pool_cancel(s->pool, item->job);
		item->job = NULL;
		give_back(s, item);
	}
	tell_waiters(item);
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
			turn_first(s, item_new(s, d));
			continue;
		}
		if (item->queue.state == QUEUE_OUT &&
		    strcmp(queue_item_host(&item->queue), d->host) != 0)
			queue_attach(&s->queue, &item->queue, d->host);
		if (item->generation != d->generation) {
			/* Another configuration of the same id: the old results mean little. */
			item->generation = d->generation;
			item->streak = 0;
			item->interval_ms = turn_interval_ms(s, d);
			item->again = item->state == ITEM_RUNNING || item->state == ITEM_CLAIMING;
			if (item->state == ITEM_IDLE && turn_in_background(s, d))
				turn_set(item, 0);
		} else if (item->interval_ms != turn_interval_ms(s, d)) {
			item->interval_ms = turn_interval_ms(s, d);
			turn_next(s, item, -1);
		} else if (heap_has(&item->due) !=
			   (item->state == ITEM_IDLE && turn_in_background(s, d))) {
			turn_first(s, item);
		}
		if (item->state == ITEM_IDLE && !turn_in_background(s, d))
			heap_remove(&s->due, &item->due);
		if (d->problem_reason != REASON_OK ||
		    (LIST_EMPTY(&item->waiters) && !turn_in_background(s, d)))
			unwanted(s, item);
	}
	pool_set_generation(s->pool, fleet_generation(s->fleet));
	kick(s);
}

static void
enqueue(struct scheduler *s, struct schedule_item *item, enum queue_priority priority)
{
	heap_remove(&s->due, &item->due);
	item->elsewhere = false;
	set_state(item, ITEM_QUEUED);
	queue_put(&s->queue, &item->queue, priority);
}

static void
start_probe(struct scheduler *s, struct schedule_item *item)
{
	set_state(item, ITEM_RUNNING);
	item->elsewhere = item->denied = false;
	item->elsewhere_end_ms = 0;
	item->began_ms = clock_mono_ms();
	s->started++;
	if (item->background) {
		int64_t late = clock_mono_us() - item->wanted_us;

		histogram_add(&s->lag, late > 0 ? (uint64_t)late : 0);
	}
	item->job = pool_start(
	    s->pool, item->d->handle, item->d->timeout_ms, turn_request(item), item);
	turn_log(item, NULL);
}

/* Another instance is asking it just now: its answer is ours too. */
static void
wait_elsewhere(struct scheduler *s, struct schedule_item *item)
{
	if (item->d->verdict.checked_at_ms >= item->asked_ms) {
		item->elsewhere_end_ms = 0;
		turn_next(s, item, -1);
		tell_waiters(item);
		return;
	}
	turn_elsewhere(item);
}

static void
on_claim(bool granted, void *arg)
{
	bool demanded;
	struct claim *c = arg;
	struct schedule_item *item = c->item;
	struct scheduler *s = c->scheduler;

	LIST_REMOVE(c, link);
	free(c);
	if (item == NULL)
		return;
	item->claim = NULL;
	if (item->d->problem_reason == REASON_OK && granted) {
		start_probe(s, item);
		return;
	}
	demanded = item->demand;
	item->demand = false;
	item->denied = true;
	give_back(s, item);
	if (!LIST_EMPTY(&item->waiters) && item->d->problem_reason == REASON_OK) {
		if (demanded)
			wait_elsewhere(s, item);
		else
			enqueue(s, item, QUEUE_DEMAND);
		return;
	}
	turn_denied(s, item);
}

static void
start_claim(struct scheduler *s, struct schedule_item *item)
{
	struct schedule_rules rules = turn_rules(s, item);
	int64_t now = turn_now_ms(s);
	uint64_t slot = schedule_slot(&rules, now);
	unsigned flags;
	struct claim *c;

	if (s->store == NULL) {
		start_probe(s, item);
		return;
	}
	flags = turn_overdue(s, item) ? STORE_CLAIM_ANYBODY : 0;
	/* A re-check has slots of its own, as long as the time between two of them. */
	if (item->off_grid)
		slot = (uint64_t)1 << 63 | (uint64_t)(now / rules.recheck_ms);
	item->demand = !LIST_EMPTY(&item->waiters);
	if (item->demand) {
		slot = SLOT_DEMAND;
		flags = STORE_CLAIM_ANYBODY;
	}
	c = xcalloc(1, sizeof(*c));
	c->scheduler = s;
	c->item = item;
	item->claim = c;
	set_state(item, ITEM_CLAIMING);
	LIST_INSERT_HEAD(&s->claims, c, link);
	if (store_claim(s->store, str_of(item->d->id), slot, item->d->timeout_ms + LEASE_MARGIN_MS,
		flags, item->demand ? item->asked_ms : 0, on_claim, c) < 0) {
		item->claim = NULL;
		LIST_REMOVE(c, link);
		free(c);
		start_probe(s, item);
	}
}

static void
on_done(void *job_arg, const struct msg_result *r, void *arg)
{
	struct schedule_item *item = job_arg;
	struct scheduler *s = arg;
	struct deployment *d = item->d;
	bool again = item->again, shared = s->store && store_again_ms(s->store) > 0;

	s->pulse.most_ms = shared ? fleet_settings(s->fleet)->num[SETTING_REDIS_HEARTBEAT] : 0;
	pulse_feel(&s->pulse);
	item->job = NULL;
	item->again = false;
	s->finished++;
	turn_log(item, r);
	if (r->healthy)
		item->streak = 0;
	else if (item->streak < MAX_STREAK)
		item->streak++;
	if (shared && (pulse_stopped_since(&s->pulse, item->began_ms) ||
			      clock_mono_ms() - item->began_ms > d->timeout_ms + LEASE_MARGIN_MS)) {
		/* We were stopped meanwhile, and others have asked for us: no truth of now. */
		log_event(LOG_LEVEL_NOTICE, "result_too_late", LS("id", d->id));
		again = true;
	} else if (quorum_on(s->store)
		       ? quorum_result(s->fleet, s->store, d, r)
		       : fleet_apply(s->fleet, d, r) && s->store) {
		item->theirs = false;
		keep_put(s->store, s->fleet, d, &s->packed);
	}
	if (item->demand && s->store)
		store_release(s->store, str_of(d->id), SLOT_DEMAND);
	item->demand = false;
	give_back(s, item);
	turn_next(s, item, turn_wait_ms(r));
	if (again && turn_in_background(s, d))
		turn_set(item, 0);
	tell_waiters(item);
	if (s->observer)
		s->observer(d, s->observer_arg);
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
	bool shared = s->store && store_again_ms(s->store) > 0;
	struct heap_node *first;
	struct queue_item *next;

	while ((first = heap_first(&s->due)) != NULL && first->key <= now) {
		struct schedule_item *item = HEAP_OWNER(first, struct schedule_item, due);

		item->background = !item->elsewhere;
		enqueue(s, item, item->elsewhere ? QUEUE_DEMAND : QUEUE_BACKGROUND);
	}
	while (pool_workers(s->pool) > 0 && (next = queue_take(&s->queue, now)) != NULL) {
		struct schedule_item *item = HEAP_OWNER(next, struct schedule_item, queue);

		/* Who asks wants an answer of now, whoever's turn it is. */
		if (LIST_EMPTY(&item->waiters) || (shared && !turn_waited_enough(item)))
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

void
scheduler_wait(struct scheduler *s, struct deployment *d, struct waiter *w)
{
	struct schedule_item *item = d->schedule;

	if (item == NULL)
		item = item_new(s, d);
	w->waiting = true;
	s->waiters++;
	s->shared += item->state != ITEM_IDLE;
	if (LIST_EMPTY(&item->waiters))
		item->asked_ms = w->since_ms ? w->since_ms : clock_wall_ms();
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
	if (item->background && turn_in_background(s, d))
		enqueue(s, item, QUEUE_BACKGROUND);
	else
		turn_first(s, item);
	kick(s);
}

struct scheduler *
scheduler_new(struct event_base *base, struct fleet *fleet)
{
	struct scheduler *s = xcalloc(1, sizeof(*s));
	const struct pool_events events = { on_done, on_worker };
	const struct fleet_watch watch = { .gone = on_gone, .arg = s };

	s->base = base;
	s->fleet = fleet;
	s->pool = pool_new(base, &events, s);
	LIST_INIT(&s->claims);
	queue_init(&s->queue);
	buf_init(&s->packed, VERDICT_PACKED_MAX);
	s->run = event_new(base, -1, 0, on_run, s);
	s->timer = evtimer_new(base, on_timer, s);
	pulse_init(&s->pulse, base);
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
	pulse_clear(&s->pulse);
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

struct store *
scheduler_store(const struct scheduler *s)
{
	return s ? s->store : NULL;
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

		if (d->schedule && !d->schedule->elsewhere)
			turn_first(s, d->schedule);
	}
	kick(s);
}

void
scheduler_renewed(struct scheduler *s, struct deployment *d)
{
	struct schedule_item *item = d->schedule;

	if (item == NULL)
		return;
	if (item->elsewhere) {
		item->elsewhere = false;
		item->elsewhere_end_ms = 0;
		tell_waiters(item);
	} else if (quorum_on(s->store)) {
		return; /* we look for ourselves */
	}
	item->theirs = true;
	if (d->verdict.state != VERDICT_UNHEALTHY)
		item->streak = 0;
	else if (item->streak < MAX_STREAK)
		item->streak++;
	if (item->state == ITEM_QUEUED && LIST_EMPTY(&item->waiters)) {
		queue_remove(&s->queue, &item->queue);
		item->background = false;
		set_state(item, ITEM_IDLE);
	}
	turn_first(s, item);
	kick(s);
}

void
scheduler_confirm(struct scheduler *s, struct deployment *d)
{
	if (d->schedule && turn_soon(s, d->schedule))
		kick(s);
}

void
scheduler_replan(struct scheduler *s)
{
	for (size_t i = 0; i < fleet_size(s->fleet); i++) {
		struct schedule_item *item = fleet_at(s->fleet, i)->schedule;

		if (item && !item->elsewhere &&
		    (item->theirs || item->denied || item->d->verdict.checked_at_ms == 0))
			turn_first(s, item);
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
	*counts =
	    (struct scheduler_counts){ s->queue.taken, s->waiters, s->queue.queued, s->started,
		    s->finished, s->shared, &s->lag, s->store ? store_name(s->store) : NULL };
}

int64_t
scheduler_due_us(const struct deployment *d)
{
	return d->schedule && heap_has(&d->schedule->due) ? d->schedule->due.key : 0;
}
