/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LiteLLM takes prices and abilities from its price map; there is none here, so they are what
 * LiteLLM says of a model that its map does not have.
 */
#include "supervisor/front/http/model_groups.h"

#include <stdlib.h>
#include <time.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "supervisor/front/http/groups.h"
#include "supervisor/front/http/models.h"
#include "supervisor/front/http/params.h"
#include "supervisor/front/http/server.h"

struct group {
	const uint32_t *v; /* its deployments */
	size_t n;
};

static void
add_providers(struct buf *b, const struct fleet *f, const struct group *g)
{
	buf_add_text(b, ",\"providers\":[");
	for (size_t i = 0; i < g->n; i++) {
		const char *provider = fleet_at(f, g->v[i])->provider;
		bool seen = provider == NULL || *provider == '\0';

		for (size_t k = 0; k < i && !seen; k++)
			seen = strcmp(provider, fleet_at(f, g->v[k])->provider) == 0;
		if (seen)
			continue;
		json_add_comma(b);
		json_add_string(b, str_of(provider));
	}
	buf_add_char(b, ']');
}

/* A limit of the whole group: the sum of what its deployments have; null when none has any. */
static void
add_sum(struct buf *b, const struct fleet *f, const struct group *g, const char *key)
{
	long long sum = 0;
	bool any = false;

	for (size_t i = 0; i < g->n; i++) {
		struct str params = json_member(fleet_at(f, g->v[i])->info, "litellm_params");
		struct str value = json_member(params, key);
		char text[24];

		if (value.n == 0 || value.n >= sizeof(text) || *value.p < '0' || *value.p > '9')
			continue;
		memcpy(text, value.p, value.n);
		text[value.n] = '\0';
		sum += strtoll(text, NULL, 10) % 1000000000000;
		any = true;
	}
	json_add_key(b, key);
	if (any)
		buf_add_int(b, sum);
	else
		buf_add_text(b, "null");
}

/* Healthy when one of them is; the newest look of all. */
static void
add_health(struct buf *b, const struct fleet *f, const struct group *g)
{
	int64_t now = clock_wall_ms(), newest = 0;
	const struct deployment *best = NULL;
	bool unhealthy = false;
	time_t second;
	struct tm tm;

	for (size_t i = 0; i < g->n; i++) {
		const struct deployment *d = fleet_at(f, g->v[i]);
		enum verdict_state state = fleet_state(f, d, now);

		if (state == VERDICT_HEALTHY &&
		    (best == NULL || d->verdict.total_us < best->verdict.total_us))
			best = d;
		unhealthy |= state == VERDICT_UNHEALTHY;
		if (d->verdict.checked_at_ms > newest)
			newest = d->verdict.checked_at_ms;
	}
	buf_addf(b, ",\"health_status\":%s,\"health_response_time\":",
	    best	? "\"healthy\""
	    : unhealthy ? "\"unhealthy\""
			: "null");
	if (best)
		buf_addf(b, "%u.%03u", best->verdict.total_us / 1000, best->verdict.total_us % 1000);
	else
		buf_add_text(b, "null");
	second = (time_t)(newest / 1000);
	if (newest > 0 && gmtime_r(&second, &tm))
		buf_addf(b, ",\"health_checked_at\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"",
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		    (int)(newest % 1000));
	else
		buf_add_text(b, ",\"health_checked_at\":null");
}

static void
add_group(struct buf *b, const struct fleet *f, const struct group *g)
{
	const struct deployment *first = fleet_at(f, g->v[0]);
	struct str mode = json_member(json_member(first->info, "model_info"), "mode");

	json_add_comma(b);
	buf_add_text(b, "{\"model_group\":");
	json_add_string(b, str_of(first->model_name));
	add_providers(b, f, g);
	buf_add_text(b, ",\"max_input_tokens\":null,\"max_output_tokens\":null,"
			"\"input_cost_per_token\":null,\"output_cost_per_token\":null,"
			"\"input_cost_per_pixel\":null,\"mode\":");
	buf_add_str(b, mode.n > 2 && *mode.p == '"' ? mode : STR("null"));
	add_sum(b, f, g, "tpm");
	add_sum(b, f, g, "rpm");
	add_sum(b, f, g, "itpm");
	add_sum(b, f, g, "otpm");
	buf_add_text(b, ",\"supports_parallel_function_calling\":false,\"supports_vision\":false,"
			"\"supports_web_search\":false,\"supports_url_context\":false,"
			"\"supports_reasoning\":false,\"supports_function_calling\":false,"
			"\"supports_fast_mode\":false,\"supported_reasoning_efforts\":null,"
			"\"supported_openai_params\":null,"
			"\"configurable_clientside_auth_params\":null,"
			"\"is_public_model_group\":false");
	add_health(b, f, g);
	buf_add_char(b, '}');
}

void
model_groups_handle(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct http *h = conn_http(c);
	const struct groups *groups = models_groups(h);
	struct buf b = BUF_INIT(SIZE_MAX), name = BUF_INIT(SIZE_MAX);
	bool one = params_get(r->query, "model_group", &name);
	struct group g;

	buf_add_text(&b, "{\"data\":[");
	for (size_t i = 0; i < fleet_size(h->fleet); i++) {
		const struct deployment *d = fleet_at(h->fleet, i);

		if (groups->first[i] != i || (one && !str_is(buf_str(&name), d->model_name)))
			continue;
		g.n = groups_find(groups, h->fleet, str_of(d->model_name), &g.v);
		add_group(&b, h->fleet, &g);
	}
	buf_add_text(&b, "]}");
	route_reply_json(c, 200, blob_copy(buf_str(&b)));
	buf_clear(&b);
	buf_clear(&name);
}
