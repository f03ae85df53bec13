/* SPDX-License-Identifier: Apache-2.0 */
/* The next turn of one deployment. */
#include "supervisor/front/turn.h"

#include "shared/clock.h"
#include "supervisor/front/hash.h"
#include "supervisor/front/store/store.h"

#define NOW_US 1000000
/* What another instance asks has come, or is asked here too, when its probe must have ended. */
#define ELSEWHERE_MARGIN_MS 1000
#define ELSEWHERE_LOOK_MS 200

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
	return (struct schedule_rules){
		.interval_ms = item->interval_ms,
		.recheck_ms = fleet_settings(s->fleet)->num[SETTING_RECHECK],
		.hash = hash_str(str_of(item->d->id)),
	};
}

bool
turn_in_background(const struct scheduler *s, const struct deployment *d)
{
	return s->background && fleet_settings(s->fleet)->num[SETTING_BACKGROUND] != 0 &&
	       d->problem_reason == REASON_OK && d->depends.n == 0 &&
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
	if (item->streak == 0 && item->d->verdict.state == VERDICT_UNHEALTHY)
		return 1; /* on its way up */
	return item->streak;
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
	const struct verdict *v = &item->d->verdict;
	struct schedule_rules rules = turn_rules(s, item);
	int64_t now = clock_wall_ms(), delay, next;

	if (item->state != ITEM_IDLE || !turn_in_background(s, item->d)) {
		heap_remove(&s->due, &item->due);
		return;
	}
	item->off_grid = false;
	if (v->checked_at_ms == 0 || v->checked_at_ms > now ||
	    now - v->checked_at_ms >= item->interval_ms) {
		turn_set(item, 0);
		return;
	}
	next = v->checked_at_ms + schedule_delay(&rules, v->checked_at_ms + turn_now_ms(s) - now,
				      streak_of(item), -1, &item->off_grid);
	delay = next - now;
	turn_set(item, delay > 0 ? delay : 0);
}

bool
turn_overdue(const struct scheduler *s, const struct schedule_item *item)
{
	int64_t checked = item->d->verdict.checked_at_ms;

	if (checked == 0)
		return item->denied;
	return clock_wall_ms() - checked > 2 * item->interval_ms + store_again_ms(s->store);
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
