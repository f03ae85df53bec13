/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /health/drain, for a preStop hook: from the first call on liveliness and readiness say that we
 * stop, while everything is still served; the answer comes when nobody else waits for one.
 */
#ifndef SUPERVISOR_FRONT_HTTP_DRAIN_H
#define SUPERVISOR_FRONT_HTTP_DRAIN_H

#include "supervisor/front/http/route.h"

void drain_handle(struct conn *c, const struct http_request *r, enum caller caller);

#endif
