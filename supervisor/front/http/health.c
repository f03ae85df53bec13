/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer about the whole fleet is joined from the deployments' fragments once for each version
 * of the fleet and then shared by all who ask; that of a large fleet in pieces, each in a turn of
 * its own, so that nobody else waits for it. Where LiteLLM probes when it is asked, so do we: the
 * request waits in the scheduler's single flight, and what it wanted is looked up again when it is
 * answered, because the configuration may be another by then.
 */
#include "supervisor/front/http/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "shared/log.h"
#include "supervisor/front/ask.h"
#include "supervisor/front/entry.h"
#include "supervisor/front/http/groups.h"
#include "supervisor/front/http/health_body.h"
#include "supervisor/front/http/ietf.h"
#include "supervisor/front/http/params.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/http/turns.h"

#define ETAG_SIZE 48
#define PIECE 512 /* deployments looked at in one turn of the loop; below 0.2 ms */
#define RESTARTS 3 /* of a join whose fleet changes meanwhile; then it is made in one turn */

TAILQ_HEAD(waiting_list, waiting);

struct whole {
	struct health *health;
	struct blob *body; /* NULL: none yet */
	uint64_t version;
	char etag[ETAG_SIZE];
	/* While it is joined anew in pieces; on: `turn` is pending. */
	struct http *http;
	struct event *turn;
	bool on;
	unsigned restarts;
	uint64_t joining; /* the version that is being joined */
	struct body_making making;
	struct waiting_list waiting;
};

struct health {
	struct groups groups;
	struct whole whole[ENTRY_KINDS];
	uint64_t nonce; /* of this process, so that no other's entity tags are taken for ours */
	uint64_t bodies;
	struct deployment **asked;
	size_t room;
};

/* What a request wants to know of. */
struct wanted {
	char *model, *model_id; /* NULL: not said */
	bool member;		/* not an admin */
	bool ietf;		/* in the IETF draft's form */
};

struct waiting {
	struct conn *conn;
	struct ask *ask;      /* NULL: it waits for the join */
	struct whole *joined; /* … of this */
	struct wanted wanted;
	enum entry_kind kind; /* rendered as results come */
	TAILQ_ENTRY(waiting) link;
};

struct health *
health_new(void)
{
	struct health *s = xcalloc(1, sizeof(*s));

	if (getrandom(&s->nonce, sizeof(s->nonce), GRND_NONBLOCK) != sizeof(s->nonce))
		s->nonce = (uint64_t)clock_wall_ms();
	for (int i = 0; i < ENTRY_KINDS; i++) {
		s->whole[i].health = s;
		TAILQ_INIT(&s->whole[i].waiting);
	}
	return s;
}

void
health_free(struct health *s)
{
	for (int i = 0; i < ENTRY_KINDS; i++) {
		struct whole *w = &s->whole[i];

		if (w->turn)
			event_free(w->turn);
		free(w->making.states);
		blob_unref(w->making.body);
		blob_unref(w->body);
	}
	groups_clear(&s->groups);
	free(s->asked);
	free(s);
}

static void
make_room(struct health *s, size_t n)
{
	if (n <= s->room && s->asked)
		return;
	s->room = n + n / 4 + 16;
	s->asked = xrealloc(s->asked, s->room * sizeof(struct deployment *));
}

static enum entry_kind
kind_for(const struct http *h, const struct wanted *w)
{
	if (!http_setting(h, SETTING_HC_DETAILS))
		return ENTRY_MINIMAL;
	return w->member ? ENTRY_MEMBER : ENTRY_FULL;
}

static bool
in_background(const struct http *h)
{
	return http_setting(h, SETTING_BACKGROUND) == 1;
}

/* Never asked for `/health`, whatever is still known of it from another time. */
static bool
left_out(const struct http *h, const struct deployment *d)
{
	if (in_background(h))
		return (d->flags & (DEPLOYMENT_DISABLED | DEPLOYMENT_OUTSIDE)) != 0;
	return (d->flags & DEPLOYMENT_DISABLED) != 0 && http_setting(h, SETTING_HC_SKIP_DISABLED);
}

enum verdict_state
health_state(const struct http *h, const struct deployment *d, int64_t now_ms)
{
	if (left_out(h, d) && d->problem_reason == REASON_OK)
		return VERDICT_DISABLED;
	return fleet_state(h->fleet, d, now_ms);
}

