/* SPDX-License-Identifier: Apache-2.0 */
/* The routes by which a test steers the stand-in and asks what it has seen. */
#include <stdlib.h>

#include "shared/json.h"
#include "tests/standin/standin.h"

#define JSON_MAX (8 * 1024 * 1024)

static void
add_number(struct buf *out, const char *key, uint64_t value)
{
	json_add_key(out, key);
	buf_add_int(out, (int64_t)value);
}

/* {"name": requests, ...}; both kinds of entries have their count right behind the entry. */
static void
add_counts(struct buf *out, const char *key, const struct table *t)
{
	json_add_key(out, key);
	buf_add_char(out, '{');
	for (const struct entry *e = t->first; e != NULL; e = e->next) {
		uint64_t requests = *(const uint64_t *)(e + 1);

		if (requests == 0)
			continue;
		json_add_comma(out);
		json_add_string(out, e->name);
		buf_add_char(out, ':');
		buf_add_int(out, (int64_t)requests);
	}
	buf_add_char(out, '}');
}

_Static_assert(
    offsetof(struct model, requests) == sizeof(struct entry), "add_counts() reads it there");
_Static_assert(
    offsetof(struct place, requests) == sizeof(struct entry), "add_counts() reads it there");

static void
stats(struct standin *s, const struct request *r, struct reply *reply)
{
	struct buf out = BUF_INIT(JSON_MAX);

	buf_add_char(&out, '{');
	add_number(&out, "requests", s->requests);
	add_number(&out, "bad_requests", s->bad_requests);
	add_number(&out, "in_flight", s->in_flight);
	add_number(&out, "peak_in_flight", s->peak_in_flight);
	add_number(&out, "connections", s->connections);
	add_number(&out, "open_connections", s->open_connections);
	add_number(&out, "peak_open_connections", s->peak_open_connections);
	add_number(&out, "tls_handshakes", s->tls_handshakes);
	add_number(&out, "tls_resumed", s->tls_resumed);
	add_number(&out, "tls_failures", s->tls_failures);
	add_number(&out, "websockets", s->websockets);
	add_number(&out, "websockets_closed", s->websockets_closed);
	add_counts(&out, "by_path", &s->places);
	add_counts(&out, "by_model", &s->models);
	buf_add_char(&out, '}');
	reply_make_json(reply, r, 200, NULL, &out);
}

/* Counters to nothing, what was said of models forgotten, every flapping from its beginning. */
static void
reset(struct standin *s, const struct request *r, struct reply *reply)
{
	struct buf out = BUF_INIT(JSON_MAX);

	for (struct entry *e = s->models.first; e != NULL; e = e->next) {
		struct model *m = (struct model *)e;

		m->requests = 0;
		m->own.asked = 0;
		m->own.first_ms = -1;
		free(m->told);
		m->told = NULL;
	}
	for (struct entry *e = s->places.first; e != NULL; e = e->next)
		((struct place *)e)->requests = 0;
	for (struct entry *e = s->sayings.first; e != NULL; e = e->next) {
		((struct saying *)e)->behaviour.asked = 0;
		((struct saying *)e)->behaviour.first_ms = -1;
	}
	free(s->everyone);
	s->everyone = NULL;
	s->requests = s->bad_requests = s->tls_handshakes = s->tls_resumed = s->tls_failures = 0;
	s->websockets = s->websockets_closed = 0;
	s->connections = s->peak_open_connections = s->open_connections;
	s->peak_in_flight = s->in_flight;
	buf_add_text(&out, "{}");
	reply_make_json(reply, r, 200, NULL, &out);
}

/* {"model": "x" or "*", "behaviour": "words"}; empty words end it. */
static void
tell(struct standin *s, const struct request *r, struct reply *reply)
{
	char model_text[REQUEST_MODEL_MAX], words_text[1024];
	struct buf out = BUF_INIT(JSON_MAX);
	struct str name = { "", 0 }, words = { "", 0 };
	struct behaviour **at = NULL;
	struct model *m;
	int status = 200;

	if (request_json_member(r->body, "model", &name) &&
	    request_json_member(r->body, "behaviour", &words)) {
		name = request_json_unescape(name, model_text, sizeof(model_text));
		words = request_json_unescape(words, words_text, sizeof(words_text));
		m = str_is(name, "*") ? NULL : standin_model(s, name);
		at = m ? &m->told : str_is(name, "*") ? &s->everyone : NULL;
	}
	if (at == NULL) {
		status = 400;
		buf_add_text(&out,
		    "{\"error\":\"wanted: {\\\"model\\\": NAME or *, \\\"behaviour\\\": WORDS}\"}");
	} else {
		free(*at);
		*at = NULL;
		if (words.n > 0) {
			*at = xmalloc(sizeof(**at));
			behaviour_parse(*at, words);
		}
		buf_add_text(&out, "{}");
	}
	reply_make_json(reply, r, status, NULL, &out);
}

static const struct {
	const char *method, *path;
	void (*handle)(struct standin *s, const struct request *r, struct reply *reply);
} controls[] = {
	{ "GET", "/_standin/stats", stats },
	{ "POST", "/_standin/reset", reset },
	{ "POST", "/_standin/behaviour", tell },
};

void
control_request(struct standin *s, const struct request *r, struct reply *reply)
{
	struct buf out = BUF_INIT(JSON_MAX);

	for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
		if (!str_is(r->path, controls[i].path))
			continue;
		if (str_is(r->method, controls[i].method)) {
			controls[i].handle(s, r, reply);
			return;
		}
		buf_add_text(&out, "{\"error\":\"not with this method\"}");
		reply_make_json(reply, r, 405,
		    strcmp(controls[i].method, "GET") == 0 ? "Allow: GET" : "Allow: POST", &out);
		return;
	}
	buf_add_text(&out, "{\"error\":\"no such control\"}");
	reply_make_json(reply, r, 404, NULL, &out);
}
