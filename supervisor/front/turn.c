/* SPDX-License-Identifier: Apache-2.0 */
/* The next turn of one deployment. */
#include "supervisor/front/turn.h"

#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/hash.h"
#include "supervisor/front/quorum.h"
#include "supervisor/front/ratelimit.h"
#include "supervisor/front/store/store.h"

#define NOW_US 1000000
/* What another instance asks has come, or is asked here too, when its probe must have ended. */
#define ELSEWHERE_MARGIN_MS 1000
#define ELSEWHERE_LOOK_MS 200
#define SOON_MS 200
/* Of the time after which an instance is dead: so much before, its turns are anybody's. */
#define OVERDUE_PART 5

int64_t
turn_interval_ms(const struct scheduler *s, const struct deployment *d)
{
	return d->interval_ms > 0 ? d->interval_ms : settings_interval_ms(fleet_settings(s->fleet));
}

int64_t
turn_now_ms(const struct scheduler *s)
{
	return clock_wall_ms() + (s->store ? store_clock_offset_ms(s->store) : 0);
}

struct schedule_rules
turn_rules(const struct scheduler *s, const struct schedule_item *item)
{
	struct store_status status;
	struct schedule_rules rules = {
		.interval_ms = item->interval_ms,
		.recheck_ms = fleet_settings(s->fleet)->num[SETTING_RECHECK],
		.hash = hash_str(str_of(item->d->id)),
	};

	/* Witnesses come one after another, not at once. */
	if (quorum_on(s->store)) {
		store_status(s->store, &status);
		rules.hash = hash_bytes(status.witness.p, status.witness.n, rules.hash);
	}
	return rules;
}

bool
turn_in_background(const struct scheduler *s, const struct deployment *d)
{
	return s->background && fleet_settings(s->fleet)->num[SETTING_BACKGROUND] != 0 &&
	       d->problem_reason == REASON_OK &&
	       !(d->flags & (DEPLOYMENT_DISABLED | DEPLOYMENT_OUTSIDE));
}

void
turn_set(struct schedule_item *item, int64_t delay_ms)
{
	int64_t at = clock_mono_us() + delay_ms * 1000;

	item->wanted_us = at;
	/* What is due now has been due for less than a second: the order then is that of position.
	 */
	if (delay_ms == 0)
		at += (item->d->position < NOW_US ? (int64_t)item->d->position : NOW_US) - NOW_US;
	heap_set(&item->scheduler->due, &item->due, at);
}

static unsigned
streak_of(const struct schedule_item *item)
{
	if (item->streak == 0 && item->d->verdict.state == VERDICT_UNHEALTHY &&
	    quorum_own_ms(item->d) == 0)
		return 1; /* on its way up */
	return item->streak;
}

int64_t
turn_wait_ms(const struct msg_result *r)
{
	int64_t ms = ratelimit_wait_ms(r->headers);

	return ms > r->retry_after_ms ? ms : r->retry_after_ms;
}

/* When it was asked last, as far as its next turn depends on it: where several witnesses look, by
 * us. */
static int64_t
checked_ms(const struct scheduler *s, const struct schedule_item *item)
{
	int64_t ours = quorum_own_ms(item->d);

	if (!quorum_on(s->store) || (ours == 0 && item->denied))
		return item->d->verdict.checked_at_ms;
	return ours;
}

void
turn_next(struct scheduler *s, struct schedule_item *item, int64_t retry_after_ms)
{
	struct schedule_rules rules = turn_rules(s, item);
	int64_t now = clock_wall_ms(), delay;

	item->d->quiet_until_ms = 0;
	if (item->state != ITEM_IDLE || !turn_in_background(s, item->d)) {
		heap_remove(&s->due, &item->due);
		return;
	}
	delay = schedule_delay(&rules, turn_now_ms(s), streak_of(item), retry_after_ms, &item->off_grid);
	/* No longer than schedule_delay() lets a provider ask for. */
	if (retry_after_ms > 0)
		item->d->quiet_until_ms = now + delay;
	turn_set(item, delay);
}

