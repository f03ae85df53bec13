/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A word counts while its witness is one of those that the store names for the deployment, and not
 * older than a verdict may be. As long as some of them have not spoken, and those who have do not
 * decide it, the verdict stays what it is.
 */
#include "supervisor/front/quorum.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "shared/log.h"
#include "supervisor/front/pyvalue.h"
#include "supervisor/front/store/store.h"
#include "supervisor/front/verdict.h"

/* Who has not spoken for so many intervals since the first did is not waited for. */
#define WAIT_INTERVALS 2
#define FUTURE_MS 2000

struct quorum {
	struct sight *v; /* at most STORE_WITNESSES_MAX */
	size_t n;
	int64_t since_ms;	/* when the first word came, monotonic */
	struct deployment own;	/* our results, by rise and fall: only its verdict is used */
};

/* So many must say that it is unhealthy; 0: there is no quorum. */
static size_t
wanted(const struct store *store)
{
	struct store_status status;

	store_status(store, &status);
	return status.quorum;
}

bool
quorum_on(const struct store *store)
{
	return wanted(store) > 0;
}

void
sight_clear(struct sight *s)
{
	free(s->witness);
	free(s->error);
	free(s->detail);
	*s = (struct sight){ 0 };
}

static void
forget(struct quorum *q, size_t i)
{
	sight_clear(&q->v[i]);
	memmove(&q->v[i], &q->v[i + 1], (--q->n - i) * sizeof(q->v[0]));
}

void
quorum_free(struct deployment *d)
{
	if (d->quorum == NULL)
		return;
	while (d->quorum->n > 0)
		forget(d->quorum, d->quorum->n - 1);
	verdict_clear(&d->quorum->own.verdict);
	free(d->quorum->v);
	free(d->quorum);
	d->quorum = NULL;
}

static struct quorum *
quorum_of(struct deployment *d)
{
	if (d->quorum == NULL) {
		d->quorum = xcalloc(1, sizeof(*d->quorum));
		d->quorum->since_ms = clock_mono_ms();
	}
	return d->quorum;
}

/* The witness's place, made when there is none; NULL when there is no room. */
static struct sight *
place_of(struct quorum *q, struct str witness)
{
	for (size_t i = 0; i < q->n; i++)
		if (str_is(witness, q->v[i].witness))
			return &q->v[i];
	if (q->n == STORE_WITNESSES_MAX)
		return NULL;
	q->v = xrealloc(q->v, (q->n + 1) * sizeof(*q->v));
	q->v[q->n] = (struct sight){ .witness = str_dup(witness) };
	return &q->v[q->n++];
}

/* The verdict. */

struct count {
	size_t good, bad;
	size_t expected;
	struct sight *newest[2]; /* of those who say unhealthy, healthy */
};

/* Drops the words that count no more, and counts the others. */
static struct count
count_words(const struct fleet *f, const struct store *store, struct deployment *d)
{
	struct quorum *q = quorum_of(d);
	struct str named[STORE_WITNESSES_MAX];
	size_t n_named = store_witnesses(store, str_of(d->id), named, STORE_WITNESSES_MAX);
	struct count c = { .expected = n_named };
	int64_t now = clock_wall_ms(), stale = fleet_stale_after_ms(f, d);

	for (size_t i = q->n; i-- > 0;) {
		struct sight *s = &q->v[i];
		bool theirs = strcmp(s->witness, QUORUM_LITELLM) == 0, counts = theirs;

		for (size_t n = 0; !counts && n < n_named; n++)
			counts = str_is(named[n], s->witness);
		if (!counts || now - s->checked_at_ms > stale)
			forget(q, i);
		else
			c.expected += theirs;
	}
	for (size_t i = 0; i < q->n; i++) {
		struct sight *s = &q->v[i], **newest = &c.newest[s->healthy];

		c.good += s->healthy;
		c.bad += !s->healthy;
		if (*newest == NULL || (*newest)->checked_at_ms < s->checked_at_ms)
			*newest = s;
	}
	return c;
}

static enum verdict_state
decide(const struct fleet *f, const struct store *store, const struct deployment *d,
    const struct count *c)
{
	size_t spoken = c->good + c->bad, n = spoken, need;

	if (clock_mono_ms() - d->quorum->since_ms < WAIT_INTERVALS * fleet_interval_ms(f, d) &&
	    c->expected > n)
		n = c->expected;
	need = wanted(store) < n ? wanted(store) : n;
	if (spoken == 0)
		return d->verdict.state;
	if (c->bad >= need)
		return VERDICT_UNHEALTHY;
	if (n - c->good < need)
		return VERDICT_HEALTHY;
	if (d->verdict.state != VERDICT_UNKNOWN)
		return d->verdict.state;
	return c->good > 0 ? VERDICT_HEALTHY : VERDICT_UNKNOWN;
}

