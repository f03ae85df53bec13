/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Past results in the shape of LiteLLM's table of health checks, from the history that each
 * deployment keeps; no database is needed.
 */
#ifndef SUPERVISOR_FRONT_HTTP_HISTORY_H
#define SUPERVISOR_FRONT_HTTP_HISTORY_H

#include "supervisor/front/http/route.h"

void history_handle(struct conn *c, const struct http_request *r, enum caller caller);
void history_handle_latest(struct conn *c, const struct http_request *r, enum caller caller);
void history_handle_models(struct conn *c, const struct http_request *r, enum caller caller);

#endif
