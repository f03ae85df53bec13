/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request to its answer: the model, the route, whose behaviour applies, the key. The plain
 * healthy answer of a known model is prepared once and sent as it is.
 */
#include <stdlib.h>

#include "shared/clock.h"
#include "tests/standin/standin.h"
#include "tests/standin/websocket.h"

#define CONTROL_PREFIX "/_standin/"

void
standin_init(struct standin *s)
{
	*s = (struct standin){ .log_fd = -1 };
	table_init(&s->models, STANDIN_MODELS_MAX, sizeof(struct model));
	table_init(&s->places, STANDIN_PATHS_MAX, sizeof(struct place));
	table_init(&s->sayings, STANDIN_WORDS_MAX, sizeof(struct saying));
}

void
standin_clear(struct standin *s)
{
	for (struct entry *e = s->models.first; e != NULL; e = e->next) {
		struct model *m = (struct model *)e;
		struct ready *ready, *next;

		for (ready = m->ready; ready != NULL; ready = next) {
			next = ready->next;
			free(ready->bytes);
			free(ready);
		}
		free(m->told);
	}
	table_clear(&s->models);
	table_clear(&s->places);
	table_clear(&s->sayings);
	free(s->everyone);
	strict_clear(&s->strict);
}

struct model *
standin_model(struct standin *s, struct str name)
{
	size_t before = s->models.count;
	struct model *m;

	if (name.n == 0 || name.n > REQUEST_MODEL_MAX)
		return NULL;
	m = (struct model *)table_get(&s->models, name);
	if (m != NULL && s->models.count > before)
		behaviour_parse(&m->own, m->entry.name);
	return m;
}

static struct place *
find_place(struct standin *s, struct str path)
{
	size_t before = s->places.count;
	struct place *p = (struct place *)table_get(&s->places, path);

	if (p != NULL && s->places.count > before) {
		p->route = route_find(p->entry.name, NULL);
		p->varies = route_varies(p->entry.name);
	}
	return p;
}

/* What header or query say; NULL when they say nothing. `spare` is used when too much has been
 * said. */
static struct behaviour *
said_behaviour(struct standin *s, const struct request *r, struct behaviour *spare)
{
	char text[1024];
	struct str words = r->behaviour;
	size_t before = s->sayings.count;
	struct saying *saying;

	if (words.n == 0 && !request_query_field(r->query, "standin", &words))
		return NULL;
	if (words.p != r->behaviour.p)
		words = request_url_decode(words, text, sizeof(text));
	saying = (struct saying *)table_get(&s->sayings, words);
	if (saying == NULL) {
		behaviour_parse(spare, words);
		return spare;
	}
	if (s->sayings.count > before)
		behaviour_parse(&saying->behaviour, words);
	return &saying->behaviour;
}

bool
answer_stalls_continue(struct standin *s, const struct request *r)
{
	struct behaviour spare, *b = s->everyone ? s->everyone : said_behaviour(s, r, &spare);

	return b != NULL && (b->flags & FLAG_STALL100);
}

static struct str
read_model(const struct request *r, const struct route *route, char *text, size_t size)
{
	struct str model = { "", 0 };

	if (r->content_type.n >= 19 && memcmp(r->content_type.p, "multipart/form-data", 19) == 0)
		request_multipart_field(r->body, "model", &model);
	else if (r->body.n > 0 && request_json_member(r->body, "model", &model) &&
		 memchr(model.p, '\\', model.n) != NULL)
		model = request_json_unescape(model, text, size);
	if (model.n == 0 && request_query_field(r->query, "model", &model))
		model = request_url_decode(model, text, size);
	if (model.n == 0 && route != NULL)
		model = request_url_decode(route_path_model(route, r->path), text, size);
	return model;
}

static bool
wants_stream(const struct request *r)
{
	struct str value;

	return r->body.n > 0 && request_json_member(r->body, "stream", &value) &&
	       str_is(value, "true");
}

static void
add_plain(struct reply *reply, struct model *m, const struct answer *a)
{
	struct ready *ready;
	char *id;

	for (ready = m->ready; ready != NULL; ready = ready->next)
		if (ready->route == a->route && ready->stream == a->stream)
			break;
	if (ready == NULL) {
		reply_make(reply, a);
		id = reply_find_id(reply);
		ready = xcalloc(1, sizeof(*ready));
		ready->route = a->route;
		ready->stream = a->stream;
		ready->bytes = reply->owned;
		ready->n = reply->pre.n + reply->post.n;
		ready->id_at = id ? (size_t)(id - reply->owned) : 0;
		ready->next = m->ready;
		m->ready = ready;
	}
	*reply = (struct reply){
		.pre = { ready->bytes, ready->n },
		.id = ready->id_at ? ready->bytes + ready->id_at : NULL,
		.limit = UINT64_MAX,
		.then = THEN_KEEP,
	};
}

/* The row of dialects.def for the request. */
static const struct route *
find_dialect(const struct request *r)
{
	char method[17] = { 0 };

	memcpy(method, r->method.p, r->method.n < 16 ? r->method.n : 16);
	return route_find_dialect(r->path, strict_header(r, "host"), r->body, method);
}

static const struct fault unknown_path = { "", 404, "invalid_request_error", "unknown_url", NULL,
	"Invalid URL. Please check the path and try again." };
