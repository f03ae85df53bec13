/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor draws, and may be slower than the probes: verdicts that it has not taken yet wait
 * here as handles, not as bytes.
 */
#include "supervisor/front/round.h"

#include <event2/event.h>
#include <stdlib.h>

#include "shared/buf.h"
#include "shared/log.h"
#include "shared/peer.h"
#include "supervisor/front/ask.h"
#include "supervisor/front/entry.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/scheduler.h"

#define PROGRESS_MS 100
/* More than this is not queued for the supervisor at a time. */
#define QUEUED_BYTES ((size_t)4 << 20)

struct round {
	struct fleet *fleet;
	struct scheduler *scheduler;
	struct peer *supervisor;
	struct ask *ask; /* until it is answered */
	struct event *timer;
	uint32_t *finished; /* handles in the order of their verdicts */
	size_t total, n_finished, n_told, healthy;
	bool ended;
};

static void
tell_progress(struct round *r)
{
	struct scheduler_counts counts;
	struct msg_round_progress m;

	scheduler_counts(r->scheduler, &counts);
	m = (struct msg_round_progress){ (uint32_t)r->total, (uint32_t)r->n_finished,
		(uint32_t)r->healthy, (uint32_t)counts.in_flight };
	if (peer_send(r->supervisor, MSG_ROUND_PROGRESS, 0, &m) < 0)
		log_event(LOG_LEVEL_DEBUG, "progress_not_sent", LI("done", r->n_finished));
}

static int
tell_verdict(struct round *r, struct deployment *d)
{
	const struct verdict *v = &d->verdict;
	const struct history_item *last =
	    d->history_len ? deployment_history(d, d->history_len - 1u) : NULL;
	struct msg_round_verdict m = {
		.handle = d->handle,
		.healthy = v->state == VERDICT_HEALTHY,
		.reason = v->reason,
		.status = v->exception_status,
		.http_status = v->http_status,
		.total_us = last ? last->total_us : v->total_us,
		.first_token_us = v->first_token_us,
		.tokens = (uint32_t)(v->tokens_in + v->tokens_out),
		.error = str_of(v->error),
		.detail = str_of(v->detail),
		.entry = entry_render(d, ENTRY_FULL),
	};
	int rc = peer_send(r->supervisor, MSG_ROUND_VERDICT, 0, &m);

	if (rc == ERR_LIMIT && peer_queued(r->supervisor) < QUEUED_BYTES) {
		/* The provider's headers and our request make it too long: without them then. */
		m.entry = entry_render(d, ENTRY_MINIMAL);
		rc = peer_send(r->supervisor, MSG_ROUND_VERDICT, 0, &m);
	}
	return rc;
}

static void
pump(struct round *r)
{
	while (r->n_told < r->n_finished && peer_queued(r->supervisor) < QUEUED_BYTES) {
		struct deployment *d = fleet_find(r->fleet, r->finished[r->n_told]);

		if (d && d->verdict.state != VERDICT_UNKNOWN && tell_verdict(r, d) < 0)
			break;
		r->n_told++;
	}
	if (r->n_told == r->total && r->ask == NULL && !r->ended) {
		struct msg_round_done m = { (uint32_t)r->healthy,
			(uint32_t)(r->total - r->healthy) };

		r->ended = true;
		tell_progress(r);
		if (peer_send(r->supervisor, MSG_ROUND_DONE, 0, &m) < 0)
			log_event(LOG_LEVEL_ERROR, "round_end_not_sent", LI("done", r->n_finished));
		event_del(r->timer);
	}
}

static void
finished(struct round *r, struct deployment *d)
{
	if (r->n_finished == r->total)
		return;
	r->finished[r->n_finished++] = d->handle;
	r->healthy += d->verdict.state == VERDICT_HEALTHY;
}

static void
on_verdict(struct deployment *d, void *arg)
{
	finished(arg, d);
	pump(arg);
}

static void
on_answered(void *arg)
{
	struct round *r = arg;

	r->ask = NULL;
	/* Nobody was asked for a router: its verdict is there now. */
	for (size_t i = 0; i < fleet_size(r->fleet); i++)
		if (fleet_at(r->fleet, i)->depends.n > 0 &&
		    fleet_at(r->fleet, i)->problem_reason == REASON_OK)
			finished(r, fleet_at(r->fleet, i));
	pump(r);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct round *r = arg;

	tell_progress(r);
	pump(r);
}

struct round *
round_new(struct fleet *fleet, struct scheduler *scheduler, struct peer *supervisor)
{
	struct timeval tv = { 0, PROGRESS_MS * 1000 };
	struct round *r = xcalloc(1, sizeof(*r));
	struct deployment **all;

	r->fleet = fleet;
	r->scheduler = scheduler;
	r->supervisor = supervisor;
	r->total = fleet_size(fleet);
	r->finished = xcalloc(r->total + 1, sizeof(*r->finished));
	r->timer = event_new(scheduler_base(scheduler), -1, EV_PERSIST, on_timer, r);
	if (r->timer == NULL || event_add(r->timer, &tv) < 0)
		fatal("cannot make the round's timer");
	all = xcalloc(r->total + 1, sizeof(struct deployment *));
	for (size_t i = 0; i < r->total; i++) {
		all[i] = fleet_at(fleet, i);
		if (all[i]->problem_reason != REASON_OK)
			finished(r, all[i]);
	}
	scheduler_set_observer(scheduler, on_verdict, r);
	if (ask_new(scheduler, all, r->total, 0, STR(""), on_answered, r, &r->ask) < 0)
		fatal("a round of %zu deployments is too large", r->total);
	free(all);
	tell_progress(r);
	pump(r);
	return r;
}

void
round_free(struct round *r)
{
	if (r == NULL)
		return;
	scheduler_set_observer(r->scheduler, NULL, NULL);
	if (r->ask)
		ask_cancel(r->ask);
	event_free(r->timer);
	free(r->finished);
	free(r);
}
