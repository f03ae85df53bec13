/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The summary of what this process stands on. LiteLLM's own services are none of ours: a name that it knows is
 * answered as one that is not set up.
 */
#include "supervisor/front/http/services.h"

#include <stdlib.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "supervisor/front/database.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/http/validation.h"
#include "supervisor/front/scheduler.h"
#include "supervisor/front/store/store.h"

/* The names of LiteLLM 1.106.2, as its error lists them, and those that it takes beside them. */
static const char *const listed[] = { "slack_budget_alerts", "langfuse", "langfuse_otel", "slack",
	"ms_teams", "openmeter", "webhook", "email", "braintrust", "datadog",
	"datadog_llm_observability", "generic_api", "arize", "galileo", "newrelic", "pointfive",
	"signoz", "sqs" };
static const char *const taken[] = { "otel", "custom_callback_api", "langsmith",
	"datadog_metrics" };

static bool
is_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(listed); i++)
		if (strcmp(name, listed[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		if (strcmp(name, taken[i]) == 0)
			return true;
	return false;
}

static void
reply_error(struct conn *c, int status, const struct buf *message)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	buf_add_text(&b, "{\"error\":{\"message\":");
	json_add_string(&b, buf_str(message));
	buf_addf(
	    &b, ",\"type\":\"auth_error\",\"param\":\"None\",\"code\":\"%d\"}}", status);
	route_reply_json(c, status, blob_copy(buf_str(&b)));
	buf_clear(&b);
}

static void
reply_service(struct conn *c, const char *name)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	int status = is_known(name) ? 422 : 400;

	if (status == 422) {
		buf_addf(&b,
		    "{'error': '\"%s\" not in proxy config: general_settings. Unable to test "
		    "this.'}",
		    name);
	} else {
		buf_addf(&b,
		    "{'error': \"Service must be in list. Service=%s not in "
		    "typing.Union[typing.Literal[",
		    name);
		for (size_t i = 0; i < ARRAY_LEN(listed); i++)
			buf_addf(&b, "%s'%s'", i ? ", " : "", listed[i]);
		buf_add_text(&b, "], str]\"}");
	}
	reply_error(c, status, &b);
	buf_clear(&b);
}

/* The router is well as long as one deployment can serve; its latency is theirs on average. */
static void
add_router(struct buf *b, const struct http *h)
{
	int64_t now = clock_wall_ms();
	size_t healthy = 0, unhealthy = 0;
	uint64_t total_us = 0;

	for (size_t i = 0; i < fleet_size(h->fleet); i++) {
		const struct deployment *d = fleet_at(h->fleet, i);
		enum verdict_state state = fleet_state(h->fleet, d, now);

		if (state == VERDICT_HEALTHY) {
			healthy++;
			total_us += d->verdict.total_us;
		} else if (state == VERDICT_UNHEALTHY) {
			unhealthy++;
		}
	}
	buf_addf(b, "\"router\":{\"status\":\"%s\",\"latency_ms\":",
	    healthy     ? "healthy"
	    : unhealthy ? "unhealthy"
			: "unknown");
	if (healthy)
		buf_addf(b, "%.3f", (double)total_us / (double)healthy / 1000);
	else
		buf_add_text(b, "null");
	buf_addf(b, ",\"healthy_count\":%zu,\"unhealthy_count\":%zu}", healthy, unhealthy);
}

/* `latency_us` 0: none was measured. */
static void
add_service(struct buf *b, const char *name, const char *status, uint32_t latency_us, const char *why)
{
	json_add_key(b, name);
	buf_addf(b, "{\"status\":\"%s\",\"latency_ms\":", status);
	if (latency_us > 0)
		buf_addf(b, "%.3f", (double)latency_us / 1000);
	else
		buf_add_text(b, "null");
	if (*why) {
		json_add_key(b, "error");
		json_add_string(b, str_of(why));
	}
	buf_add_char(b, '}');
}

static void
reply_summary(struct conn *c)
{
	static const char *const words[] = { "not_configured", "unknown", "healthy", "unhealthy" };
	const struct http *h = conn_http(c);
	struct buf b = BUF_INIT(4096);
	struct database_status database;
	struct store_status store;

	database_status(h->database, &database);
	store_status(scheduler_store(h->scheduler), &store);
	buf_add_char(&b, '{');
	add_service(&b, "database", words[database.state],
	    database.state == DATABASE_CONNECTED ? database.latency_us : 0, database.why);
	if (store.shared)
		add_service(&b, "redis", store.connected ? "healthy" : "unhealthy",
		    store.connected ? store.latency_us : 0, store.why);
	else
		add_service(&b, "redis", "not_configured", 0, "");
	buf_add_char(&b, ',');
	add_router(&b, h);
	buf_add_char(&b, '}');
	route_reply_json(c, 200, blob_copy(buf_str(&b)));
	buf_clear(&b);
}

void
services_handle(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct validation v;
	char *name;

	validation_init(&v, r->query);
	name = validation_text(&v, "service");
	if (name)
		reply_service(c, name);
	else
		reply_summary(c);
	free(name);
	validation_clear(&v);
}
