/* SPDX-License-Identifier: Apache-2.0 */
/* GET /openapi.json: the table of routes and schemas.def as an OpenAPI 3.1 document. */
#ifndef SUPERVISOR_FRONT_HTTP_OPENAPI_H
#define SUPERVISOR_FRONT_HTTP_OPENAPI_H

#include "supervisor/front/http/route.h"

void openapi_handle(struct conn *c, const struct http_request *r, enum caller caller);

#endif
