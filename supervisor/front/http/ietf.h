/* SPDX-License-Identifier: Apache-2.0 */
/* Health as application/health+json: draft-inadarei-api-health-check-06. */
#ifndef SUPERVISOR_FRONT_HTTP_IETF_H
#define SUPERVISOR_FRONT_HTTP_IETF_H

#include <stdbool.h>

#include "supervisor/front/http/blob.h"
#include "supervisor/front/http/parse.h"

struct groups;
struct http;

/* Whether the client asks for that form. */
bool ietf_wanted(const struct http_request *r);
/* The whole fleet; *status is 200, or 503 when nothing can serve. */
struct blob *ietf_fleet(const struct http *h, const struct groups *g, int *status);
/* This process alone. */
struct blob *ietf_self(const struct http *h, int *status);

#endif
