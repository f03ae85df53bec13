/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A look each second, by one instance of the fleet: written is what has changed, and everything in
 * time before LiteLLM's own timers would fire.
 */
#include "supervisor/front/litellm.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "shared/log.h"
#include "supervisor/front/entry.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/hash.h"
#include "supervisor/front/keep.h"
#include "supervisor/front/pyvalue.h"
#include "supervisor/front/quorum.h"
#include "supervisor/front/scheduler.h"
#include "supervisor/front/store/store.h"
#include "supervisor/front/verdict_pack.h"

#define LOOK_MS 1000
#define REFRESH_MAX_MS 60000
#define REFRESHES 5 /* in the time that proxies take a result for fresh */
#define CONSUME_MS 10000
#define VALUE_MAX ((size_t)256 << 20)
#define LEADER STR("litellm")

struct litellm {
	struct fleet *fleet;
	struct scheduler *scheduler;
	struct event *timer;
	uint64_t written; /* print of the states that were written last */
	int64_t written_ms, consumed_ms;
	uint64_t losses, unset; /* the store's, when that was written */
	bool led; /* when we looked last */
	size_t taken;
};

void
litellm_key(const struct settings *s, const char *name, struct buf *b)
{
	if (s->text[SETTING_REDIS_NAMESPACE][0])
		buf_addf(b, "%s:", s->text[SETTING_REDIS_NAMESPACE]);
	buf_add_text(b, name);
}

/* What proxies would see differently is another number. */
static uint64_t
print_of(const struct fleet *f, int64_t now_ms)
{
	uint64_t print = fleet_generation(f);

	for (size_t i = 0; i < fleet_size(f); i++) {
		const struct deployment *d = fleet_at(f, i);
		enum verdict_state state = fleet_state(f, d, now_ms);

		print = hash_bytes(&state, sizeof(state), print);
	}
	return print;
}

static size_t
add_list(struct buf *b, const struct fleet *f, enum verdict_state wanted, int64_t now_ms)
{
	enum entry_kind kind =
	    fleet_settings(f)->num[SETTING_HC_DETAILS] ? ENTRY_FULL : ENTRY_MINIMAL;
	size_t n = 0;

	buf_add_char(b, '[');
	for (size_t i = 0; i < fleet_size(f); i++) {
		struct deployment *d = fleet_at(f, i);

		if (fleet_state(f, d, now_ms) != wanted)
			continue;
		buf_add_text(b, n++ ? ", " : "");
		pyvalue_add_dumps(b, entry_render_as(d, kind, wanted));
	}
	buf_add_char(b, ']');
	return n;
}

static void
write_results(struct litellm *l, struct store *store, double now_s, int64_t now_ms)
{
	const struct settings *s = fleet_settings(l->fleet);
	struct buf text = BUF_INIT(VALUE_MAX), value = BUF_INIT(VALUE_MAX), name = BUF_INIT(1024);
	struct store_status status;
	size_t healthy, unhealthy;

	store_status(store, &status);
	buf_add_text(&text, "{\"healthy_endpoints\": ");
	healthy = add_list(&text, l->fleet, VERDICT_HEALTHY, now_ms);
	buf_add_text(&text, ", \"unhealthy_endpoints\": ");
	unhealthy = add_list(&text, l->fleet, VERDICT_UNHEALTHY, now_ms);
	buf_addf(&text,
	    ", \"healthy_count\": %zu, \"unhealthy_count\": %zu, \"timestamp\": %.6f, "
	    "\"checked_by\": ",
	    healthy, unhealthy, now_s);
	json_add_string(&text, str_of(status.instance));
	buf_add_char(&text, '}');
	/* A JSON text that holds JSON, as LiteLLM's other readers expect. */
	json_add_string(&value, buf_str(&text));
	litellm_key(s, LITELLM_RESULTS, &name);
	if (!buf_ok(&text) || !buf_ok(&value) ||
	    store_set(store, buf_str(&name), buf_str(&value),
		s->num[SETTING_REDIS_LITELLM_TTL] / 1000) < 0)
		log_event(LOG_LEVEL_WARNING, "litellm_results_not_written", LI("bytes", text.len));
	buf_clear(&text);
	buf_clear(&value);
	buf_clear(&name);
}

