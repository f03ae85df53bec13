/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each signal has a channel with one batch under way. What an answer means is OTLP's
 * (https://opentelemetry.io/docs/specs/otlp/#failures-1): 429, 502, 503, 504 and no answer at all are worth another
 * attempt, after Retry-After or a time that grows; what else is no success is not.
 */
#include "supervisor/front/otlp.h"

#include <event2/event.h>
#include <stdlib.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/otlp_json.h"
#include "supervisor/front/pool.h"

#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 30000
#define RETRY_AFTER_MAX_MS 300000
#define MARGIN_MS 2000 /* that a worker gets beyond the time limit of an attempt */
#define FLUSH_MS 1000  /* an attempt at the end takes no longer */
#define SPAN_MAX 65536

enum channel_state {
	CHANNEL_IDLE,
	CHANNEL_SENDING,
	CHANNEL_WAITING, /* for the next attempt */
};

/* What waits: a span's JSON, or a whole body. */
struct item {
	char *json;
	size_t n, points;
};

struct channel {
	struct otlp *otlp;
	unsigned signal;
	enum channel_state state;
	struct item *ring; /* of `cap`, the oldest at `head` */
	size_t head, n, cap;
	size_t points; /* in the ring */
	struct buf body; /* under way */
	size_t body_points;
	unsigned attempts;
	uint32_t number;
	struct event *timer; /* SENDING: no answer came; WAITING: the next attempt; IDLE: the batch is due */
	bool failing;	     /* said so in the log */
	struct otlp_counts counts;
};

struct otlp {
	struct fleet *fleet;
	struct pool *pool;
	struct channel channels[OTLP_SIGNALS];
	struct event *collect_timer;
	void (*collect)(void *arg);
	void *collect_arg;
	bool flushing;
};

static const char *const signals[] = { "traces", "metrics" };

static void begin(struct channel *c);

static int64_t
setting(const struct otlp *o, enum setting id)
{
	return fleet_settings(o->fleet)->num[id];
}

static void
set_timer(struct event *timer, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(timer, &tv);
}

/* The ring. */

static struct item
take(struct channel *c)
{
	struct item item = c->ring[c->head];

	c->head = (c->head + 1) % c->cap;
	c->n--;
	c->points -= item.points;
	return item;
}

static void
drop_oldest(struct channel *c)
{
	struct item item = take(c);

	c->counts.dropped += item.points;
	free(item.json);
}

static void
resize(struct channel *c, size_t cap)
{
	struct item *ring = xcalloc(cap, sizeof(*ring));
	size_t n;

	while (c->n > cap)
		drop_oldest(c);
	n = c->n;
	for (size_t i = 0; i < n; i++)
		ring[i] = c->ring[(c->head + i) % c->cap];
	free(c->ring);
	c->ring = ring;
	c->cap = cap;
	c->head = 0;
}

static void
put(struct channel *c, struct item item)
{
	if (c->n == c->cap)
		drop_oldest(c);
	c->ring[(c->head + c->n++) % c->cap] = item;
	c->points += item.points;
}

/* Sending. */

static void
fill(struct channel *c)
{
	const struct otlp *o = c->otlp;
	size_t most = c->signal == EXPORT_TRACES ? (size_t)setting(o, SETTING_OTLP_BATCH) : 1;

	buf_reset(&c->body);
	c->body_points = 0;
	if (c->signal == EXPORT_TRACES)
		otlp_open(&c->body, true, fleet_settings(o->fleet));
	for (size_t i = 0; i < most && c->n > 0 && c->body.len < OTLP_BODY_MAX; i++) {
		struct item item = take(c);

		if (i > 0)
			buf_add_char(&c->body, ',');
		buf_add(&c->body, item.json, item.n);
		c->body_points += item.points;
		free(item.json);
	}
	if (c->signal == EXPORT_TRACES)
		otlp_close(&c->body);
}

/* The one place where a batch ends. */
static void
end(struct channel *c, bool exported, uint64_t rejected)
{
	if (rejected > c->body_points)
		rejected = c->body_points;
	if (!exported)
		rejected = c->body_points;
	c->counts.dropped += rejected;
	c->counts.exported += c->body_points - rejected;
	buf_clear(&c->body);
	c->body_points = 0;
	c->attempts = 0;
	c->state = CHANNEL_IDLE;
	event_del(c->timer);
	/* At the end, without a worker, the next one ends at once, too: each in its own turn. */
	if (c->n > 0 && c->otlp->flushing)
		set_timer(c->timer, 0);
	else if (c->n > 0)
		begin(c);
}

/* Half for sure, half by chance. */
static int64_t
backoff_ms(unsigned attempts)
{
	int64_t ms = (int64_t)BACKOFF_MIN_MS << (attempts < 6 ? attempts - 1 : 5);
	uint32_t chance;

	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	evutil_secure_rng_get_bytes(&chance, sizeof(chance));
	return ms / 2 + chance % (ms / 2 + 1);
}

static void
again(struct channel *c, int64_t retry_after_ms)
{
	int64_t wait = backoff_ms(c->attempts);

	if (c->attempts >= OTLP_ATTEMPTS_MAX || c->otlp->flushing) {
		end(c, false, 0);
		return;
	}
	if (retry_after_ms > wait)
		wait = retry_after_ms < RETRY_AFTER_MAX_MS ? retry_after_ms : RETRY_AFTER_MAX_MS;
	c->state = CHANNEL_WAITING;
	set_timer(c->timer, wait);
}

static void
send_batch(struct channel *c)
{
	int64_t timeout = setting(c->otlp, SETTING_OTLP_TIMEOUT);
	struct msg_export m = { .number = ++c->number * OTLP_SIGNALS + c->signal, .signal = c->signal,
		.body = buf_str(&c->body) };

	if (c->otlp->flushing && timeout > FLUSH_MS)
		timeout = FLUSH_MS;
	m.timeout_ms = (uint32_t)timeout;
	c->attempts++;
	c->state = CHANNEL_SENDING;
	if (pool_send(c->otlp->pool, MSG_EXPORT, &m) < 0)
		again(c, -1); /* no worker */
	else
		set_timer(c->timer, timeout + MARGIN_MS);
}

/* IDLE: is there something, and is it time? */
static void
begin(struct channel *c)
{
	const struct otlp *o = c->otlp;

	if (c->state != CHANNEL_IDLE || c->n == 0 || !c->counts.on)
		return;
	if (c->signal == EXPORT_TRACES && !o->flushing && c->n < (size_t)setting(o, SETTING_OTLP_BATCH)) {
		if (!event_pending(c->timer, EV_TIMEOUT, NULL))
			set_timer(c->timer, setting(o, SETTING_OTLP_DELAY));
		return;
	}
	fill(c);
	send_batch(c);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;

	switch (c->state) {
	case CHANNEL_IDLE:
		if (c->n > 0 && c->counts.on) {
			fill(c);
			send_batch(c);
		}
		break;
	case CHANNEL_SENDING:
		c->counts.requests[EXPORTED_AGAIN]++;
		again(c, -1);
		break;
	case CHANNEL_WAITING:
		send_batch(c);
		break;
	}
}

void
otlp_take(struct otlp *o, const struct msg_exported *m)
{
	struct channel *c = &o->channels[m->number % OTLP_SIGNALS];

	if (c->state != CHANNEL_SENDING || m->number != c->number * OTLP_SIGNALS + c->signal ||
	    m->outcome > EXPORTED_REFUSED)
		return;
	c->counts.requests[m->outcome]++;
	/* The same trouble is said once. */
	if (m->outcome != EXPORTED_OK && !c->failing)
		log_event(LOG_LEVEL_WARNING, "otlp_failed", LS("signal", signals[c->signal]), LV("why", m->why),
		    LI("status", m->http_status));
	else if (m->outcome == EXPORTED_OK && c->failing)
		log_event(LOG_LEVEL_NOTICE, "otlp_works", LS("signal", signals[c->signal]),
		    LI("dropped", c->counts.dropped));
	c->failing = m->outcome != EXPORTED_OK;
	if (m->outcome == EXPORTED_AGAIN)
		again(c, m->retry_after_ms);
	else
		end(c, m->outcome == EXPORTED_OK, m->rejected);
}

/* What comes. */

static void
on_result(struct deployment *d, const struct msg_result *r, void *arg)
{
	struct otlp *o = arg;
	struct channel *c = &o->channels[EXPORT_TRACES];
	unsigned char ids[OTLP_TRACE_BYTES + OTLP_SPAN_BYTES];
	struct buf json = BUF_INIT(SPAN_MAX);

	if (!c->counts.on)
		return;
	evutil_secure_rng_get_bytes(ids, sizeof(ids));
	otlp_add_span(&json, d, r, ids);
	if (!buf_ok(&json)) {
		c->counts.dropped++;
		buf_clear(&json);
		return;
	}
	put(c, (struct item){ json.data, json.len, 1 });
	begin(c);
}

void
otlp_put_metrics(struct otlp *o, char *body, size_t n, size_t points)
{
	struct channel *c = &o->channels[EXPORT_METRICS];

	if (!c->counts.on) {
		free(body);
		return;
	}
	put(c, (struct item){ body, n, points });
	begin(c);
}

static void
on_collect(evutil_socket_t fd, short what, void *arg)
{
	struct otlp *o = arg;

	if (!o->channels[EXPORT_METRICS].counts.on)
		return;
	if (o->collect)
		o->collect(o->collect_arg);
	set_timer(o->collect_timer, setting(o, SETTING_OTLP_INTERVAL));
}

void
otlp_set_collector(struct otlp *o, void (*collect)(void *arg), void *arg)
{
	o->collect = collect;
	o->collect_arg = arg;
}

/* Life. */

void
otlp_configure(struct otlp *o)
{
	const struct settings *s = fleet_settings(o->fleet);
	static const enum setting endpoints[] = { SETTING_OTLP_TRACES_ENDPOINT,
		SETTING_OTLP_METRICS_ENDPOINT };

	for (unsigned i = 0; i < OTLP_SIGNALS; i++) {
		struct channel *c = &o->channels[i];
		bool was = c->counts.on;

		c->counts.on = s->text[endpoints[i]][0] != '\0';
		if (c->counts.on)
			resize(c, i == EXPORT_TRACES ? (size_t)s->num[SETTING_OTLP_QUEUE] : OTLP_BODIES_MAX);
		while (!c->counts.on && c->n > 0)
			drop_oldest(c);
		if (i == EXPORT_METRICS && c->counts.on && !was)
			set_timer(o->collect_timer, s->num[SETTING_OTLP_INTERVAL]);
		begin(c);
	}
}

void
otlp_flush(struct otlp *o)
{
	o->flushing = true;
	event_del(o->collect_timer);
	for (unsigned i = 0; i < OTLP_SIGNALS; i++) {
		struct channel *c = &o->channels[i];

		if (c->state == CHANNEL_WAITING)
			send_batch(c);
		begin(c);
	}
}

bool
otlp_idle(const struct otlp *o)
{
	for (unsigned i = 0; i < OTLP_SIGNALS; i++)
		if (o->channels[i].state != CHANNEL_IDLE || o->channels[i].n > 0)
			return false;
	return true;
}

void
otlp_counts(const struct otlp *o, unsigned signal, struct otlp_counts *counts)
{
	if (o == NULL) {
		*counts = (struct otlp_counts){ .on = false };
		return;
	}
	*counts = o->channels[signal].counts;
	counts->queued = o->channels[signal].points + o->channels[signal].body_points;
}

struct otlp *
otlp_new(struct event_base *base, struct fleet *fleet, struct pool *pool)
{
	struct otlp *o = xcalloc(1, sizeof(*o));
	const struct fleet_watch w = { .result = on_result, .arg = o };

	o->fleet = fleet;
	o->pool = pool;
	o->collect_timer = evtimer_new(base, on_collect, o);
	for (unsigned i = 0; i < OTLP_SIGNALS; i++) {
		struct channel *c = &o->channels[i];

		c->otlp = o;
		c->signal = i;
		c->timer = evtimer_new(base, on_timer, c);
		buf_init(&c->body, OTLP_BODY_MAX * 4);
		if (c->timer == NULL)
			fatal("cannot make the exporter's timers");
	}
	if (o->collect_timer == NULL)
		fatal("cannot make the exporter's timers");
	fleet_add_watch(fleet, &w);
	return o;
}

void
otlp_free(struct otlp *o)
{
	if (o == NULL)
		return;
	fleet_remove_watch(o->fleet, o);
	for (unsigned i = 0; i < OTLP_SIGNALS; i++) {
		struct channel *c = &o->channels[i];

		while (c->n > 0)
			free(take(c).json);
		free(c->ring);
		buf_clear(&c->body);
		event_free(c->timer);
	}
	event_free(o->collect_timer);
	free(o);
}
