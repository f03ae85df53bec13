/* SPDX-License-Identifier: Apache-2.0 */
/* LiteLLM's services are none of ours: a name that it knows is answered as one that is not set up. */
#include "supervisor/front/http/services.h"

#include <stdlib.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/http/validation.h"

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

static void
reply_summary(struct conn *c)
{
	struct buf b = BUF_INIT(1024);

	buf_add_text(&b, "{\"database\":{\"status\":\"not_configured\",\"latency_ms\":null},"
			 "\"redis\":{\"status\":\"not_configured\",\"latency_ms\":null},");
	add_router(&b, conn_http(c));
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
