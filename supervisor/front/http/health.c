/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer about the whole fleet is joined from the deployments' fragments once for each version
 * of the fleet and then shared by all who ask. Where LiteLLM probes when it is asked, so do we: the
 * request waits in the scheduler's single flight, and what it wanted is looked up again when it is
 * answered, because the configuration may be another by then.
 */
#include "supervisor/front/http/health.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "supervisor/front/ask.h"
#include "supervisor/front/entry.h"
#include "supervisor/front/http/groups.h"
#include "supervisor/front/http/ietf.h"
#include "supervisor/front/http/params.h"
#include "supervisor/front/http/server.h"

#define ETAG_SIZE 48
#define FRAME_SIZE 512 /* of a body without its entries */

struct health {
	struct groups groups;
	struct {
		struct blob *body;
		uint64_t version;
		char etag[ETAG_SIZE];
	} whole[ENTRY_KINDS];
	uint64_t nonce; /* of this process, so that no other's entity tags are taken for ours */
	uint64_t bodies;
	uint8_t *states; /* of the selection at hand */
	struct deployment **asked;
	size_t room; /* of both */
};

/* What a request wants to know of. */
struct wanted {
	char *model, *model_id; /* NULL: not said */
	bool member;		/* not an admin */
	bool ietf;		/* in the IETF draft's form */
};

struct waiting {
	struct conn *conn;
	struct ask *ask;
	struct wanted wanted;
	enum entry_kind kind; /* rendered as results come */
};

struct selection {
	const uint32_t *v;	 /* indices; NULL: all */
	struct deployment *only; /* or this one */
	size_t n;
	bool found;
};

struct health *
health_new(void)
{
	struct health *s = xcalloc(1, sizeof(*s));

	if (getrandom(&s->nonce, sizeof(s->nonce), GRND_NONBLOCK) != sizeof(s->nonce))
		s->nonce = (uint64_t)clock_wall_ms();
	return s;
}

void
health_free(struct health *s)
{
	for (int i = 0; i < ENTRY_KINDS; i++)
		blob_unref(s->whole[i].body);
	groups_clear(&s->groups);
	free(s->states);
	free(s->asked);
	free(s);
}

