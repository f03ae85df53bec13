/* SPDX-License-Identifier: Apache-2.0 */
/* The table of routes: method, path, who may call, handler. */
#ifndef SUPERVISOR_FRONT_HTTP_ROUTE_H
#define SUPERVISOR_FRONT_HTTP_ROUTE_H

#include "supervisor/front/http/auth.h"
#include "supervisor/front/http/conn.h"
#include "supervisor/front/http/parse.h"

/* The words of routes.def. */
#define PROBE (HTTP_GET | HTTP_OPTIONS)
#define GET HTTP_GET
#define POST HTTP_POST

enum access {
	ACCESS_ANY,	/* no key is looked at */
	ACCESS_KEY,	/* any key but one for metrics alone; anybody when none is set */
	ACCESS_METRICS, /* any key; anybody when none is set, or by
			 * require_auth_for_metrics_endpoint */
	ACCESS_ADMIN,	/* the master key, or one with the role admin */
};

/* Answers the request, or says conn_wait(). The request is gone when it returns. */
typedef void (*route_handler)(struct conn *c, const struct http_request *r, enum caller caller);

/* Finds the route, checks who calls, and has the request answered. */
void route_dispatch(struct conn *c, const struct http_request *r);

/* Whether the request's body is worth keeping: its route reads one, and the caller may call it. */
bool route_keeps_body(const struct conn *c, const struct http_request *r);

/* Bytes of the request's body at most. */
uint64_t route_max_body(const struct conn *c, const struct http_request *r);
/* For handlers: what stands in the place of {model} in the route's path, percent-encoded as it came;
 * empty where it has none. */
struct str route_model(struct str path);

/* For handlers: a JSON answer that is always the same. */
void route_reply_text(struct conn *c, int status, struct str json);
/* For handlers: a JSON answer that is made for this request. The blob's reference is taken over. */
void route_reply_json(struct conn *c, int status, struct blob *body);
/* `{"detail":{"error":"…"}}`, as LiteLLM's own routes complain. */
struct blob *route_error(const char *before, struct str what, const char *after);

#endif
