/* SPDX-License-Identifier: Apache-2.0 */
/* Liveliness and readiness: answers that are made once, and the details for who has a key. */
#include "supervisor/front/http/ready.h"

#include "shared/json.h"
#include "shared/log.h"
#include "supervisor/front/database.h"
#include "supervisor/front/http/guard.h"
#include "supervisor/front/http/ietf.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/scheduler.h"
#include "supervisor/front/store/store.h"

#define COMPATIBLE_WITH \
	"1.106.2" /* LiteLLM's version whose answers these are; its own client asks for it */

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
	route_reply_text(c, 503, STR("{\"status\":\"shutting_down\"}"));
}

void
ready_handle_alive(struct conn *c, const struct http_request *r, enum caller caller)
{
	static struct blob *alive;

	if (conn_http(c)->draining)
		reply_shutting_down(c);
	else
		reply_constant(c, 200, &alive, STR("\"I'm alive!\""));
}

/* What LiteLLM says of its database, and the status that goes with it. */
static const char *
database_word(const struct http *h, int *status)
{
	static const char *const words[] = { "Not connected", "unknown", "connected", "disconnected" };
	struct database_status s;

	database_status(h->database, &s);
	*status = 200;
	if ((s.state == DATABASE_UNKNOWN || s.state == DATABASE_DISCONNECTED) &&
	    !http_setting(h, SETTING_DATABASE_OPTIONAL))
		*status = 503;
	return words[s.state];
}

/* LiteLLM's fields; those about its own process have the value that says the least. */
void
ready_handle_details(struct conn *c, const struct http_request *r, enum caller caller)
{
	static const char *const levels[] = { "ERROR", "WARNING", "INFO", "INFO", "DEBUG" };
	size_t level = (size_t)(log_current_level() - LOG_LEVEL_ERROR);
	struct buf b = BUF_INIT(4096);
	struct store_status store;
	const char *database;
	int status;

	database = database_word(conn_http(c), &status);
	store_status(scheduler_store(conn_http(c)->scheduler), &store);
	buf_addf(&b,
	    "{\"status\":\"healthy\",\"db\":\"%s\",\"cache\":null,\"litellm_version\":\"%s\","
	    "\"success_callbacks\":[],\"use_aiohttp_transport\":true,\"log_level\":\"%s\",\"is_"
	    "detailed_debug\":%s,"
	    "\"show_no_redis_warning\":false,\"show_env_credential_login_warning\":false,"
	    "\"llmhealth_version\":\"%s\",\"deployments\":%zu,\"unknown_count\":%zu,"
	    "\"wrong_keys\":%llu",
	    database, COMPATIBLE_WITH, levels[level < ARRAY_LEN(levels) ? level : 0],
	    log_current_level() == LOG_LEVEL_DEBUG ? "true" : "false", PACKAGE_VERSION,
	    fleet_size(conn_http(c)->fleet), fleet_pending(conn_http(c)->fleet),
	    (unsigned long long)guard_count(conn_http(c)));
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
	route_reply_json(c, status, blob_copy(buf_str(&b)));
	buf_clear(&b);
}

static void
reply_database(struct conn *c)
{
	static struct blob *kept[DATABASE_DISCONNECTED + 1];
	struct buf b = BUF_INIT(128);
	struct database_status s;
	const char *word;
	int status;

	database_status(conn_http(c)->database, &s);
	word = database_word(conn_http(c), &status);
	buf_addf(&b, "{\"status\":\"healthy\",\"db\":\"%s\"}", word);
	reply_constant(c, status, &kept[s.state], buf_str(&b));
	buf_clear(&b);
}

void
ready_handle(struct conn *c, const struct http_request *r, enum caller caller)
{
	if (ietf_wanted(r)) {
		struct reply reply = { .type = REPLY_HEALTH, .vary = STR("Origin, Accept") };

		reply.body = ietf_self(conn_http(c), &reply.status);
		conn_reply(c, &reply);
		blob_unref(reply.body);
		return;
	}
	if (conn_http(c)->draining)
		reply_shutting_down(c);
	else if (http_setting(conn_http(c), SETTING_PUBLIC_DETAILS))
		ready_handle_details(c, r, caller);
	else
		reply_database(c);
}