static void
make_room(struct health *s, size_t n)
{
	if (n <= s->room && s->states)
		return;
	s->room = n + n / 4 + 16;
	s->states = xrealloc(s->states, s->room);
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
choose(struct http *h, const struct wanted *w, struct selection *s)
{
	struct health *health = h->health;

	*s = (struct selection){ NULL, NULL, fleet_size(h->fleet), true };
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

static struct deployment *
chosen(const struct http *h, const struct selection *s, size_t i)
{
	return s->only ? s->only : fleet_at(h->fleet, s->v ? s->v[i] : i);
}

static char *
add_text(char *at, const char *text)
{
	size_t n = strlen(text);

	memcpy(at, text, n);
	return at + n;
}

/* One list: the entries whose state is one of the two. */
static char *
add_list(char *at, const struct http *h, const struct selection *s, enum entry_kind kind,
    enum verdict_state a, enum verdict_state b)
{
	bool first = true;

	*at++ = '[';
	for (size_t i = 0; i < s->n; i++) {
		enum verdict_state state = (enum verdict_state)h->health->states[i];
		struct str entry;

		if (state != a && state != b)
			continue;
		entry = entry_render_as(chosen(h, s, i), kind, state);
		if (!first)
			*at++ = ',';
		first = false;
		memcpy(at, entry.p, entry.n);
		at += entry.n;
	}
	*at++ = ']';
	return at;
}

/* The body about a selection, in the place of an old one. *healthy: how many are. */
static struct blob *
make_body(struct http *h, const struct selection *s, enum entry_kind kind, struct blob *old,
    size_t *healthy)
{
	size_t counts[VERDICT_DISABLED + 1] = { 0 }, size = FRAME_SIZE, unknown, disabled;
	int64_t now = clock_wall_ms();
	struct blob *body;
	char *at;

	for (size_t i = 0; i < s->n; i++) {
		struct deployment *d = chosen(h, s, i);
		enum verdict_state state = health_state(h, d, now);

		h->health->states[i] = (uint8_t)state;
		counts[state]++;
		size += entry_render_as(d, kind, state).n + 1;
	}
	unknown = counts[VERDICT_UNKNOWN] + counts[VERDICT_STALE];
	disabled = counts[VERDICT_DISABLED];
	*healthy = counts[VERDICT_HEALTHY];
	body = blob_renew(old, size);
	at = add_text(body->data, "{\"healthy_endpoints\":");
	at = add_list(at, h, s, kind, VERDICT_HEALTHY, VERDICT_HEALTHY);
	at = add_text(at, ",\"unhealthy_endpoints\":");
	at = add_list(at, h, s, kind, VERDICT_UNHEALTHY, VERDICT_UNHEALTHY);
	at += sprintf(at, ",\"healthy_count\":%zu,\"unhealthy_count\":%zu,\"unknown_endpoints\":",
	    counts[VERDICT_HEALTHY], counts[VERDICT_UNHEALTHY]);
	at = add_list(at, h, s, kind, VERDICT_UNKNOWN, VERDICT_STALE);
	at = add_text(at, ",\"disabled_endpoints\":");
	at = add_list(at, h, s, kind, VERDICT_DISABLED, VERDICT_DISABLED);
	at += sprintf(at,
	    ",\"unknown_count\":%zu,\"disabled_count\":%zu,\"progress\":{\"checked\":%zu,\"total\":"
	    "%zu}}",
	    unknown, disabled, s->n - disabled - counts[VERDICT_UNKNOWN], s->n - disabled);
	body->len = (size_t)(at - body->data);
	return body;
}

static struct blob *
whole_body(struct http *h, enum entry_kind kind, struct str *etag)
{
	struct health *s = h->health;
	uint64_t version = fleet_version(h->fleet);
	struct selection all = { NULL, NULL, fleet_size(h->fleet), true };
	size_t healthy;

	if (s->whole[kind].body == NULL || s->whole[kind].version != version) {
		make_room(s, all.n);
		s->whole[kind].body = make_body(h, &all, kind, s->whole[kind].body, &healthy);
		s->whole[kind].version = version;
		snprintf(s->whole[kind].etag, ETAG_SIZE, "\"%llx-%llx\"",
		    (unsigned long long)s->nonce, (unsigned long long)++s->bodies);
	}
	*etag = str_of(s->whole[kind].etag);
	return s->whole[kind].body;
}

/* Fills in the answer; the caller drops *own after it has been sent. */
static void
make_reply(struct http *h, const struct wanted *w, struct reply *r, struct blob **own)
{
	static struct buf notice = BUF_INIT(8192);
	enum entry_kind kind = kind_for(h, w);
	struct selection s;
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
on_asked(void *arg)
{
	struct waiting *w = arg;
	struct conn *c = w->conn;
	struct blob *own;
	struct reply r;

	make_reply(conn_http(c), &w->wanted, &r, &own);
	waiting_free(w);
	conn_reply_late(c, &r);
	blob_unref(own);
}

static void
on_cancel(void *arg)
{
	struct waiting *w = arg;

	ask_cancel(w->ask);
	waiting_free(w);
}

/* The deployments to be asked now, in h->health->asked. */
static size_t
to_ask(struct http *h, const struct selection *s)
{
	size_t n = 0;

	if (in_background(h))
		return 0;
	for (size_t i = 0; i < s->n; i++) {
		struct deployment *d = chosen(h, s, i);

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
	struct selection s;
	struct waiting *w;
	size_t n;

	choose(h, wanted, &s);
	n = to_ask(h, &s);
	if (n == 0)
		return false;
	w = xcalloc(1, sizeof(*w));
	if (ask_new(h->scheduler, h->health->asked, n, http_setting(h, SETTING_MAX_AGE),
		conn_request_id(c), on_asked, w, &w->ask) < 0) {
		/* It cannot be asked just now; what is known is an answer too, with its time. */
		free(w);
		return false;
	}
	w->conn = c;
	w->wanted = *wanted;
	w->kind = kind_for(h, wanted);
	entry_eager(w->kind, true);
	*wanted = (struct wanted){ 0 };
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
	} else if (!ask(c, &w)) {
		make_reply(conn_http(c), &w, &reply, &own);
		conn_reply(c, &reply);
		blob_unref(own);
	}
	wanted_clear(&w);
}
