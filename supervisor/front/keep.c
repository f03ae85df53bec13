/* SPDX-License-Identifier: Apache-2.0 */
/* Packing and unpacking between the store and the fleet. */
#include "supervisor/front/keep.h"

#include <stdlib.h>

#include "shared/buf.h"
#include "shared/log.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/store/store.h"
#include "supervisor/front/verdict_pack.h"

void
keep_put(struct store *store, const struct deployment *d, struct buf *scratch)
{
	struct store_item item = { str_of(d->id), { NULL, 0 }, d->verdict.checked_at_ms };
	int rc;

	buf_reset(scratch);
	rc = verdict_pack(d, scratch);
	item.packed = buf_str(scratch);
	if (rc == 0)
		rc = store_put(store, &item);
	if (rc < 0)
		log_event(LOG_LEVEL_DEBUG, "verdict_not_kept", LS("id", d->id),
		    LS("error", err_text(rc)));
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

static void
on_other(const struct store_item *item, void *arg)
{
	bool taken;

	/* What another instance put and we cannot use is no concern of ours. */
	if (restore(arg, item, &taken) < 0)
		log_event(LOG_LEVEL_DEBUG, "verdict_not_used", LV("id", item->id));
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
	store_watch(store, on_other, fleet);
	return 0;
}
