/* SPDX-License-Identifier: Apache-2.0 */
/* The two values that LiteLLM's proxies share: reading both, merging the second. */
#include "supervisor/front/litellm.h"

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/front/fleet.h"
#include "supervisor/front/pyvalue.h"

#define VALUE_MAX ((size_t)256 << 20)
#define TEXT_MAX 65536
#define FAILED "background_health_check_failed"

static void
read_entry(struct pyvalue *v, bool healthy, litellm_entry_cb cb, void *arg)
{
	struct buf key = BUF_INIT(TEXT_MAX), id = BUF_INIT(TEXT_MAX), error = BUF_INIT(TEXT_MAX);
	double status = 0;
	bool first = true;

	if (pyvalue_peek(v) != '{') {
		pyvalue_skip(v);
		return;
	}
	while (pyvalue_next(v, '{', &key, &first)) {
		char c = pyvalue_peek(v);

		if (str_is(buf_str(&key), "model_id") && (c == '"' || c == '\''))
			(void)pyvalue_text(v, &id);
		else if (str_is(buf_str(&key), "error") && (c == '"' || c == '\''))
			(void)pyvalue_text(v, &error);
		else if (str_is(buf_str(&key), "exception_status") && c >= '0' && c <= '9')
			(void)pyvalue_number(v, &status);
		else
			pyvalue_skip(v);
	}
	if (!v->wrong && id.len > 0 && cb)
		cb(buf_str(&id), healthy, buf_str(&error),
		    status >= 100 && status < 1000 ? (int64_t)status : 0, arg);
	buf_clear(&key);
	buf_clear(&id);
	buf_clear(&error);
}

static void
read_list(struct pyvalue *v, bool healthy, litellm_entry_cb cb, void *arg)
{
	bool first = true;

	/* null, which ends LiteLLM's own loop, is as empty. */
	if (pyvalue_peek(v) != '[') {
		pyvalue_skip(v);
		return;
	}
	while (pyvalue_next(v, '[', NULL, &first))
		read_entry(v, healthy, cb, arg);
}

static bool
read_object(struct str text, struct litellm_head *head, litellm_entry_cb cb, void *arg)
{
	struct buf key = BUF_INIT(TEXT_MAX), name = BUF_INIT(TEXT_MAX);
	struct pyvalue v;
	bool first = true, timed = false;

	pyvalue_init(&v, text);
	*head = (struct litellm_head){ 0 };
	if (pyvalue_peek(&v) != '{')
		return false;
	while (pyvalue_next(&v, '{', &key, &first)) {
		char c = pyvalue_peek(&v);
		struct str k = buf_str(&key);

		if (str_is(k, "timestamp") && ((c >= '0' && c <= '9') || c == '-')) {
			timed = pyvalue_number(&v, &head->timestamp);
		} else if (str_is(k, "checked_by") && (c == '"' || c == '\'')) {
			if (pyvalue_text(&v, &name))
				snprintf(head->checked_by, sizeof(head->checked_by), "%s",
				    buf_text(&name));
		} else if (str_is(k, "healthy_endpoints") || str_is(k, "unhealthy_endpoints")) {
			read_list(&v, str_is(k, "healthy_endpoints"), cb, arg);
		} else {
			pyvalue_skip(&v);
		}
	}
	buf_clear(&key);
	buf_clear(&name);
	return pyvalue_ended(&v) && timed;
}

bool
litellm_read(struct str value, struct litellm_head *head, litellm_entry_cb cb, void *arg)
{
	struct buf inner = BUF_INIT(VALUE_MAX);
	struct pyvalue v;
	bool ok;

	pyvalue_init(&v, value);
	if (pyvalue_peek(&v) == '"') {
		if (!pyvalue_text(&v, &inner) || !pyvalue_ended(&v)) {
			buf_clear(&inner);
			return false;
		}
		value = buf_str(&inner);
	}
	/* First whether it is one at all: half a value says nothing. */
	ok = read_object(value, head, NULL, NULL);
	if (ok && cb)
		ok = read_object(value, head, cb, arg);
	buf_clear(&inner);
	return ok;
}