/* The verdict becomes what `s` says, with its words. */
static void
turn_to(struct fleet *f, struct deployment *d, const struct sight *s, struct count c)
{
	const struct msg_result words = {
		.healthy = s->healthy,
		.reason = s->reason,
		.exception_status = s->exception_status,
		.http_status = s->http_status,
		.total_us = s->total_us,
		.error = str_of(s->error ? s->error : ""),
		.detail = str_of(s->detail ? s->detail : ""),
		.raw_request = STR(""),
		.asked_model = str_of(d->verdict.asked_model ? d->verdict.asked_model : ""),
		.checked_at_ms = s->checked_at_ms,
	};

	log_event(LOG_LEVEL_INFO, "quorum", LS("id", d->id),
	    LS("verdict", s->healthy ? "healthy" : "unhealthy"), LI("unhealthy", c.bad),
	    LI("healthy", c.good));
	fleet_turn(f, d, &words);
}

bool
quorum_settle(struct fleet *f, struct store *store, struct deployment *d)
{
	enum verdict_state state;
	struct count c;

	if (d->quorum == NULL || store == NULL || d->problem_reason != REASON_OK)
		return false;
	if (!quorum_on(store)) { /* any more: the settings have changed */
		quorum_free(d);
		fleet_touch(f, d);
		return false;
	}
	c = count_words(f, store, d);
	state = decide(f, store, d, &c);
	if (state == d->verdict.state || c.newest[state == VERDICT_HEALTHY] == NULL)
		return false;
	turn_to(f, d, c.newest[state == VERDICT_HEALTHY], c);
	return true;
}

static void
set_text(char **to, const char *text)
{
	free(*to);
	*to = text && *text ? xstrdup(text) : NULL;
}

/* Our own word, after a result. */
static void
say(struct quorum *q, struct str witness, const struct verdict *v)
{
	struct sight *s = place_of(q, witness);

	if (s == NULL)
		return;
	s->ours = true;
	s->healthy = v->state == VERDICT_HEALTHY;
	s->checked_at_ms = v->checked_at_ms;
	s->since_ms = v->since_ms;
	s->reason = v->reason;
	s->exception_status = v->exception_status;
	s->http_status = v->http_status;
	s->total_us = v->total_us;
	set_text(&s->error, v->error);
	set_text(&s->detail, v->detail);
}

bool
quorum_result(
    struct fleet *f, struct store *store, struct deployment *d, const struct msg_result *r)
{
	struct quorum *q = quorum_of(d);
	const struct settings *set = fleet_settings(f);
	const struct verdict_rules rules = { .rise = (unsigned)set->num[SETTING_RISE],
		.fall = (unsigned)set->num[SETTING_FALL] };
	struct store_status status;
	struct count c;

	store_status(store, &status);
	if (d->problem_reason != REASON_OK ||
	    !verdict_apply(&q->own, r, &rules, clock_wall_ms()))
		return false;
	say(q, status.witness, &q->own.verdict);
	c = count_words(f, store, d);
	fleet_apply_as(f, d, r, decide(f, store, d, &c));
	fleet_touch(f, d);
	return true;
}

/* Others' words. */

static void
read_member(struct pyvalue *v, struct str key, struct buf *text, struct sight *s)
{
	char c = pyvalue_peek(v);
	double number = 0;

	if (c == '"') {
		if (!pyvalue_text(v, text))
			return;
		if (str_is(key, "state"))
			s->healthy = strcmp(buf_text(text), "healthy") == 0;
		else if (str_is(key, "error"))
			set_text(&s->error, buf_text(text));
		else if (str_is(key, "detail"))
			set_text(&s->detail, buf_text(text));
		else if (str_is(key, "reason"))
			for (int i = 0; i < REASON_COUNT; i++)
				if (str_is(buf_str(text), reason_name((enum reason)i)))
					s->reason = (enum reason)i;
		return;
	}
	if (c < '0' || c > '9') {
		pyvalue_skip(v);
		return;
	}
	if (!pyvalue_number(v, &number) || number < 0 || number > 9e15)
		number = 0;
	if (str_is(key, "checked_at_ms"))
		s->checked_at_ms = (int64_t)number;
	else if (str_is(key, "since_ms"))
		s->since_ms = (int64_t)number;
	else if (str_is(key, "exception_status") && number < 1000)
		s->exception_status = (int64_t)number;
	else if (str_is(key, "status") && number < 1000)
		s->http_status = (uint32_t)number;
	else if (str_is(key, "latency_us") && number < 4e9)
		s->total_us = (uint32_t)number;
}