/* model_id wins over model. Valid until the next configuration. */
static void
choose(struct http *h, const struct wanted *w, struct body_selection *s)
{
	struct health *health = h->health;

	*s = (struct body_selection){ NULL, NULL, fleet_size(h->fleet), true };
	make_room(health, s->n);
	if (w->model_id == NULL && w->model == NULL)
		return;
	if (w->model_id) {
		s->only = fleet_find_id(h->fleet, str_of(w->model_id));
		s->found = s->only != NULL;
		s->n = s->found;
		return;
	}
	groups_update(&health->groups, h->fleet);
	s->n = groups_find(&health->groups, h->fleet, str_of(w->model), &s->v);
}

/* The body about a selection. *healthy: how many are. */
static struct blob *
make_body(struct http *h, const struct body_selection *s, enum entry_kind kind, struct blob *old,
    size_t *healthy)
{
	struct body_making m;

	body_begin(&m, s, kind);
	while (!body_go_on(&m, h, SIZE_MAX, &old))
		;
	*healthy = m.counts[VERDICT_HEALTHY];
	return m.body;
}

static bool
is_current(const struct http *h, const struct whole *w)
{
	return w->body && w->version == fleet_version(h->fleet);
}

static void
whole_made(struct whole *w, struct blob *body, uint64_t version)
{
	w->body = body;
	w->version = version;
	snprintf(w->etag, ETAG_SIZE, "\"%llx-%llx\"", (unsigned long long)w->health->nonce,
	    (unsigned long long)++w->health->bodies);
}

static struct blob *
whole_body(struct http *h, enum entry_kind kind, struct str *etag)
{
	struct whole *w = &h->health->whole[kind];
	struct body_selection all = { NULL, NULL, fleet_size(h->fleet), true };
	size_t healthy;

	if (!is_current(h, w)) {
		struct blob *old = w->body;

		w->body = NULL;
		whole_made(w, make_body(h, &all, kind, old, &healthy), fleet_version(h->fleet));
	}
	*etag = str_of(w->etag);
	return w->body;
}

/* Fills in the answer; the caller drops *own after it has been sent. */
static void
make_reply(struct http *h, const struct wanted *w, struct reply *r, struct blob **own)
{
	static struct buf notice = BUF_INIT(8192);
	enum entry_kind kind = kind_for(h, w);
	struct body_selection s;
	size_t healthy;

	*r = (struct reply){ .status = 200, .type = REPLY_JSON };
	*own = NULL;
	if (w->member) {
		if (notice.len == 0)
			buf_addf(&notice, "litellm-health-field-notice: %s\r\n",
			    entry_admin_only_notice());
		r->extra = buf_str(&notice);
	}
	if (w->ietf && w->model == NULL && w->model_id == NULL) {
		groups_update(&h->health->groups, h->fleet);
		r->type = REPLY_HEALTH;
		r->vary = STR("Origin, Accept");
		r->body = *own = ietf_fleet(h, &h->health->groups, &r->status);
		return;
	}
	if (w->model == NULL && w->model_id == NULL) {
		r->body = whole_body(h, kind, &r->etag);
		return;
	}
	choose(h, w, &s);
	if (!s.found) {
		r->status = 404;
		r->extra = STR("");
		r->body = *own = route_error("Model with ID ", str_of(w->model_id), " not found");
		return;
	}
	r->body = *own = make_body(h, &s, kind, NULL, &healthy);
	if (healthy == 0)
		r->status = 503;
}

static void
wanted_clear(struct wanted *w)
{
	free(w->model);
	free(w->model_id);
}

static void
waiting_free(struct waiting *w)
{
	entry_eager(w->kind, false);
	wanted_clear(&w->wanted);
	free(w);
}

static void
answer(struct waiting *w)
{
	struct conn *c = w->conn;
	struct blob *own;
	struct reply r;

	make_reply(conn_http(c), &w->wanted, &r, &own);
	waiting_free(w);
	conn_reply_late(c, &r);
	blob_unref(own);
}

/* One piece of a join. What changed meanwhile lets it begin anew. */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct whole *w = arg;
	struct http *h = w->http;
	int64_t start_us = clock_mono_us();
	struct waiting *one;
	enum entry_kind kind = (enum entry_kind)(w - w->health->whole);

	if (w->making.torn || w->joining != fleet_version(h->fleet)) {
		const struct body_selection all = { NULL, NULL, fleet_size(h->fleet), true };

		/* A body half written is memory for the next. */
		if (w->body == NULL) {
			w->body = w->making.body;
			w->making.body = NULL;
		}
		body_drop(&w->making);
		body_begin(&w->making, &all, kind);
		w->joining = fleet_version(h->fleet);
		w->restarts++;
	}
	if (!body_go_on(&w->making, h, w->restarts > RESTARTS ? SIZE_MAX : PIECE, &w->body)) {
		event_active(w->turn, EV_TIMEOUT, 0);
		turns_note(h, start_us);
		return;
	}
	w->on = false;
	whole_made(w, w->making.body, w->joining);
	w->making.body = NULL;
	turns_note(h, start_us);
	while (!w->on && (one = TAILQ_FIRST(&w->waiting)) != NULL) {
		TAILQ_REMOVE(&w->waiting, one, link);
		answer(one);
	}
}

