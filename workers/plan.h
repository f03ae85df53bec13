/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A built request in the form that curl takes, with the bodies of all its variants: kept from probe
 * to probe where the dialect says that it does not change. Holds the key; wiped when freed.
 */
#ifndef WORKERS_PLAN_H
#define WORKERS_PLAN_H

#include <stdint.h>

#include "shared/err.h"
#include "workers/transfer.h"

struct plan;
struct request;

#define PLAN_MAX_VARIANTS 8

struct plan *plan_new(const struct request *r);
/* One holder more: it is freed when plan_free() has been called for each. */
struct plan *plan_hold(struct plan *p);
/* Wipes and frees; accepts NULL. */
void plan_free(struct plan *p);
/* One more variant. ERR_INVALID when more than its body differs, ERR_LIMIT when there are too many.
 */
int plan_add(struct plan *p, const struct request *r) MUST_CHECK;
/* The request of that variant (modulo their number), borrowed from the plan. */
struct transfer_request plan_request(const struct plan *p, uint32_t variant);

#endif