static void
on_states(const struct str *old, int err, void *arg)
{
	struct litellm *l = arg;
	struct store *store = scheduler_store(l->scheduler);
	const struct settings *s = fleet_settings(l->fleet);
	struct buf value = BUF_INIT(VALUE_MAX), name = BUF_INIT(1024);
	int64_t now = clock_wall_ms();
	double now_s, keep_s = (double)(s->num[SETTING_HC_STALENESS] * 3 / 2);

	if (store == NULL || err == ERR_CLOSED)
		return;
	now_s = (double)(now + store_clock_offset_ms(store)) / 1000;
	litellm_merge(old ? *old : STR(""), l->fleet, now_s, keep_s, now, &value);
	litellm_key(s, LITELLM_STATES, &name);
	if (!buf_ok(&value) ||
	    store_set(store, buf_str(&name), buf_str(&value), (int64_t)keep_s) < 0)
		log_event(LOG_LEVEL_WARNING, "litellm_states_not_written", LI("bytes", value.len));
	buf_clear(&value);
	buf_clear(&name);
}

static void
provide(struct litellm *l, struct store *store)
{
	const struct settings *s = fleet_settings(l->fleet);
	bool shared = s->num[SETTING_HC_SHARED];
	bool routing = s->num[SETTING_HC_ROUTING] || s->num[SETTING_HEALTHY_ONLY];
	int64_t now = clock_wall_ms(), mono = clock_mono_ms();
	int64_t refresh = s->num[SETTING_REDIS_LITELLM_TTL] / REFRESHES;
	uint64_t print = print_of(l->fleet, now);
	struct buf name = BUF_INIT(1024);
	struct store_status status;
	bool lost;

	/* What was written may not be there any more, or never was. */
	store_status(store, &status);
	lost = status.losses != l->losses || status.unset != l->unset;
	if (refresh > REFRESH_MAX_MS)
		refresh = REFRESH_MAX_MS;
	/* Half a first round would empty the proxies' `/health`. */
	if (!(shared || routing) || fleet_pending(l->fleet) > 0 ||
	    (l->led && !lost && print == l->written && mono - l->written_ms < refresh))
		return;
	if (shared)
		write_results(l, store, (double)(now + store_clock_offset_ms(store)) / 1000, now);
	litellm_key(s, LITELLM_STATES, &name);
	if (routing && store_get(store, buf_str(&name), on_states, l) < 0)
		log_event(LOG_LEVEL_DEBUG, "litellm_states_not_read", LS("key", buf_text(&name)));
	buf_clear(&name);
	l->written = print;
	l->written_ms = mono;
	l->losses = status.losses;
	l->unset = status.unset;
}

/* Consuming. */

static enum reason
reason_of(int64_t status)
{
	for (int i = REASON_OK + 1; i < REASON_COUNT; i++)
		if (reason_status((enum reason)i) == status)
			return (enum reason)i;
	return REASON_SERVER_ERROR;
}

struct witness {
	struct litellm *l;
	int64_t at_ms;
};

/* Where a quorum decides, the proxies are one witness. */
static void
on_witness(struct litellm *l, struct store *store, struct deployment *d, const struct msg_result *r)
{
	struct buf sight = BUF_INIT(QUORUM_VIEW_MAX), scratch = BUF_INIT(VERDICT_PACKED_MAX);
	struct store_item item = { .id = str_of(d->id),
		.witness = STR(QUORUM_LITELLM),
		.sight_ttl_ms = fleet_stale_after_ms(l->fleet, d) };
	unsigned what;

	quorum_add_result(&sight, r, store_clock_offset_ms(store));
	item.sight = buf_str(&sight);
	if (!buf_ok(&sight) || store_put(store, &item) < 0)
		log_event(LOG_LEVEL_DEBUG, "litellm_word_not_kept", LS("id", d->id));
	what = quorum_heard(l->fleet, store, &item, &d);
	l->taken++;
	if (what & QUORUM_CHANGED)
		keep_put(store, l->fleet, d, &scratch);
	if (what & QUORUM_ALARM)
		scheduler_confirm(l->scheduler, d);
	buf_clear(&sight);
	buf_clear(&scratch);
}

