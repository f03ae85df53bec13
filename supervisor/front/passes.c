/* SPDX-License-Identifier: Apache-2.0 */
/* A list: there are few at a time. Those of a worker that dies end with it: what was asked once may
 * have been paid for, and is not asked again. */
#include "supervisor/front/passes.h"

#include <event2/event.h>
#include <stdlib.h>

#include "shared/log.h"
#include "shared/peer.h"
#include "shared/reason.h"
#include "supervisor/front/pool.h"

struct pass {
	struct pass *next, **link;
	struct passes *owner;
	uint32_t id, handle, worker;
	unsigned tries; /* workers that were asked */
	int64_t timeout_ms;
	struct event *timer;
	struct buf body;
	size_t sent, not_taken;
	size_t untaken, max_untaken; /* of the answer, by the client */
	bool headed;
	struct pass_events events;
	void *arg;
};

struct passes {
	struct event_base *base;
	struct pool *pool;
	struct pass *first;
	size_t n;
	uint32_t last_id;
};

static void
pass_free(struct pass *p)
{
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	p->owner->n--;
	event_free(p->timer);
	buf_clear(&p->body);
	free(p);
}

static struct pass *
find(struct passes *all, uint32_t id, uint32_t worker)
{
	struct pass *p = all->first;

	while (p && (p->id != id || p->worker != worker))
		p = p->next;
	return p;
}

static void
end(struct pass *p, const struct msg_pass_end *m)
{
	struct pass_events events = p->events;
	void *arg = p->arg;

	pass_free(p);
	events.end(arg, m);
}

static void
fail(struct pass *p, enum reason reason, int64_t status, const char *error)
{
	const struct msg_pass_end m = {
		.pass = p->id,
		.outcome = PASS_FAILED,
		.reason = (uint32_t)reason,
		.exception_status = status,
		.error = str_of(error),
		.detail = STR(""),
	};

	end(p, &m);
}

/* As much of the body as the window lets; false when the worker is not to be had. */
static bool
send_body(struct pass *p, struct peer *peer)
{
	while (p->sent < p->body.len && p->not_taken < PASS_WINDOW) {
		size_t left = p->body.len - p->sent;
		struct msg_pass_body m = { .pass = p->id,
			.bytes = { p->body.data + p->sent,
			    left < PASS_PIECE_BYTES ? left : PASS_PIECE_BYTES } };

		if (peer_send(peer, MSG_PASS_BODY, 0, &m) < 0)
			return false;
		p->sent += m.bytes.n;
		p->not_taken += m.bytes.n;
	}
	return true;
}

/* Asks the next worker that is there. */
static bool
ask(struct pass *p)
{
	struct msg_pass m = { p->id, p->handle, p->body.len, (uint64_t)p->timeout_ms };
	struct peer *peer;

	while ((peer = pool_peer(p->owner->pool, p->handle, p->tries, &p->worker)) != NULL) {
		p->tries++;
		p->sent = p->not_taken = 0;
		if (peer_send(peer, MSG_PASS, 0, &m) == 0 && send_body(p, peer))
			return true;
	}
	return false;
}

static void
tell_cancel(struct pass *p)
{
	struct msg_pass_cancel m = { p->id };
	struct peer *peer = pool_peer_at(p->owner->pool, p->worker);

	/* When it cannot be said, the worker is dead. */
	if (peer && peer_send(peer, MSG_PASS_CANCEL, 0, &m) < 0)
		log_event(LOG_LEVEL_DEBUG, "cancel_not_sent", LI("worker", p->worker));
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pass *p = arg;

	tell_cancel(p);
	fail(p, REASON_TIMEOUT, 408,
	    "litellm.Timeout: the process that asks gave no answer in time");
}

struct pass *
passes_start(struct passes *all, uint32_t handle, struct buf *body, int64_t timeout_ms,
    size_t max_untaken, const struct pass_events *events, void *arg)
{
	struct pass *p = xcalloc(1, sizeof(*p));
	int64_t last_ms = timeout_ms + POOL_MARGIN_MS;
	struct timeval tv = { last_ms / 1000, last_ms % 1000 * 1000 };

	p->owner = all;
	p->id = ++all->last_id;
	p->handle = handle;
	p->timeout_ms = timeout_ms;
	p->max_untaken = max_untaken;
	p->events = *events;
	p->arg = arg;
	p->body = *body;
	p->timer = evtimer_new(all->base, on_timer, p);
	if (p->timer == NULL)
		fatal("cannot make a timer");
	p->next = all->first;
	p->link = &all->first;
	if (all->first)
		all->first->link = &p->next;
	all->first = p;
	all->n++;
	*body = BUF_INIT(body->max);
	if (!ask(p)) {
		*body = p->body;
		p->body = BUF_INIT(0);
		pass_free(p);
		return NULL;
	}
	event_add(p->timer, &tv);
	return p;
}