/* LITELLM_STATES. */

static void
add_state(struct buf *b, struct str id, bool healthy, double timestamp, struct str reason)
{
	buf_add_text(b, b->len > 1 ? ", " : "");
	pyvalue_add_repr(b, id);
	buf_addf(b,
	    ": {'is_healthy': %s, 'timestamp': %.6f, 'reason': ", healthy ? "True" : "False",
	    timestamp);
	pyvalue_add_repr(b, reason);
	buf_add_char(b, '}');
}

struct other {
	bool healthy, known;
	double timestamp;
	struct buf reason;
};

static void
read_other(struct pyvalue *v, struct buf *key, struct other *o)
{
	bool first = true;

	o->known = false;
	o->timestamp = 0;
	buf_reset(&o->reason);
	if (pyvalue_peek(v) != '{') {
		pyvalue_skip(v);
		return;
	}
	while (pyvalue_next(v, '{', key, &first)) {
		char c = pyvalue_peek(v);

		if (str_is(buf_str(key), "is_healthy") && c && strchr("TFtf", c))
			o->known = pyvalue_bool(v, &o->healthy);
		else if (str_is(buf_str(key), "timestamp") && c >= '0' && c <= '9')
			(void)pyvalue_number(v, &o->timestamp);
		else if (str_is(buf_str(key), "reason") && (c == '"' || c == '\''))
			(void)pyvalue_text(v, &o->reason);
		else
			pyvalue_skip(v);
	}
}

/* Whether we say something of it. */
static bool
is_ours(const struct fleet *fleet, const struct deployment *d, int64_t now_ms, bool *healthy)
{
	enum verdict_state state = fleet_state(fleet, d, now_ms);

	*healthy = state == VERDICT_HEALTHY;
	return state == VERDICT_HEALTHY || state == VERDICT_UNHEALTHY;
}

static void
keep_others(struct str old, const struct fleet *fleet, double now_s, double keep_s, int64_t now_ms,
    struct buf *b)
{
	struct buf id = BUF_INIT(TEXT_MAX), key = BUF_INIT(TEXT_MAX);
	struct other o = { .reason = BUF_INIT(TEXT_MAX) };
	struct pyvalue v;
	bool first = true, healthy;
	size_t before = b->len;

	pyvalue_init(&v, old);
	if (pyvalue_peek(&v) != '{')
		return;
	while (pyvalue_next(&v, '{', &id, &first)) {
		const struct deployment *d = fleet_find_id(fleet, buf_str(&id));

		read_other(&v, &key, &o);
		if (!v.wrong && o.known && now_s - o.timestamp < keep_s &&
		    !(d && is_ours(fleet, d, now_ms, &healthy)))
			add_state(b, buf_str(&id), o.healthy, o.timestamp, buf_str(&o.reason));
	}
	if (!pyvalue_ended(&v) && b->data) {
		b->len = before; /* malformed: LiteLLM takes it for nothing */
		b->data[before] = '\0';
	}
	buf_clear(&id);
	buf_clear(&key);
	buf_clear(&o.reason);
}

void
litellm_merge(struct str old, const struct fleet *fleet, double now_s, double keep_s,
    int64_t now_ms, struct buf *b)
{
	bool healthy;

	buf_add_char(b, '{');
	keep_others(old, fleet, now_s, keep_s, now_ms, b);
	for (size_t i = 0; i < fleet_size(fleet); i++) {
		const struct deployment *d = fleet_at(fleet, i);

		if (is_ours(fleet, d, now_ms, &healthy))
			add_state(
			    b, str_of(d->id), healthy, now_s, healthy ? STR("") : STR(FAILED));
	}
	buf_add_char(b, '}');
}
