/* SPDX-License-Identifier: Apache-2.0 */
/* GET /health/services: the summary of what is behind us, and LiteLLM's test of one logging service. */
#ifndef SUPERVISOR_FRONT_HTTP_SERVICES_H
#define SUPERVISOR_FRONT_HTTP_SERVICES_H

#include "supervisor/front/http/route.h"

void services_handle(struct conn *c, const struct http_request *r, enum caller caller);

#endif
