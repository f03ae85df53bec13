/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics: the rows of metrics.def. What changes with every request is written anew, the rest
 * is joined once for each version of the fleet and then shared by all who ask.
 */
#ifndef SUPERVISOR_FRONT_HTTP_METRICS_H
#define SUPERVISOR_FRONT_HTTP_METRICS_H

#include "supervisor/front/http/route.h"

struct http;
struct metrics;

struct metrics *metrics_new(struct http *h);
/* Before the fleet is freed. */
void metrics_free(struct metrics *m);

void metrics_handle(struct conn *c, const struct http_request *r, enum caller caller);
/* Says that this caller may not, as LiteLLM says it. */
void metrics_refuse(struct conn *c, enum caller caller);

#endif
