/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of probes, and what stands around spans and metrics. */
#include "supervisor/front/otlp_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/json.h"
#include "shared/mode.h"
#include "supervisor/front/deployment.h"

#define MESSAGE_MAX 256 /* bytes of a status' message */
#define SPAN_KIND_CLIENT 3
#define STATUS_CODE_ERROR 2

static void
open_attribute(struct buf *b, const char *key)
{
	json_add_comma(b);
	buf_add_text(b, "{\"key\":");
	json_add_string(b, str_of(key));
	buf_add_text(b, ",\"value\":{");
}

void
otlp_add_text(struct buf *b, const char *key, struct str value)
{
	open_attribute(b, key);
	buf_add_text(b, "\"stringValue\":");
	json_add_string(b, value);
	buf_add_text(b, "}}");
}

void
otlp_add_int(struct buf *b, const char *key, int64_t value)
{
	open_attribute(b, key);
	buf_addf(b, "\"intValue\":\"%" PRId64 "\"}}", value);
}

void
otlp_add_seconds(struct buf *b, const char *key, uint32_t us)
{
	open_attribute(b, key);
	buf_addf(b, "\"doubleValue\":%u.%06u}}", us / 1000000, us % 1000000);
}

void
otlp_add_nanoseconds(struct buf *b, int64_t us)
{
	buf_addf(b, "\"%" PRId64 "000\"", us > 0 ? us : 0);
}

/* A name=value of the settings, percent-decoded. */
static void
add_pair(struct buf *b, struct str name, struct str value)
{
	char *key = str_dup(name);
	struct buf text = BUF_INIT(4096);

	for (size_t i = 0; i < value.n; i++) {
		char digits[3] = { 0 }, *end;

		if (value.p[i] == '%' && i + 2 < value.n) {
			memcpy(digits, value.p + i + 1, 2);
			buf_add_char(&text, (char)strtol(digits, &end, 16));
			i += 2;
		} else {
			buf_add_char(&text, value.p[i]);
		}
	}
	otlp_add_text(b, key, buf_str(&text));
	buf_clear(&text);
	free(key);
}

void
otlp_add_resource(struct buf *b, const struct settings *s)
{
	struct str rest = str_of(s->text[SETTING_OTLP_RESOURCE]);

	buf_add_text(b, "{\"attributes\":[");
	otlp_add_text(b, "service.name", str_of(s->text[SETTING_OTLP_SERVICE_NAME]));
	otlp_add_text(b, "service.version", STR(PACKAGE_VERSION));
	while (rest.n > 0) {
		const char *end = memchr(rest.p, ',', rest.n), *equals;
		struct str one = { rest.p, end ? (size_t)(end - rest.p) : rest.n }, name;

		rest.p += one.n + (end != NULL);
		rest.n -= one.n + (end != NULL);
		equals = memchr(one.p, '=', one.n);
		if (equals == NULL)
			continue;
		name = str_trim((struct str){ one.p, (size_t)(equals - one.p) });
		/* The variable of its own wins (OpenTelemetry's rule). */
		if (name.n > 0 && !str_is(name, "service.name") && !str_is(name, "service.version"))
			add_pair(b, name, str_trim((struct str){ equals + 1, one.n - (size_t)(equals + 1 - one.p) }));
	}
	buf_add_text(b, "]}");
}

void
otlp_open(struct buf *b, bool traces, const struct settings *s)
{
	buf_add_text(b, traces ? "{\"resourceSpans\":[{\"resource\":" : "{\"resourceMetrics\":[{\"resource\":");
	otlp_add_resource(b, s);
	buf_add_text(b, traces ? ",\"scopeSpans\":[{" : ",\"scopeMetrics\":[{");
	buf_add_text(b, "\"scope\":{\"name\":\"llmhealth\",\"version\":\"" PACKAGE_VERSION "\"},");
	buf_add_text(b, traces ? "\"spans\":[" : "\"metrics\":[");
}

void
otlp_close(struct buf *b)
{
	buf_add_text(b, "]}]}]}");
}

/* Spans. */

/* What the conventions call it; others keep their name. */
static const struct {
	const char *mode, *operation;
} operations[] = {
	{ "completion", "text_completion" },
	{ "embedding", "embeddings" },
	{ "responses", "chat" },
	{ "anthropic_messages", "chat" },
};

static const struct {
	const char *provider, *name;
} providers[] = {
	{ "bedrock", "aws.bedrock" },
	{ "bedrock_converse", "aws.bedrock" },
	{ "azure", "azure.ai.openai" },
	{ "azure_text", "azure.ai.openai" },
	{ "azure_ai", "azure.ai.inference" },
	{ "gemini", "gcp.gemini" },
	{ "vertex_ai", "gcp.vertex_ai" },
	{ "watsonx", "ibm.watsonx.ai" },
	{ "watsonx_text", "ibm.watsonx.ai" },
	{ "mistral", "mistral_ai" },
	{ "xai", "x_ai" },
};

