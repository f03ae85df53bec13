/* SPDX-License-Identifier: Apache-2.0 */
/* GET /health: which deployments work, from the last results or from a probe made now. */
#ifndef SUPERVISOR_FRONT_HTTP_HEALTH_H
#define SUPERVISOR_FRONT_HTTP_HEALTH_H

#include "supervisor/front/fleet.h"
#include "supervisor/front/http/route.h"

struct health;

struct health *health_new(void);
void health_free(struct health *s);

/* What /health shows of d at this moment (wall clock). */
enum verdict_state health_state(const struct http *h, const struct deployment *d, int64_t now_ms);

void health_handle(struct conn *c, const struct http_request *r, enum caller caller);

#endif