void
turn_first(struct scheduler *s, struct schedule_item *item)
{
	struct schedule_rules rules = turn_rules(s, item);
	int64_t now = clock_wall_ms(), checked = checked_ms(s, item), delay, next;

	if (item->state != ITEM_IDLE || !turn_in_background(s, item->d)) {
		heap_remove(&s->due, &item->due);
		return;
	}
	item->off_grid = false;
	if (checked == 0 || checked > now || now - checked >= item->interval_ms) {
		turn_set(item, 0);
		return;
	}
	next = checked + schedule_delay(&rules, checked + turn_now_ms(s) - now, streak_of(item), -1,
			     &item->off_grid);
	delay = next - now;
	turn_set(item, delay > 0 ? delay : 0);
}

/* The same for an instance and a deployment, another for each of them: not all come at once. */
static uint32_t
share_of(const struct scheduler *s, const struct schedule_item *item)
{
	struct store_status status;

	store_status(s->store, &status);
	return (uint32_t)hash_bytes(
	    item->d->id, strlen(item->d->id), hash_str(str_of(status.instance ? status.instance : "")));
}

/* How old a verdict is when whose turn it was has let it pass. */
static int64_t
overdue_after_ms(const struct scheduler *s, const struct schedule_item *item)
{
	int64_t again = store_again_ms(s->store);

	/* The provider may have asked that one, and nobody else, for a pause. */
	if (item->d->verdict.reason == REASON_RATE_LIMITED)
		return 2 * item->interval_ms + again;
	return item->interval_ms + again - again / OVERDUE_PART;
}

bool
turn_overdue(const struct scheduler *s, const struct schedule_item *item)
{
	int64_t checked = item->d->verdict.checked_at_ms;

	if (checked == 0)
		return item->denied;
	return clock_wall_ms() - checked >= overdue_after_ms(s, item);
}

bool
turn_soon(struct scheduler *s, struct schedule_item *item)
{
	if (item->state != ITEM_IDLE || item->elsewhere || !turn_in_background(s, item->d))
		return false;
	item->off_grid = true;
	turn_set(item, 1 + share_of(s, item) % SOON_MS);
	return true;
}

void
turn_denied(struct scheduler *s, struct schedule_item *item)
{
	int64_t again = s->store ? store_again_ms(s->store) : 0;
	int64_t checked = item->d->verdict.checked_at_ms, delay;

	turn_next(s, item, -1);
	if (again == 0 || !heap_has(&item->due))
		return;
	if (checked == 0) {
		/* The owner may not have it in its configuration: it is not left unknown for that.
		 */
		turn_set(item, again);
		return;
	}
	delay = checked + overdue_after_ms(s, item) - clock_wall_ms();
	if (delay <= 0)
		delay = again / OVERDUE_PART; /* asked for, and not granted: soon again */
	else
		delay += (int64_t)(share_of(s, item) % (uint64_t)(again / OVERDUE_PART / 2 + 1));
	if (clock_mono_us() + delay * 1000 < item->wanted_us) {
		item->off_grid = false;
		turn_set(item, delay);
	}
}

void
turn_elsewhere(struct schedule_item *item)
{
	if (item->elsewhere_end_ms == 0)
		item->elsewhere_end_ms =
		    clock_mono_ms() + item->d->timeout_ms + ELSEWHERE_MARGIN_MS;
	item->elsewhere = true;
	turn_set(item, ELSEWHERE_LOOK_MS);
}

bool
turn_waited_enough(const struct schedule_item *item)
{
	return item->elsewhere_end_ms != 0 && clock_mono_ms() >= item->elsewhere_end_ms;
}

struct str
turn_request(const struct schedule_item *item)
{
	const struct waiter *w, *first = NULL;

	LIST_FOREACH(w, &item->waiters, link)
	first = w;
	return str_of(first ? first->request : NULL);
}

void
turn_log(const struct schedule_item *item, const struct msg_result *r)
{
	struct str request = turn_request(item);

	if (r == NULL)
		log_event(LOG_LEVEL_DEBUG, "probe_begun", LS("id", item->d->id),
		    LV("request", request));
	else
		log_event(LOG_LEVEL_DEBUG, "probe_ended", LS("id", item->d->id),
		    LV("request", request), LS("reason", reason_name((enum reason)r->reason)),
		    LI("us", r->total_us));
}