/* Whether the answer is one about a large fleet, which is still to be joined. */
static bool
is_to_join(const struct http *h, const struct wanted *w)
{
	return w->model == NULL && w->model_id == NULL && !w->ietf && fleet_size(h->fleet) > PIECE &&
	       !is_current(h, &h->health->whole[kind_for(h, w)]);
}

/* Its connection waits already. */
static void
join(struct http *h, struct waiting *one)
{
	struct whole *w = &h->health->whole[kind_for(h, &one->wanted)];

	TAILQ_INSERT_TAIL(&w->waiting, one, link);
	one->joined = w;
	if (w->on)
		return;
	w->http = h;
	if (w->turn == NULL)
		w->turn = event_new(h->base, -1, 0, on_turn, w);
	if (w->turn == NULL)
		fatal("cannot make the event of a join");
	w->on = true;
	w->restarts = 0;
	w->joining = fleet_version(h->fleet) - 1; /* begins in its own turn */
	event_active(w->turn, EV_TIMEOUT, 0);
}

static void
on_asked(void *arg)
{
	struct waiting *w = arg;
	struct http *h = conn_http(w->conn);

	w->ask = NULL;
	if (is_to_join(h, &w->wanted))
		join(h, w);
	else
		answer(w);
}

static void
on_cancel(void *arg)
{
	struct waiting *w = arg;

	if (w->ask)
		ask_cancel(w->ask);
	else
		TAILQ_REMOVE(&w->joined->waiting, w, link);
	waiting_free(w);
}

/* Takes `wanted` over. */
static struct waiting *
waiting_new(struct conn *c, struct wanted *wanted)
{
	struct waiting *w = xcalloc(1, sizeof(*w));

	w->conn = c;
	w->wanted = *wanted;
	w->kind = kind_for(conn_http(c), wanted);
	entry_eager(w->kind, true);
	*wanted = (struct wanted){ 0 };
	return w;
}

/* The deployments to be asked now, in h->health->asked. */
static size_t
to_ask(struct http *h, const struct body_selection *s)
{
	size_t n = 0;

	if (in_background(h))
		return 0;
	for (size_t i = 0; i < s->n; i++) {
		struct deployment *d = body_chosen(h, s, i);

		if (d->problem_reason == REASON_OK && !left_out(h, d))
			h->health->asked[n++] = d;
	}
	return n;
}

/* Takes `wanted` over when it waits. */
static bool
ask(struct conn *c, struct wanted *wanted)
{
	struct http *h = conn_http(c);
	struct body_selection s;
	struct waiting *w;
	size_t n;

	choose(h, wanted, &s);
	n = to_ask(h, &s);
	if (n == 0)
		return false;
	w = waiting_new(c, wanted);
	if (ask_new(h->scheduler, h->health->asked, n, http_setting(h, SETTING_MAX_AGE),
		conn_request_id(c), on_asked, w, &w->ask) < 0) {
		/* It cannot be asked just now; what is known is an answer too, with its time. */
		*wanted = w->wanted;
		w->wanted = (struct wanted){ 0 };
		waiting_free(w);
		return false;
	}
	conn_wait(c, on_cancel, w);
	return true;
}

static char *
take_param(struct str query, const char *name)
{
	struct buf value = BUF_INIT(SIZE_MAX);

	if (params_get(query, name, &value))
		return buf_take(&value);
	buf_clear(&value);
	return NULL;
}

void
health_handle(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct wanted w = { .member = caller != CALLER_ADMIN, .ietf = ietf_wanted(r) };
	struct waiting *waiting;
	struct blob *own;
	struct reply reply;

	if (r->query.n > 0) {
		w.model = take_param(r->query, "model");
		w.model_id = take_param(r->query, "model_id");
	}
	if ((w.model_id && *w.model_id == '\0') ||
	    (w.model && *w.model == '\0' && w.model_id == NULL)) {
		route_reply_json(c, 400,
		    route_error("", STR(""),
			w.model_id ? "model_id must not be empty" : "model must not be empty"));
	} else if (ask(c, &w)) {
		return;
	} else if (is_to_join(conn_http(c), &w)) {
		waiting = waiting_new(c, &w);
		conn_wait(c, on_cancel, waiting);
		join(conn_http(c), waiting);
	} else {
		make_reply(conn_http(c), &w, &reply, &own);
		conn_reply(c, &reply);
		blob_unref(own);
	}
	wanted_clear(&w);
}
