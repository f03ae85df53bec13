/* SPDX-License-Identifier: Apache-2.0 */
/* Which request goes where, and what LiteLLM's proxy answers when it goes nowhere. */
#include "supervisor/front/http/route.h"

#include <stdlib.h>

#include "shared/json.h"
#include "supervisor/front/http/drain.h"
#include "supervisor/front/http/events.h"
#include "supervisor/front/http/guard.h"
#include "supervisor/front/http/health.h"
#include "supervisor/front/http/history.h"
#include "supervisor/front/http/metrics.h"
#include "supervisor/front/http/model_groups.h"
#include "supervisor/front/http/models.h"
#include "supervisor/front/http/openapi.h"
#include "supervisor/front/http/params.h"
#include "supervisor/front/http/passthrough.h"
#include "supervisor/front/http/proxy.h"
#include "supervisor/front/http/ready.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/http/turns.h"
#include "supervisor/front/http/services.h"
#include "supervisor/front/http/shared.h"
#include "supervisor/front/http/test_connection.h"

static const struct route {
	const char *path;
	unsigned methods; /* enum http_method, or-ed */
	enum access access;
	route_handler handler;
} routes[] = {
#define ROUTE(path, methods, access, handler, query, answer, statuses, text) \
	{ path, methods, ACCESS_##access, handler },
#include "supervisor/front/http/routes.def"
#undef ROUTE
};

void
route_reply_json(struct conn *c, int status, struct blob *body)
{
	struct reply r = { .status = status, .type = REPLY_JSON, .body = body };

	conn_reply(c, &r);
	blob_unref(body);
}

struct blob *
route_error(const char *before, struct str what, const char *after)
{
	struct buf text = BUF_INIT(SIZE_MAX), b = BUF_INIT(SIZE_MAX);
	struct blob *blob;

	buf_add_text(&text, before);
	buf_add_str(&text, what);
	buf_add_text(&text, after);
	buf_add_text(&b, "{\"detail\":{\"error\":");
	json_add_string(&b, buf_str(&text));
	buf_add_text(&b, "}}");
	blob = blob_copy(buf_str(&b));
	buf_clear(&text);
	buf_clear(&b);
	return blob;
}

void
route_reply_text(struct conn *c, int status, struct str json)
{
	route_reply_json(c, status, blob_copy(json));
}

/* A path with a {model} in it, which may hold slashes. */
static bool
fits(const char *template, struct str path, struct str *model)
{
	const char *open = strchr(template, '{'), *close = open ? strchr(open, '}') + 1 : NULL;
	size_t before, after;

	if (open == NULL)
		return false;
	before = (size_t)(open - template);
	after = strlen(close);
	if (path.n <= before + after || memcmp(path.p, template, before) != 0 ||
	    memcmp(path.p + path.n - after, close, after) != 0)
		return false;
	*model = (struct str){ path.p + before, path.n - before - after };
	return true;
}

/* What LiteLLM's separate health process serves: its health router, and its document. */
static bool
is_health_path(struct str path)
{
	static const char *const others[] = { "/test", "/settings", "/active/callbacks",
		"/openapi.json" };

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (str_is(path, others[i]))
			return true;
	return str_starts(path, "/health");
}

static const struct route *
find_route(const struct conn *c, struct str path)
{
	struct str model;

	if (conn_is_health(c) && !is_health_path(path))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (str_is(path, routes[i].path) || fits(routes[i].path, path, &model))
			return &routes[i];
	return NULL;
}

struct str
route_model(struct str path)
{
	struct str model;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (fits(routes[i].path, path, &model))
			return model;
	return STR("");
}

/* Any path, as the CORS middleware answers before there is a route. */
static void
reply_preflight(struct conn *c, const struct http_request *r)
{
	struct buf extra = BUF_INIT(SIZE_MAX);
	struct reply reply = { .status = 200, .type = REPLY_TEXT };

	buf_add_text(&extra,
	    "access-control-allow-methods: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT, QUERY\r\n"
	    "access-control-max-age: 600\r\n");
	if (r->cors_headers.n > 0) {
		buf_add_text(&extra, "access-control-allow-headers: ");
		buf_add_str(&extra, r->cors_headers);
		buf_add_text(&extra, "\r\n");
	}
	reply.extra = buf_str(&extra);
	reply.body = blob_copy(STR("OK"));
	reply.vary = STR("Origin, Access-Control-Request-Method, Access-Control-Request-Headers, "
			 "Access-Control-Request-Private-Network");
	conn_reply(c, &reply);
	blob_unref(reply.body);
	buf_clear(&extra);
}

static void
reply_options(struct conn *c)
{
	struct reply reply = { .status = 200, .type = REPLY_NO_TYPE };

	reply.extra = STR("allow: GET, OPTIONS\r\n"
			  "access-control-allow-methods: GET, OPTIONS\r\n"
			  "access-control-allow-headers: *\r\n");
	conn_reply(c, &reply);
}

/* A path with one slash too many; the path is the decoded one. */
static void
reply_redirect(struct conn *c, const struct http_request *r, struct str path)
{
	struct buf extra = BUF_INIT(SIZE_MAX);
	struct reply reply = { .status = 307, .type = REPLY_NO_TYPE };

	buf_add_text(&extra, "location: ");
	if (r->host.n > 0) {
		buf_add_text(&extra, "http://");
		buf_add_str(&extra, r->host);
	}
	buf_add_str(&extra, path);
	if (r->query.n > 0) {
		buf_add_char(&extra, '?');
		buf_add_str(&extra, r->query);
	}
	buf_add_text(&extra, "\r\n");
	reply.extra = buf_str(&extra);
	conn_reply(c, &reply);
	buf_clear(&extra);
}

static void
reply_not_allowed(struct conn *c, const struct route *route)
{
	struct blob *body = reply_detail(405, NULL);
	struct reply reply = { .status = 405, .type = REPLY_JSON, .body = body };

	reply.extra = route->methods & HTTP_POST ? STR("allow: POST\r\n") : STR("allow: GET\r\n");
	conn_reply(c, &reply);
	blob_unref(body);
}

/* A good key that may not do this, in LiteLLM's shape for a route outside a key's role. */
static void
reply_forbidden(struct conn *c, const struct route *route, enum caller caller)
{
	struct buf text = BUF_INIT(512), b = BUF_INIT(1024);

	buf_addf(&text, "Authentication Error, this key may not call %s: %s", route->path,
	    caller == CALLER_METRICS ? "its role is metrics" : "only an admin may");
	buf_add_text(&b, "{\"error\":{\"message\":");
	json_add_string(&b, buf_str(&text));
	buf_add_text(&b, ",\"type\":\"auth_error\",\"param\":\"None\",\"code\":\"403\"}}");
	route_reply_text(c, 403, buf_str(&b));
	buf_clear(&text);
	buf_clear(&b);
}

static bool
may_call(const struct route *route, enum caller caller)
{
	return caller == CALLER_ADMIN ||
	       (caller == CALLER_MEMBER && route->access != ACCESS_ADMIN) ||
	       (caller == CALLER_METRICS && route->access == ACCESS_METRICS);
}

static void
reply_refused(struct conn *c, enum caller caller)
{
	if (caller == CALLER_UNKNOWN)
		guard_refuse(c, 400,
		    STR("{\"error\":{\"message\":\"No connected "
			"db.\",\"type\":\"no_db_connection\",\"param\":null,"
			"\"code\":\"400\"}}"));
	else if (caller == CALLER_MALFORMED)
		route_reply_text(c, 401,
		    STR("{\"error\":{\"message\":\"Authentication Error, Malformed API Key passed "
			"in. Ensure Key has "
			"`Bearer ` "
			"prefix.\",\"type\":\"auth_error\",\"param\":\"None\",\"code\":\"401\"}}"));
	else
		route_reply_text(c, 401,
		    STR("{\"error\":{\"message\":\"Authentication Error, No api key passed "
			"in.\",\"type\":"
			"\"auth_error\",\"param\":\"None\",\"code\":\"401\"}}"));
}

bool
route_keeps_body(const struct conn *c, const struct http_request *r)
{
	const struct route *route = find_route(c, r->path);
	const struct fleet *f = conn_http(c)->fleet;

	return route && r->method == HTTP_POST && route->access == ACCESS_ADMIN &&
	       (route->methods & HTTP_POST) &&
	       may_call(route, auth_caller(r, fleet_key_digest(f), fleet_keys(f)));
}

uint64_t
route_max_body(const struct conn *c, const struct http_request *r)
{
	const struct route *route = find_route(c, r->path);
	bool large = route && route->handler == passthrough_handle && route_keeps_body(c, r);

	return (uint64_t)http_setting(
	    conn_http(c), large ? SETTING_PASS_BODY : SETTING_HTTP_BODY);
}

static void
dispatch_path(struct conn *c, const struct http_request *r, struct str path)
{
	const struct route *route = find_route(c, path);
	enum caller caller = CALLER_MEMBER;

	if (route)
		conn_set_route(c, route->path);
	if (route == NULL) {
		struct str shorter = { path.p, path.n > 0 ? path.n - 1 : 0 };

		if (path.n > 1 && path.p[path.n - 1] == '/' && find_route(c, shorter))
			reply_redirect(c, r, shorter);
		else
			route_reply_json(c, 404, reply_detail(404, NULL));
	} else if ((route->methods & (unsigned)r->method) == 0) {
		reply_not_allowed(c, route);
	} else if (r->method == HTTP_OPTIONS) {
		reply_options(c);
	} else {
		struct fleet *f = conn_http(c)->fleet;

		if (route->access == ACCESS_METRICS &&
		    !http_setting(conn_http(c), SETTING_METRICS_AUTH)) {
			caller = CALLER_METRICS;
		} else if (route->access != ACCESS_ANY) {
			conn_no_store(c);
			caller = auth_caller(r, fleet_key_digest(f), fleet_keys(f));
			if (caller == CALLER_ADMIN || caller == CALLER_MEMBER ||
			    caller == CALLER_METRICS)
				guard_accept(c);
		}
		if (may_call(route, caller))
			route->handler(c, r, caller);
		else if (caller == CALLER_MEMBER || caller == CALLER_METRICS)
			reply_forbidden(c, route, caller);
		else if (route->access == ACCESS_METRICS)
			metrics_refuse(c, caller);
		else
			reply_refused(c, caller);
	}
}

/* Of a page that may read answers; any other's is an OPTIONS like others. */
static bool
is_preflight(const struct conn *c, const struct http_request *r)
{
	char *allowed;

	if (r->method != HTTP_OPTIONS || r->origin.n == 0 || r->cors_method.n == 0)
		return false;
	allowed = http_cors(conn_http(c), r->origin);
	free(allowed);
	return allowed != NULL;
}

void
route_dispatch(struct conn *c, const struct http_request *r)
{
	struct http *h = conn_http(c);
	int64_t start_us = clock_mono_us();

	if (is_preflight(c, r)) {
		reply_preflight(c, r);
	} else if (memchr(r->path.p, '%', r->path.n)) {
		struct buf decoded = BUF_INIT(SIZE_MAX);

		params_decode(&decoded, r->path, false);
		dispatch_path(c, r, buf_str(&decoded));
		buf_clear(&decoded);
	} else {
		dispatch_path(c, r, r->path);
	}
	turns_note(h, start_us);
}
