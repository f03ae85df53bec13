/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LiteLLM's own keys in Redis: our verdicts for its proxies (shared health checks, health-driven
 * routing), or its results for us. docs/redis.md says what is written when.
 */
#ifndef SUPERVISOR_FRONT_LITELLM_H
#define SUPERVISOR_FRONT_LITELLM_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/settings.h"
#include "shared/str.h"

struct event_base;
struct fleet;
struct litellm;
struct scheduler;

/* Works on its own, over the scheduler's store; both are borrowed. */
struct litellm *litellm_new(
    struct event_base *base, struct fleet *fleet, struct scheduler *scheduler);
/* After the store is closed. Accepts NULL. */
void litellm_free(struct litellm *l);

/* Appends a key's name with the namespace. */
#define LITELLM_RESULTS "health_check_results"
#define LITELLM_STATES "litellm:health_check:deployment_health_state"
#define LITELLM_LOCK "health_check_lock"
void litellm_key(const struct settings *s, const char *name, struct buf *b);

/* What the value of LITELLM_RESULTS says of itself. */
struct litellm_head {
	double timestamp;     /* seconds */
	char checked_by[128]; /* "" when it does not say */
};
/* One entry of such a value. Texts are good during the call. */
typedef void (*litellm_entry_cb)(
    struct str id, bool healthy, struct str error, int64_t status, void *arg);
/* Reads it as LiteLLM does; cb may be NULL. False when it is no such value: as if there were none.
 */
bool litellm_read(struct str value, struct litellm_head *head, litellm_entry_cb cb, void *arg);
/* The value of LITELLM_STATES with others' entries younger than `keep_s` kept, ours put over them.
 * `now_s` is their time and the age's measure. */
void litellm_merge(struct str old, const struct fleet *fleet, double now_s, double keep_s,
    int64_t now_ms, struct buf *b);

#endif
