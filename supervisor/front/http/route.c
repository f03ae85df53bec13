/* SPDX-License-Identifier: Apache-2.0 */
/* Which request goes where, and what LiteLLM's proxy answers when it goes nowhere. */
#include "supervisor/front/http/route.h"

#include "shared/json.h"
#include "shared/log.h"
#include "supervisor/front/http/health.h"
#include "supervisor/front/http/models.h"
#include "supervisor/front/http/params.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/http/shared.h"
#include "supervisor/front/scheduler.h"
#include "supervisor/front/store/store.h"

static void handle_alive(struct conn *c, const struct http_request *r, enum caller caller);
static void handle_ready(struct conn *c, const struct http_request *r, enum caller caller);
static void handle_details(struct conn *c, const struct http_request *r, enum caller caller);

#define COMPATIBLE_WITH \
	"1.106.2" /* LiteLLM's version whose answers these are; its own client asks for it */

enum access {
	ACCESS_ANY, /* no key is looked at */
	ACCESS_KEY, /* the master key, or anybody when none is set */
};

static const struct route {
	const char *path;
	unsigned methods; /* enum http_method, or-ed */
	enum access access;
	route_handler handler;
} routes[] = {
	{ "/health/liveliness", HTTP_GET | HTTP_OPTIONS, ACCESS_ANY, handle_alive },
	{ "/health/liveness", HTTP_GET | HTTP_OPTIONS, ACCESS_ANY, handle_alive },
	{ "/health/readiness", HTTP_GET | HTTP_OPTIONS, ACCESS_ANY, handle_ready },
	{ "/health/readiness/details", HTTP_GET, ACCESS_KEY, handle_details },
	{ "/health/shared-status", HTTP_GET, ACCESS_KEY, shared_handle_status },
	{ "/health", HTTP_GET, ACCESS_KEY, health_handle },
	{ "/v1/model/info", HTTP_GET, ACCESS_KEY, models_handle_info },
	{ "/model/info", HTTP_GET, ACCESS_KEY, models_handle_info },
	{ "/v1/models", HTTP_GET, ACCESS_KEY, models_handle_list },
	{ "/models", HTTP_GET, ACCESS_KEY, models_handle_list },
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

static void
reply_text(struct conn *c, int status, struct str json)
{
	route_reply_json(c, status, blob_copy(json));
}

/* What is asked for most often is made once. */
static void
reply_constant(struct conn *c, int status, struct blob **kept, struct str json)
{
	struct reply r = { .status = status, .type = REPLY_JSON };

	if (*kept == NULL)
		*kept = blob_copy(json);
	r.body = *kept;
	conn_reply(c, &r);
}

static void
reply_shutting_down(struct conn *c)
{
	reply_text(c, 503, STR("{\"status\":\"shutting_down\"}"));
}

static void
handle_alive(struct conn *c, const struct http_request *r, enum caller caller)
{
	static struct blob *alive;

	if (conn_http(c)->draining)
		reply_shutting_down(c);
	else
		reply_constant(c, 200, &alive, STR("\"I'm alive!\""));
}

/* LiteLLM's fields; those about its own process have the value that says the least. */
static void
handle_details(struct conn *c, const struct http_request *r, enum caller caller)
{
	static const char *const levels[] = { "ERROR", "WARNING", "INFO", "INFO", "DEBUG" };
	size_t level = (size_t)(log_current_level() - LOG_LEVEL_ERROR);
	struct buf b = BUF_INIT(4096);
	struct store_status store;

	store_status(scheduler_store(conn_http(c)->scheduler), &store);
	buf_addf(&b,
	    "{\"status\":\"healthy\",\"db\":\"Not "
	    "connected\",\"cache\":null,\"litellm_version\":\"%s\","
	    "\"success_callbacks\":[],\"use_aiohttp_transport\":true,\"log_level\":\"%s\",\"is_"
	    "detailed_debug\":%s,"
	    "\"show_no_redis_warning\":false,\"show_env_credential_login_warning\":false,"
	    "\"llmhealth_version\":\"%s\",\"deployments\":%zu,\"unknown_count\":%zu",
	    COMPATIBLE_WITH, levels[level < ARRAY_LEN(levels) ? level : 0],
	    log_current_level() == LOG_LEVEL_DEBUG ? "true" : "false", PACKAGE_VERSION,
	    fleet_size(conn_http(c)->fleet), fleet_pending(conn_http(c)->fleet));
	if (store.shared) {
		json_add_key(&b, "redis");
		json_add_string(&b, str_of(store.connected ? "connected" : "disconnected"));
		if (!store.connected) {
			json_add_key(&b, "redis_error");
			json_add_string(&b, str_of(store.why));
		}
		json_add_key(&b, "instances");
		buf_add_int(&b, (int64_t)store.instances);
	}
	buf_add_char(&b, '}');
	route_reply_json(c, 200, blob_copy(buf_str(&b)));
	buf_clear(&b);
}

static void
handle_ready(struct conn *c, const struct http_request *r, enum caller caller)
{
	static struct blob *ready;

	if (conn_http(c)->draining)
		reply_shutting_down(c);
	else if (http_setting(conn_http(c), SETTING_PUBLIC_DETAILS))
		handle_details(c, r, caller);
	else
		reply_constant(
		    c, 200, &ready, STR("{\"status\":\"healthy\",\"db\":\"Not connected\"}"));
}

static const struct route *
find_route(struct str path)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (str_is(path, routes[i].path))
			return &routes[i];
	return NULL;
}

