/* SPDX-License-Identifier: Apache-2.0 */
/* Packing and unpacking between the store and the fleet. */
#include "supervisor/front/keep.h"

#include <stdlib.h>

#include "shared/buf.h"
#include "shared/json.h"
#include "shared/log.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/quorum.h"
#include "supervisor/front/store/store.h"
#include "supervisor/front/verdict_pack.h"

#define VIEW_MAX 65536
#define PIECE 256 /* deployments that are put in one turn of the loop */

/* For people and their tools; docs/redis.md says what is in it. Times are of this instance. */
static void
add_view(struct buf *b, const struct deployment *d)
{
	const struct verdict *v = &d->verdict;
	const struct {
		const char *key, *text;
	} texts[] = { { "model_id", d->id }, { "model_name", d->model_name }, { "model", d->model },
		{ "provider", d->provider }, { "mode", d->mode },
		{ "state", verdict_state_name(v->state) }, { "reason", reason_name(v->reason) },
		{ "error", v->error }, { "detail", v->detail } };
	const struct {
		const char *key;
		int64_t number;
	} numbers[] = { { "status", v->http_status }, { "checked_at_ms", v->checked_at_ms },
		{ "since_ms", v->since_ms }, { "latency_us", v->total_us },
		{ "probes", (int64_t)v->probes }, { "failures", (int64_t)v->failures },
		{ "tokens_in", (int64_t)v->tokens_in }, { "tokens_out", (int64_t)v->tokens_out } };

	buf_add_char(b, '{');
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		json_add_key(b, texts[i].key);
		json_add_string(b, str_of(texts[i].text));
	}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		json_add_key(b, numbers[i].key);
		buf_add_int(b, numbers[i].number);
	}
	buf_add_char(b, '}');
}

void
keep_put(struct store *store, const struct fleet *fleet, const struct deployment *d,
    struct buf *scratch)
{
	struct store_item item = { .id = str_of(d->id),
		.checked_at_ms = d->verdict.checked_at_ms,
		.state = str_of(verdict_state_name(d->verdict.state)) };
	struct buf view = BUF_INIT(VIEW_MAX), sight = BUF_INIT(QUORUM_VIEW_MAX);
	int rc = 0;

	buf_reset(scratch);
	if (d->verdict.state == VERDICT_UNKNOWN)
		item.state = STR(""); /* only our word of it, which decides nothing yet */
	else
		rc = verdict_pack(d, scratch);
	item.packed = buf_str(scratch);
	if (store_again_ms(store) > 0 && item.state.n > 0)
		add_view(&view, d);
	if (buf_ok(&view))
		item.view = buf_str(&view);
	quorum_add_own(&sight, d, store_clock_offset_ms(store));
	if (buf_ok(&sight))
		item.sight = buf_str(&sight);
	item.sight_ttl_ms = fleet_stale_after_ms(fleet, d);
	if (rc == 0)
		rc = store_put(store, &item);
	buf_clear(&view);
	buf_clear(&sight);
	if (rc < 0)
		log_event(LOG_LEVEL_DEBUG, "verdict_not_kept", LS("id", d->id),
		    LS("error", err_text(rc)));
}

size_t
keep_put_from(struct store *store, const struct fleet *fleet, size_t at)
{
	struct buf scratch = BUF_INIT(VERDICT_PACKED_MAX);
	size_t end = fleet_size(fleet) - at > PIECE ? at + PIECE : fleet_size(fleet);

	for (; at < end; at++) {
		const struct deployment *d = fleet_at(fleet, at);

		if (d->problem_reason == REASON_OK && d->depends.n == 0 &&
		    (d->verdict.state != VERDICT_UNKNOWN || quorum_own_ms(d) > 0))
			keep_put(store, fleet, d, &scratch);
	}
	buf_clear(&scratch);
	return at;
}

struct load {
	struct store *store;
	struct fleet *fleet;
	void (*done)(void *arg);
	void *arg;
	size_t restored, unknown, bad;
};

/* Returns 0, ERR_NOT_FOUND when there is no such deployment, or why it is no verdict. */
static int
restore(struct fleet *fleet, const struct store_item *item, bool *taken)
{
	struct deployment *d = fleet_find_id(fleet, item->id);
	struct verdict_unpacked u;
	int rc;

	*taken = false;
	if (d == NULL)
		return ERR_NOT_FOUND;
	rc = verdict_unpack(item->packed, &u);
	if (rc < 0)
		return rc;
	*taken = fleet_restore(fleet, d, &u.verdict, u.history, u.n_history);
	verdict_unpacked_clear(&u);
	return 0;
}

static void
on_item(const struct store_item *item, int err, void *arg)
{
	struct load *l = arg;
	bool taken;
	int rc;

	if (item) {
		rc = restore(l->fleet, item, &taken);
		l->restored += taken;
		l->unknown += rc == ERR_NOT_FOUND;
		l->bad += rc < 0 && rc != ERR_NOT_FOUND;
		if (rc < 0)
			store_remove(l->store, item->id);
		return;
	}
	if (err < 0 && err != ERR_CLOSED)
		log_event(LOG_LEVEL_ERROR, "verdicts_not_loaded", LS("error", err_text(err)));
	if (l->restored + l->unknown + l->bad > 0)
		log_event(l->bad > 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "verdicts_loaded",
		    LI("restored", l->restored), LI("no_longer_configured", l->unknown),
		    LI("unreadable", l->bad));
	l->done(l->arg);
	free(l);
}

struct deployment *
keep_take(struct fleet *fleet, const struct store_item *item)
{
	bool taken;

	/* What another instance put and we cannot use is no concern of ours. */
	if (restore(fleet, item, &taken) < 0)
		log_event(LOG_LEVEL_DEBUG, "verdict_not_used", LV("id", item->id));
	return taken ? fleet_find_id(fleet, item->id) : NULL;
}

int
keep_load(struct store *store, struct fleet *fleet, void (*done)(void *arg), void *arg)
{
	struct load *l = xcalloc(1, sizeof(*l));
	int rc;

	*l = (struct load){ .store = store, .fleet = fleet, .done = done, .arg = arg };
	rc = store_load(store, on_item, l);
	if (rc < 0) {
		free(l);
		return rc;
	}
	return 0;
}
