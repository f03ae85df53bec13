/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking for verdicts on demand: single flight. Whoever asks for a deployment that is being probed
 * waits for that probe; a hundred requests cost one round.
 */
#ifndef SUPERVISOR_FRONT_ASK_H
#define SUPERVISOR_FRONT_ASK_H

#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "supervisor/front/fleet.h"

struct scheduler;
struct ask;

/* All that was asked for has a verdict now. Called once, never inside ask_new(); frees the ask
 * itself. */
typedef void (*ask_done)(void *arg);

/*
 * Asks for n deployments whose last result is older than max_age_ms (0: probe each again, unless a
 * probe is under way). Deployments with a problem need no probe. When nothing has to be waited for,
 * `done` is called in the next turn of the loop. A deployment that ends meanwhile (a reload) counts
 * as answered; who asked must look it up again, by id or handle. `request` is the id of the HTTP request
 * that asks, empty for none. ERR_LIMIT when too many wait already.
 */
int ask_new(struct scheduler *s, struct deployment *const *d, size_t n, int64_t max_age_ms,
    struct str request, ask_done done, void *arg, struct ask **out) MUST_CHECK;
/* Nobody waits any more; done is not called. The probes go on if another waits or background wants
 * them. */
void ask_cancel(struct ask *a);

#endif