/* Any path, as the CORS middleware answers before there is a route. */
static void
reply_preflight(struct conn *c, const struct http_request *r)
{
	struct buf extra = BUF_INIT(SIZE_MAX);
	struct reply reply = { .status = 200, .type = REPLY_TEXT };

	buf_add_text(&extra,
	    "access-control-allow-origin: *\r\n"
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
reply_not_allowed(struct conn *c)
{
	struct blob *body = reply_detail(405, NULL);
	struct reply reply = { .status = 405, .type = REPLY_JSON, .body = body };

	reply.extra = STR("allow: GET\r\n");
	conn_reply(c, &reply);
	blob_unref(body);
}

static void
reply_refused(struct conn *c, enum caller caller)
{
	if (caller == CALLER_UNKNOWN)
		reply_text(c, 400,
		    STR("{\"error\":{\"message\":\"No connected "
			"db.\",\"type\":\"no_db_connection\",\"param\":null,"
			"\"code\":\"400\"}}"));
	else if (caller == CALLER_MALFORMED)
		reply_text(c, 401,
		    STR("{\"error\":{\"message\":\"Authentication Error, Malformed API Key passed "
			"in. Ensure Key has "
			"`Bearer ` "
			"prefix.\",\"type\":\"auth_error\",\"param\":\"None\",\"code\":\"401\"}}"));
	else
		reply_text(c, 401,
		    STR("{\"error\":{\"message\":\"Authentication Error, No api key passed "
			"in.\",\"type\":"
			"\"auth_error\",\"param\":\"None\",\"code\":\"401\"}}"));
}

static void
dispatch_path(struct conn *c, const struct http_request *r, struct str path)
{
	const struct route *route = find_route(path);
	enum caller caller = CALLER_MEMBER;

	if (route == NULL) {
		struct str shorter = { path.p, path.n > 0 ? path.n - 1 : 0 };

		if (path.n > 1 && path.p[path.n - 1] == '/' && find_route(shorter))
			reply_redirect(c, r, shorter);
		else
			route_reply_json(c, 404, reply_detail(404, NULL));
	} else if ((route->methods & (unsigned)r->method) == 0) {
		reply_not_allowed(c);
	} else if (r->method == HTTP_OPTIONS) {
		reply_options(c);
	} else {
		if (route->access == ACCESS_KEY)
			caller = auth_caller(r, fleet_key_digest(conn_http(c)->fleet));
		if (caller == CALLER_ADMIN || caller == CALLER_MEMBER)
			route->handler(c, r, caller);
		else
			reply_refused(c, caller);
	}
}

void
route_dispatch(struct conn *c, const struct http_request *r)
{
	if (r->method == HTTP_OPTIONS && r->origin.n > 0 && r->cors_method.n > 0) {
		reply_preflight(c, r);
	} else if (memchr(r->path.p, '%', r->path.n)) {
		struct buf decoded = BUF_INIT(SIZE_MAX);

		params_decode(&decoded, r->path, false);
		dispatch_path(c, r, buf_str(&decoded));
		buf_clear(&decoded);
	} else {
		dispatch_path(c, r, r->path);
	}
}
