/* SPDX-License-Identifier: Apache-2.0 */
/* GET /health/shared-status: what is in Redis for LiteLLM's shared health checks, as it is now. */
#ifndef SUPERVISOR_FRONT_HTTP_SHARED_H
#define SUPERVISOR_FRONT_HTTP_SHARED_H

#include "supervisor/front/http/route.h"

void shared_handle_status(struct conn *c, const struct http_request *r, enum caller caller);

#endif
