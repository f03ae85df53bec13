/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How one result changes one verdict: rise and fall, counters, the history's ring. The fleet's
 * rules are fleet's; packing for the store is verdict_pack's.
 */
#ifndef SUPERVISOR_FRONT_VERDICT_H
#define SUPERVISOR_FRONT_VERDICT_H

#include "supervisor/front/fleet.h"

/* Longest texts kept of a result; error, detail and model are cut, the others dropped when longer.
 */
#define VERDICT_TEXT_MAX 4096
#define VERDICT_RAW_REQUEST_MAX 32768
#define VERDICT_HEADERS_MAX 8192

struct verdict_rules {
	unsigned rise, fall;
	unsigned history; /* results kept */
	enum verdict_state held; /* what others have decided; UNKNOWN: rise and fall do */
};

void verdict_clear(struct verdict *v);
/* Applies a result at `now_ms` (wall clock). False when it is older than what is held. */
bool verdict_apply(struct deployment *d, const struct msg_result *r,
    const struct verdict_rules *rules, int64_t now_ms);
/* The state of these words, and they; not a result of a probe. */
void verdict_turn(struct deployment *d, const struct msg_result *words);
/* The deployment cannot be asked: its problem is its verdict. */
void verdict_set_problem(struct deployment *d, int64_t now_ms);
/* What follows for a router from others' verdicts; texts may be NULL. */
struct verdict_derived {
	enum verdict_state state;
	int64_t checked_at_ms; /* 0: not known */
	enum reason reason;
	const char *error, *detail;
};
/* Takes it over. False when it is what is held. A change of state is in the history. */
bool verdict_derive(struct deployment *d, const struct verdict_derived *to, int64_t now_ms,
    unsigned history);
/* Keeps at most `max` results, the newest. */
void history_limit(struct deployment *d, unsigned max);
/* Appends, dropping the oldest when `max` are there. */
void history_add(struct deployment *d, const struct history_item *item, unsigned max);

#endif
