/* SPDX-License-Identifier: Apache-2.0 */
/* POST /health/test_connection: one probe with the caller's parameters, answered as LiteLLM does. */
#ifndef SUPERVISOR_FRONT_HTTP_TEST_CONNECTION_H
#define SUPERVISOR_FRONT_HTTP_TEST_CONNECTION_H

#include "supervisor/front/http/route.h"

void test_connection_handle(struct conn *c, const struct http_request *r, enum caller caller);

#endif
