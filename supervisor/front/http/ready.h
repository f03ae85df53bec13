/* SPDX-License-Identifier: Apache-2.0 */
/* Liveliness and readiness: what an orchestrator asks. Neither waits for anybody. */
#ifndef SUPERVISOR_FRONT_HTTP_READY_H
#define SUPERVISOR_FRONT_HTTP_READY_H

#include "supervisor/front/http/route.h"

void ready_handle_alive(struct conn *c, const struct http_request *r, enum caller caller);
void ready_handle(struct conn *c, const struct http_request *r, enum caller caller);
void ready_handle_details(struct conn *c, const struct http_request *r, enum caller caller);

#endif
