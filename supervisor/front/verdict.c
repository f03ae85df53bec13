/* SPDX-License-Identifier: Apache-2.0 */
/* Results into verdicts. What a verdict says always fits its state: an opposing result that does
 * not yet flip it counts, and is in the history, but its words are not shown. */
#include "supervisor/front/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"

/* A result from the future is a wrong clock; one from before a clock that was set back is not old.
 */
#define CLOCK_SLACK_MS 1000

const char *
verdict_state_name(enum verdict_state state)
{
	static const char *const names[] = { "unknown", "healthy", "unhealthy", "stale",
		"disabled" };

	return (unsigned)state < ARRAY_LEN(names) ? names[state] : "unknown";
}

void
verdict_clear(struct verdict *v)
{
	free(v->error);
	free(v->detail);
	free(v->raw_request);
	free(v->headers);
	free(v->asked_model);
	*v = (struct verdict){ 0 };
}

static void
set_text(char **to, struct str s)
{
	if (s.n > VERDICT_TEXT_MAX) {
		s.n = VERDICT_TEXT_MAX;
		/* Never half a character at the end. */
		while (s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
			s.n--;
	}
	if (s.n > 0 && memchr(s.p, '\0', s.n))
		s.n = (size_t)((const char *)memchr(s.p, '\0', s.n) - s.p);
	if (*to && str_is(s, *to))
		return;
	free(*to);
	*to = s.n > 0 ? str_dup(s) : NULL;
}

static void
set_raw_request(char **to, struct str s)
{
	free(*to);
	*to = s.n > 0 && s.n <= VERDICT_RAW_REQUEST_MAX && !memchr(s.p, '\0', s.n) ? str_dup(s)
										   : NULL;
}

static void
set_headers(char **to, struct kvs headers)
{
	struct buf b = BUF_INIT(VERDICT_HEADERS_MAX);

	for (size_t i = 0; i < headers.n; i++) {
		struct kv kv = headers.v[i];

		if (kv.key.n == 0 || memchr(kv.key.p, '\0', kv.key.n) ||
		    (kv.value.n > 0 && memchr(kv.value.p, '\0', kv.value.n)))
			continue;
		if (b.len + kv.key.n + kv.value.n + 2 > VERDICT_HEADERS_MAX)
			continue;
		buf_add_str(&b, kv.key);
		buf_add_char(&b, '\0');
		buf_add_str(&b, kv.value);
		buf_add_char(&b, '\0');
	}
	free(*to);
	*to = NULL;
	if (b.len > 0) {
		*to = xmalloc(b.len + 1);
		memcpy(*to, b.data, b.len);
		(*to)[b.len] = '\0';
	}
	buf_clear(&b);
}

static struct history_item *
slot(struct deployment *d, size_t i)
{
	return &d->history[(d->history_start + i) % d->history_cap];
}

const struct history_item *
deployment_history(const struct deployment *d, size_t i)
{
	return i < d->history_len ? slot((struct deployment *)d, i) : NULL;
}

/* The ring straightened into room for `cap` items. */
static void
history_resize(struct deployment *d, size_t cap)
{
	size_t keep = d->history_len < cap ? d->history_len : cap;
	struct history_item *v = cap > 0 ? xmalloc(cap * sizeof(*v)) : NULL;

	for (size_t i = 0; i < keep; i++)
		v[i] = *slot(d, d->history_len - keep + i);
	free(d->history);
	d->history = v;
	d->history_start = 0;
	d->history_len = (uint16_t)keep;
	d->history_cap = (uint16_t)cap;
}

void
history_limit(struct deployment *d, unsigned max)
{
	if (d->history_cap > max)
		history_resize(d, max);
}

void
history_add(struct deployment *d, const struct history_item *item, unsigned max)
{
	if (max == 0)
		return;
	history_limit(d, max);
	if (d->history_len == d->history_cap && d->history_cap < max) {
		size_t cap = d->history_cap ? d->history_cap * 2u : 4;

		history_resize(d, cap < max ? cap : max);
	}
	if (d->history_len == d->history_cap) {
		d->history_start = (uint16_t)((d->history_start + 1) % d->history_cap);
		d->history_len--;
	}
	*slot(d, d->history_len++) = *item;
}

static enum verdict_state
next_state(struct verdict *v, bool healthy, const struct verdict_rules *rules)
{
	if (rules->held != VERDICT_UNKNOWN)
		return rules->held;
	switch (v->state) {
	case VERDICT_HEALTHY:
		v->falling = healthy ? 0 : (uint16_t)(v->falling + 1);
		return v->falling >= rules->fall ? VERDICT_UNHEALTHY : VERDICT_HEALTHY;
	case VERDICT_UNHEALTHY:
		v->rising = healthy ? (uint16_t)(v->rising + 1) : 0;
		return v->rising >= rules->rise ? VERDICT_HEALTHY : VERDICT_UNHEALTHY;
	default:
		return healthy ? VERDICT_HEALTHY : VERDICT_UNHEALTHY;
	}
}

static void
set_words(struct verdict *v, const struct msg_result *r, bool healthy, enum reason reason)
{
	v->reason = reason;
	v->exception_status = healthy ? 0 : r->exception_status;
	v->http_status = r->http_status;
	v->dns_us = r->dns_us;
	v->connect_us = r->connect_us;
	v->tls_us = r->tls_us;
	v->first_byte_us = r->first_byte_us;
	v->first_token_us = r->first_token_us;
	v->total_us = r->total_us;
	v->flags = r->flags;
	set_text(&v->error, healthy ? STR("") : r->error);
	set_text(&v->detail, healthy ? STR("") : r->detail);
	set_text(&v->asked_model, r->asked_model);
	set_raw_request(&v->raw_request, r->raw_request);
	set_headers(&v->headers, r->headers);
}

bool
verdict_apply(struct deployment *d, const struct msg_result *r, const struct verdict_rules *rules,
    int64_t now_ms)
{
	struct verdict *v = &d->verdict;
	enum reason reason =
	    r->reason < REASON_COUNT ? (enum reason)r->reason : REASON_PROBE_CRASHED;
	bool healthy = r->healthy;
	int64_t at = r->checked_at_ms > 0 && r->checked_at_ms <= now_ms ? r->checked_at_ms : now_ms;
	enum verdict_state state;
	struct history_item item;

	if (at < v->checked_at_ms && v->checked_at_ms <= now_ms + CLOCK_SLACK_MS)
		return false;
	if (healthy)
		reason = REASON_OK;
	else if (reason == REASON_OK)
		reason = REASON_BAD_RESPONSE;
	v->checked_at_ms = at;
	v->probes++;
	v->failures += !healthy;
	v->tokens_in += r->tokens_in;
	v->tokens_out += r->tokens_out;
	item = (struct history_item){ at, r->total_us, (uint16_t)r->http_status, (uint8_t)reason,
		(uint8_t)r->flags };
	history_add(d, &item, rules->history);

	state = next_state(v, healthy, rules);
	if (state != v->state) {
		v->state = state;
		v->since_ms = at;
		v->rising = v->falling = 0;
	}
	if (healthy == (state == VERDICT_HEALTHY))
		set_words(v, r, healthy, reason);
	return true;
}

void
verdict_turn(struct deployment *d, const struct msg_result *words)
{
	struct verdict *v = &d->verdict;

	v->state = words->healthy ? VERDICT_HEALTHY : VERDICT_UNHEALTHY;
	/* Newer than what it was made of, so that it is the one that is kept. */
	v->checked_at_ms = words->checked_at_ms > v->checked_at_ms ? words->checked_at_ms
								   : v->checked_at_ms + 1;
	v->since_ms = v->checked_at_ms;
	v->rising = v->falling = 0;
	set_words(v, words, words->healthy, (enum reason)words->reason);
}
void
verdict_set_problem(struct deployment *d, int64_t now_ms)
{
	struct verdict *v = &d->verdict;
	int64_t since = v->state == VERDICT_UNHEALTHY && v->since_ms > 0 ? v->since_ms : now_ms;

	verdict_clear(v);
	v->state = VERDICT_UNHEALTHY;
	v->since_ms = since;
	v->checked_at_ms = now_ms;
	v->reason = d->problem_reason;
	v->exception_status = d->problem_status;
	v->error = xstrdup(d->problem);
}

bool
verdict_derive(
    struct deployment *d, const struct verdict_derived *to, int64_t now_ms, unsigned history)
{
	struct verdict *v = &d->verdict;
	bool same_state = v->state == to->state;
	int64_t status = to->state == VERDICT_UNHEALTHY ? reason_status(to->reason) : 0;

	if (same_state && v->checked_at_ms == to->checked_at_ms && v->reason == to->reason &&
	    str_eq(str_of(v->error), str_of(to->error)) &&
	    str_eq(str_of(v->detail), str_of(to->detail)))
		return false;
	if (!same_state) {
		const struct history_item item = { now_ms, 0, 0, (uint8_t)to->reason, 0 };

		v->since_ms = now_ms;
		if (to->state != VERDICT_UNKNOWN)
			history_add(d, &item, history);
	}
	v->state = to->state;
	v->checked_at_ms = to->checked_at_ms;
	v->reason = to->reason;
	v->exception_status = status;
	set_text(&v->error, str_of(to->error));
	set_text(&v->detail, str_of(to->detail));
	return true;
}