static const struct fault wrong_method = { "", 405, "invalid_request_error", "method_not_supported",
	NULL, "Not allowed to use this method on this path." };
static const struct fault no_key = { "", 401, "invalid_request_error", "invalid_api_key", NULL,
	"You didn't provide an API key. You need to provide your API key in an Authorization "
	"header "
	"using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)." };

/* The error that stands before any behaviour; NULL when there is none. */
static const struct fault *
early_fault(const struct standin *s, const struct answer *a, const struct route *any_method,
    struct fault *refusal)
{
	const struct behaviour *b = a->behaviour;
	const char *key = b != NULL && b->key[0] != '\0' ? b->key : s->key;
	const char *why;

	/* Words may be tried on any path; a healthy answer needs one that is known. */
	if (a->route == NULL && (b == NULL || behaviour_is_plain(b)))
		return any_method ? &wrong_method : &unknown_path;
	if (key != NULL && !str_is(a->request->key, key))
		return a->request->key.n > 0 ? behaviour_fault("wrongkey") : &no_key;
	why = a->route
		  ? strict_refuses(&s->strict, a->route->auth, a->request, clock_wall_ms() / 1000)
		  : NULL;
	if (why == NULL && a->route &&
	    (why = strict_objects(&s->strict, a->route->auth, a->request)) != NULL) {
		*refusal = (struct fault){ "", 400, "invalid_request_error", "invalid_request", NULL,
			why };
		return refusal;
	}
	if (why == NULL && a->route && route_is_websocket(a->route)) {
		why = websocket_refuses(a->request);
		*refusal = (struct fault){ "", 426, "invalid_request_error", "no_websocket", NULL,
			why };
		return why ? refusal : NULL;
	}
	if (why == NULL)
		return NULL;
	*refusal =
	    (struct fault){ "", 401, "authentication_error", "invalid_credentials", NULL, why };
	return refusal;
}

bool
answer_is_control(const struct request *r)
{
	return str_starts(r->path, CONTROL_PREFIX);
}

/* Whether it is asked on the way to the provider: for a token, for the place of a deployment. */
static bool
precedes(const struct answer *a)
{
	const char *text = a->route ? a->route->text : NULL;

	return text && (strstr(text, "\"standin-") || strstr(text, ">standin-") ||
			   str_starts(a->request->path, "/v2/lm/"));
}

/* Whether a WebSocket is opened, whatever comes then; else the answer is HTTP, or nothing such. */
static bool
opens(const struct behaviour *b)
{
	if (b == NULL)
		return true;
	switch (b->body) {
	case BODY_FAULT:
		return b->fault->status == 200;
	case BODY_STATUS:
	case BODY_HTML502:
	case BODY_REDIRECT:
	case BODY_GARBAGE:
	case BODY_NOTHTTP:
		return false;
	default:
		return true;
	}
}

void
answer_request(struct standin *s, const struct request *r, struct reply *reply)
{
	char text[REQUEST_MODEL_MAX];
	struct behaviour spare, *b;
	struct fault refusal;
	struct answer a = { .request = r };
	const struct route *any_method, *dialect;
	const struct fault *fault;
	struct place *place;
	struct model *m;

	a.number = ++s->requests;
	place = find_place(s, r->path);
	if (place != NULL)
		place->requests++;
	a.route = place ? place->route : route_find(r->path, NULL);
	dialect = place == NULL || place->varies ? find_dialect(r) : NULL;
	if (dialect != NULL)
		a.route = dialect;
	a.model = read_model(r, a.route, text, sizeof(text));
	m = standin_model(s, a.model);
	if (m != NULL)
		m->requests++;
	if (s->log_fd >= 0)
		reqlog_write(s, r, a.model, a.number);

	b = m ? m->told : NULL;
	/* A token service answers as ever: it is the providers that fail. */
	if (b == NULL && !precedes(&a))
		b = s->everyone;
	if (b == NULL)
		b = said_behaviour(s, r, &spare);
	if (b == NULL && m != NULL)
		b = &m->own;
	if (b == NULL && a.model.n > 0) { /* the table of models is full */
		behaviour_parse(&spare, a.model);
		b = &spare;
	}
	if (b != NULL && behaviour_applies(b, clock_mono_ms()))
		a.behaviour = b;
	a.stream = wants_stream(r);

	any_method = a.route;
	if (a.route != NULL && !str_is(r->method, a.route->method)) {
		char method[17] = { 0 };

		memcpy(method, r->method.p, r->method.n);
		a.route = route_find(r->path, method);
	}
	fault = early_fault(s, &a, any_method, &refusal);
	if (a.route == NULL)
		a.route = route_find(STR("/chat/completions"), NULL);
	if (fault != NULL)
		reply_make_fault(reply, &a, fault);
	else if (a.route->content_type && route_is_websocket(a.route) && opens(a.behaviour))
		reply_make_websocket(reply, &a);
	else if (m != NULL && r->keep_alive && r->minor == 1 &&
		 (a.behaviour == NULL || behaviour_is_plain(a.behaviour)))
		add_plain(reply, m, &a);
	else
		reply_make(reply, &a);
	reply->delay_ms = a.behaviour != NULL && a.behaviour->latency_ms >= 0
			      ? (uint32_t)a.behaviour->latency_ms
			      : s->latency_ms;
}