bool
sight_read(struct str json, int64_t offset_ms, struct sight *s)
{
	struct buf key = BUF_INIT(64), text = BUF_INIT(QUORUM_VIEW_MAX);
	struct pyvalue v;
	bool first = true, ok;

	*s = (struct sight){ 0 };
	pyvalue_init(&v, json);
	if (json.n <= QUORUM_VIEW_MAX && pyvalue_peek(&v) == '{')
		while (pyvalue_next(&v, '{', &key, &first))
			read_member(&v, buf_str(&key), &text, s);
	ok = pyvalue_ended(&v) && s->checked_at_ms > 0;
	s->checked_at_ms -= offset_ms;
	s->since_ms = s->since_ms > 0 ? s->since_ms - offset_ms : s->checked_at_ms;
	ok = ok && s->checked_at_ms > 0 && s->checked_at_ms <= clock_wall_ms() + FUTURE_MS;
	if (s->healthy)
		s->reason = REASON_OK;
	else if (s->reason == REASON_OK)
		s->reason = REASON_BAD_RESPONSE;
	if (!ok)
		sight_clear(s);
	buf_clear(&key);
	buf_clear(&text);
	return ok;
}

unsigned
quorum_heard(struct fleet *f, struct store *store, const struct store_item *item,
    struct deployment **found)
{
	struct deployment *d = fleet_find_id(f, item->id);
	struct sight heard, *s;
	struct quorum *q;
	unsigned what = QUORUM_NOTHING;

	*found = d;
	if (d == NULL || !quorum_on(store) || item->witness.n == 0)
		return QUORUM_NOTHING;
	if (!sight_read(item->sight, store_clock_offset_ms(store), &heard)) {
		log_event(LOG_LEVEL_DEBUG, "view_unreadable", LV("id", item->id));
		return QUORUM_NOTHING;
	}
	q = quorum_of(d);
	s = place_of(q, item->witness);
	if (s == NULL || s->checked_at_ms >= heard.checked_at_ms) {
		sight_clear(&heard);
		return QUORUM_NOTHING;
	}
	if (!heard.healthy && (s->checked_at_ms == 0 || s->healthy) &&
	    q->own.verdict.state == VERDICT_HEALTHY)
		what |= QUORUM_ALARM;
	heard.witness = s->witness;
	s->witness = NULL;
	sight_clear(s);
	*s = heard;
	if (quorum_settle(f, store, d))
		what |= QUORUM_CHANGED;
	else
		fleet_touch(f, d);
	return what;
}

/* For the store and for people. */

const struct sight *
quorum_sight(const struct deployment *d, size_t i)
{
	return d->quorum && i < d->quorum->n ? &d->quorum->v[i] : NULL;
}

int64_t
quorum_own_ms(const struct deployment *d)
{
	return d->quorum ? d->quorum->own.verdict.checked_at_ms : 0;
}

static void
add_word(struct buf *b, bool healthy, enum reason reason, const int64_t numbers[5],
    const char *error, const char *detail)
{
	static const char *const names[] = { "exception_status", "status", "checked_at_ms",
		"since_ms", "latency_us" };

	buf_add_text(b, "{\"state\":");
	json_add_string(b, healthy ? STR("healthy") : STR("unhealthy"));
	json_add_key(b, "reason");
	json_add_string(b, str_of(reason_name(reason)));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		json_add_key(b, names[i]);
		buf_add_int(b, numbers[i]);
	}
	if (error && *error) {
		json_add_key(b, "error");
		json_add_string(b, str_of(error));
	}
	if (detail && *detail) {
		json_add_key(b, "detail");
		json_add_string(b, str_of(detail));
	}
	buf_add_char(b, '}');
}

void
quorum_add_own(struct buf *b, const struct deployment *d, int64_t offset_ms)
{
	const struct verdict *v = d->quorum ? &d->quorum->own.verdict : NULL;

	if (v == NULL || v->state == VERDICT_UNKNOWN)
		return;
	add_word(b, v->state == VERDICT_HEALTHY, v->reason,
	    (const int64_t[]){ v->exception_status, v->http_status, v->checked_at_ms + offset_ms,
		v->since_ms + offset_ms, v->total_us },
	    v->error, v->detail);
}

void
quorum_add_result(struct buf *b, const struct msg_result *r, int64_t offset_ms)
{
	char *error = str_dup(r->error), *detail = str_dup(r->detail);

	add_word(b, r->healthy, (enum reason)r->reason,
	    (const int64_t[]){ r->exception_status, r->http_status, r->checked_at_ms + offset_ms,
		r->checked_at_ms + offset_ms, r->total_us },
	    error, detail);
	free(error);
	free(detail);
}