void
passes_taken(struct pass *p, size_t n)
{
	struct peer *peer = pool_peer_at(p->owner->pool, p->worker);
	struct msg_pass_taken m = { p->id, (uint32_t)n };

	p->untaken -= n < p->untaken ? n : p->untaken;
	/* A worker that is gone says so by itself. */
	if (peer && peer_send(peer, MSG_PASS_TAKEN, 0, &m) < 0)
		log_event(LOG_LEVEL_DEBUG, "taken_not_sent", LI("worker", p->worker));
}

void
passes_cancel(struct pass *p)
{
	tell_cancel(p);
	pass_free(p);
}

/* ---- what the workers say ---- */

static void
on_taken(struct pass *p, const struct msg_pass_body_taken *m)
{
	struct peer *peer = pool_peer_at(p->owner->pool, p->worker);

	p->not_taken -= m->bytes < p->not_taken ? m->bytes : p->not_taken;
	if (peer)
		(void)send_body(p, peer);
}

static void
on_end(struct pass *p, const struct msg_pass_end *m)
{
	/* It takes no more; nothing was asked. */
	if (m->outcome == PASS_STOPPING && !p->headed) {
		if (!ask(p))
			fail(p, REASON_CONFIG, 503,
			    "litellm.ServiceUnavailableError: no worker is there to ask");
		return;
	}
	end(p, m);
}

/* A worker that knows no window would fill the memory here. */
static void
on_piece(struct pass *p, const struct msg_pass_piece *m)
{
	if (!p->headed)
		return;
	p->untaken += m->bytes.n;
	if (p->untaken <= p->max_untaken) {
		p->events.piece(p->arg, m->bytes);
		return;
	}
	log_event(LOG_LEVEL_ERROR, "pass_flood", LI("worker", p->worker), LI("bytes", p->untaken));
	tell_cancel(p);
	fail(p, REASON_BAD_RESPONSE, 502,
	    "litellm.InternalServerError: the process that asks sent more than was taken");
}

static void
on_message(void *arg, uint32_t worker, const struct msg *m)
{
	struct passes *all = arg;
	struct pass *p = NULL;

	/* Their first field is the pass; one that has ended meanwhile is not found. */
	switch (m->type) {
	case MSG_PASS_HEAD:
		p = find(all, ((const struct msg_pass_head *)m->body)->pass, worker);
		if (p && !p->headed) {
			/* Who answers will not say that another one should. */
			p->headed = true;
			buf_clear(&p->body);
			p->events.head(p->arg, m->body);
		}
		break;
	case MSG_PASS_PIECE:
		p = find(all, ((const struct msg_pass_piece *)m->body)->pass, worker);
		if (p)
			on_piece(p, m->body);
		break;
	case MSG_PASS_BODY_TAKEN:
		p = find(all, ((const struct msg_pass_body_taken *)m->body)->pass, worker);
		if (p)
			on_taken(p, m->body);
		break;
	case MSG_PASS_END:
		p = find(all, ((const struct msg_pass_end *)m->body)->pass, worker);
		if (p)
			on_end(p, m->body);
		break;
	default:
		break;
	}
}

static void
on_lost(void *arg, uint32_t worker)
{
	struct passes *all = arg;
	struct pass *p, *next;

	/* An end starts no other pass and ends none. */
	for (p = all->first; p; p = next) {
		next = p->next;
		if (p->worker == worker)
			fail(p, REASON_PROBE_CRASHED, 502,
			    "litellm.InternalServerError: the process that asked has died");
	}
}

struct passes *
passes_new(struct event_base *base, struct pool *pool)
{
	struct passes *all = xcalloc(1, sizeof(*all));
	const struct pool_guest guest = { on_message, on_lost, all };

	all->base = base;
	all->pool = pool;
	pool_set_guest(pool, &guest);
	return all;
}

void
passes_free(struct passes *all)
{
	const struct pool_guest none = { NULL, NULL, NULL };

	if (all == NULL)
		return;
	pool_set_guest(all->pool, &none);
	while (all->first)
		passes_cancel(all->first);
	free(all);
}

size_t
passes_count(const struct passes *all)
{
	return all->n;
}