static void
on_entry(struct str id, bool healthy, struct str error, int64_t status, void *arg)
{
	struct witness *w = arg;
	struct litellm *l = w->l;
	struct deployment *d = fleet_find_id(l->fleet, id);
	struct store *store = scheduler_store(l->scheduler);
	struct buf scratch = BUF_INIT(VERDICT_PACKED_MAX);
	struct msg_result r = {
		.healthy = healthy,
		.reason = healthy ? REASON_OK : reason_of(status),
		.exception_status = status,
		.error = healthy ? STR("") : error,
		.detail = healthy ? STR("") : STR("said by a LiteLLM proxy"),
		.retry_after_ms = -1,
		.raw_request = STR(""),
		.asked_model = STR(""),
		.checked_at_ms = w->at_ms,
	};

	if (d == NULL)
		return;
	if (quorum_on(store)) {
		on_witness(l, store, d, &r);
		return;
	}
	if (d->verdict.checked_at_ms >= w->at_ms || !fleet_apply(l->fleet, d, &r))
		return;
	l->taken++;
	if (store)
		keep_put(store, l->fleet, d, &scratch);
	scheduler_renewed(l->scheduler, d);
	buf_clear(&scratch);
}

static void
on_results(const struct str *value, int err, void *arg)
{
	struct litellm *l = arg;
	struct store *store = scheduler_store(l->scheduler);
	struct witness w = { .l = l };
	struct litellm_head head;
	int64_t now = clock_wall_ms();

	if (value == NULL || store == NULL || !litellm_read(*value, &head, NULL, NULL))
		return;
	/* What is of the future by the server's clock is of now; what is old is no news. */
	w.at_ms = head.timestamp > 0 && head.timestamp < 1e12
		      ? (int64_t)(head.timestamp * 1000) - store_clock_offset_ms(store)
		      : 0;
	if (w.at_ms > now)
		w.at_ms = now;
	if (now - w.at_ms > fleet_settings(l->fleet)->num[SETTING_REDIS_LITELLM_TTL])
		return;
	l->taken = 0;
	(void)litellm_read(*value, &head, on_entry, &w);
	if (l->taken > 0)
		log_event(LOG_LEVEL_INFO, "litellm_results_taken", LI("verdicts", l->taken),
		    LS("by", head.checked_by));
}

static void
consume(struct litellm *l, struct store *store)
{
	struct buf name = BUF_INIT(1024);

	if (l->consumed_ms != 0 && clock_mono_ms() - l->consumed_ms < CONSUME_MS)
		return;
	l->consumed_ms = clock_mono_ms();
	litellm_key(fleet_settings(l->fleet), LITELLM_RESULTS, &name);
	if (store_get(store, buf_str(&name), on_results, l) < 0)
		log_event(LOG_LEVEL_DEBUG, "litellm_results_not_read", LS("key", buf_text(&name)));
	buf_clear(&name);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct litellm *l = arg;
	struct store *store = scheduler_store(l->scheduler);
	const char *mode = fleet_settings(l->fleet)->text[SETTING_REDIS_LITELLM];
	bool leads = store && store_leads(store, LEADER);

	if (leads && strcmp(mode, "provide") == 0)
		provide(l, store);
	else if (leads && strcmp(mode, "consume") == 0)
		consume(l, store);
	l->led = leads;
}

struct litellm *
litellm_new(struct event_base *base, struct fleet *fleet, struct scheduler *scheduler)
{
	struct timeval tv = { LOOK_MS / 1000, LOOK_MS % 1000 * 1000 };
	struct litellm *l = xcalloc(1, sizeof(*l));

	l->fleet = fleet;
	l->scheduler = scheduler;
	l->timer = event_new(base, -1, EV_PERSIST, on_timer, l);
	if (l->timer == NULL || event_add(l->timer, &tv) < 0)
		fatal("cannot make a timer");
	return l;
}

void
litellm_free(struct litellm *l)
{
	if (l == NULL)
		return;
	event_free(l->timer);
	free(l);
}