static const char *
operation_of(const char *mode)
{
	for (size_t i = 0; i < ARRAY_LEN(operations); i++)
		if (strcmp(operations[i].mode, mode) == 0)
			return operations[i].operation;
	return *mode ? mode : "chat";
}

static const char *
provider_of(const char *provider)
{
	for (size_t i = 0; i < ARRAY_LEN(providers); i++)
		if (strcmp(providers[i].provider, provider) == 0)
			return providers[i].name;
	return provider;
}

/* Without "openai/". */
static struct str
model_of(const struct deployment *d, const struct msg_result *r)
{
	return deployment_bare_model(d, r->asked_model.n > 0 ? r->asked_model : str_of(d->model));
}

/* Of "https://host:port". */
static void
add_server(struct buf *b, const char *host)
{
	const char *at = strstr(host, "://"), *colon;
	struct str name;

	at = at ? at + 3 : host;
	colon = strrchr(at, ':');
	if (*at == '\0')
		return;
	name = (struct str){ at, colon ? (size_t)(colon - at) : strlen(at) };
	if (name.n > 2 && *name.p == '[')
		name = (struct str){ name.p + 1, name.n - 2 };
	otlp_add_text(b, "server.address", name);
	if (colon && atoi(colon + 1) > 0)
		otlp_add_int(b, "server.port", atoi(colon + 1));
}

static void
add_hex(struct buf *b, const unsigned char *bytes, size_t n)
{
	buf_add_char(b, '"');
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%02x", bytes[i]);
	buf_add_char(b, '"');
}

static void
add_probe(struct buf *b, const struct deployment *d, const struct msg_result *r)
{
	const struct {
		const char *key;
		uint32_t us;
	} phases[] = {
		{ "llmhealth.phase.dns", r->dns_us },
		{ "llmhealth.phase.connect", r->connect_us },
		{ "llmhealth.phase.tls", r->tls_us },
		{ "llmhealth.phase.first_byte", r->first_byte_us },
	};
	char id[16];

	otlp_add_text(b, "gen_ai.operation.name", str_of(operation_of(d->mode)));
	otlp_add_text(b, "gen_ai.provider.name", str_of(provider_of(d->provider)));
	otlp_add_text(b, "gen_ai.request.model", model_of(d, r));
	if (r->healthy) {
		otlp_add_int(b, "gen_ai.usage.input_tokens", r->tokens_in);
		otlp_add_int(b, "gen_ai.usage.output_tokens", r->tokens_out);
	}
	add_server(b, d->host);
	if (r->http_status > 0) {
		otlp_add_text(b, "http.request.method", STR("POST"));
		otlp_add_int(b, "http.response.status_code", r->http_status);
	}
	if (!r->healthy)
		otlp_add_text(b, "error.type",
		    str_of(reason_name(r->reason < REASON_COUNT ? (enum reason)r->reason : REASON_PROBE_CRASHED)));
	otlp_add_text(b, "llmhealth.model_id", str_of(d->id));
	otlp_add_text(b, "llmhealth.model_name", str_of(d->model_name));
	snprintf(id, sizeof(id), "%08x", r->job);
	otlp_add_text(b, "llmhealth.probe_id", str_of(id));
	for (size_t i = 0; i < ARRAY_LEN(phases); i++)
		if (phases[i].us > 0)
			otlp_add_seconds(b, phases[i].key, phases[i].us);
}

void
otlp_add_span(struct buf *b, const struct deployment *d, const struct msg_result *r,
    const unsigned char ids[OTLP_TRACE_BYTES + OTLP_SPAN_BYTES])
{
	int64_t end_us = r->checked_at_ms * 1000;
	struct buf name = BUF_INIT(1024);
	struct str message = r->detail;

	json_add_comma(b);
	buf_add_text(b, "{\"traceId\":");
	add_hex(b, ids, OTLP_TRACE_BYTES);
	buf_add_text(b, ",\"spanId\":");
	add_hex(b, ids + OTLP_TRACE_BYTES, OTLP_SPAN_BYTES);
	buf_addf(&name, "%s ", operation_of(d->mode));
	buf_add_str(&name, model_of(d, r));
	buf_add_text(b, ",\"name\":");
	json_add_string(b, buf_str(&name));
	buf_addf(b, ",\"kind\":%d,\"startTimeUnixNano\":", SPAN_KIND_CLIENT);
	otlp_add_nanoseconds(b, end_us - r->total_us);
	buf_add_text(b, ",\"endTimeUnixNano\":");
	otlp_add_nanoseconds(b, end_us);
	buf_add_text(b, ",\"attributes\":[");
	add_probe(b, d, r);
	buf_add_char(b, ']');
	if (!r->healthy) {
		if (message.n > MESSAGE_MAX)
			message.n = MESSAGE_MAX;
		buf_addf(b, ",\"status\":{\"code\":%d,\"message\":", STATUS_CODE_ERROR);
		json_add_string(b, message);
		buf_add_char(b, '}');
	}
	buf_add_char(b, '}');
	buf_clear(&name);
}
