/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rendering one deployment. What LiteLLM shows comes first, as it shows it: the configured fields
 * that may be shown, the error or the rate limit headers, model_id, exception_status. Then what it
 * lacks.
 */
#include "supervisor/front/entry.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "shared/json.h"
#include "supervisor/front/quorum.h"

#define MAX_ENTRY (4u << 20)

struct entry_cache {
	struct {
		char *text;
		size_t len;
		enum verdict_state state;
	} kinds[ENTRY_KINDS];
};

/* LiteLLM's list, in the order of its header. */
#define ADMIN_ONLY(X) \
	X("api_base", ", ") \
	X("api_version", ", ") \
	X("aws_bedrock_runtime_endpoint", ", ") \
	X("anthropic_disable_workload_identity_federation", ", ") \
	X("anthropic_federation_rule_id", ", ") \
	X("anthropic_federation_workspace_id", ", ") \
	X("anthropic_identity_source", ", ") \
	X("anthropic_issuer_audience", ", ") \
	X("anthropic_issuer_subject", ", ") \
	X("anthropic_issuer_ttl_seconds", ", ") \
	X("anthropic_issuer_url", ", ") \
	X("anthropic_keycloak_auth_method", ", ") \
	X("anthropic_keycloak_client_id", ", ") \
	X("anthropic_keycloak_scope", ", ") \
	X("anthropic_keycloak_token_url", ", ") \
	X("anthropic_organization_id", ", ") \
	X("anthropic_service_account_id", ", ") \
	X("openai_identity_provider_id", ", ") \
	X("openai_service_account_id", " are admin-only on this endpoint")

#define AS_ITEM(name, after) name,
#define AS_TEXT(name, after) name after
static const char *const admin_only[] = { ADMIN_ONLY(AS_ITEM) };
static const char admin_only_notice[] = ADMIN_ONLY(AS_TEXT);

/* The provider's headers that LiteLLM shows of a healthy deployment. */
static const char *const shown_headers[] = {
	"x-ratelimit-remaining-requests",
	"x-ratelimit-remaining-tokens",
	"x-ms-region",
};

bool
entry_admin_only(struct str key)
{
	for (size_t i = 0; i < ARRAY_LEN(admin_only); i++)
		if (str_is(key, admin_only[i]))
			return true;
	return false;
}

const char *
entry_admin_only_notice(void)
{
	return admin_only_notice;
}

static bool
shows(enum entry_kind kind, struct str key)
{
	if (kind == ENTRY_MINIMAL)
		return str_is(key, "model") || str_is(key, "mode_error");
	return kind == ENTRY_FULL || !entry_admin_only(key);
}

static bool
displays(const struct deployment *d, const char *key)
{
	for (size_t i = 0; i < d->display.n; i++)
		if (str_is(d->display.v[i].key, key))
			return true;
	return false;
}

static void
add_text(struct buf *b, const char *key, const char *text)
{
	json_add_key(b, key);
	json_add_string(b, str_of(text));
}

/* Three digits of a number below 1,000. */
static void
add_three(struct buf *b, uint32_t n)
{
	const char digits[3] = { (char)('0' + n / 100), (char)('0' + n / 10 % 10),
		(char)('0' + n % 10) };

	buf_add(b, digits, sizeof(digits));
}

/* 2026-11-21T02:41:05.123Z, or null for never. */
void
entry_add_time(struct buf *b, const char *key, int64_t ms)
{
	/* Many verdicts share their second, and formatting it costs more than all the rest. */
	static time_t shown = -1;
	static char text[64];
	time_t second = (time_t)(ms / 1000);
	struct tm tm;

	json_add_key(b, key);
	if (ms <= 0 || (second != shown && gmtime_r(&second, &tm) == NULL)) {
		buf_add_text(b, "null");
		return;
	}
	if (second != shown)
		snprintf(text, sizeof(text), "\"%04d-%02d-%02dT%02d:%02d:%02d.", tm.tm_year + 1900,
		    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	shown = second;
	buf_add_text(b, text);
	add_three(b, (uint32_t)(ms % 1000));
	buf_add(b, "Z\"", 2);
}

static void
add_ms(struct buf *b, const char *key, uint32_t us)
{
	json_add_key(b, key);
	buf_add_int(b, us / 1000);
	buf_add_char(b, '.');
	add_three(b, us % 1000);
}

static void
add_headers(struct buf *b, const char *headers)
{
	for (size_t i = 0; i < ARRAY_LEN(shown_headers); i++)
		for (const char *name = headers; *name;) {
			const char *value = name + strlen(name) + 1;

			if (strcmp(name, shown_headers[i]) == 0)
				add_text(b, shown_headers[i], value);
			name = value + strlen(value) + 1;
		}
}

static void
add_litellm(
    struct buf *b, const struct deployment *d, enum entry_kind kind, bool healthy, bool unhealthy)
{
	const struct verdict *v = &d->verdict;
	bool problem = d->problem_reason != REASON_OK;

	for (size_t i = 0; i < d->display.n; i++) {
		const struct kv *kv = &d->display.v[i];

		if (!shows(kind, kv->key))
			continue;
		json_add_comma(b);
		json_add_string(b, kv->key);
		buf_add_char(b, ':');
		buf_add_str(b, kv->value);
	}
	if (kind != ENTRY_MINIMAL && unhealthy) {
		add_text(b, "error", problem ? d->problem : v->error);
		json_add_key(b, "raw_request_typed_dict");
		buf_add_text(b, !problem && v->raw_request ? v->raw_request : "null");
	}
	if (kind != ENTRY_MINIMAL && healthy && v->headers)
		add_headers(b, v->headers);
	add_text(b, "model_id", d->id);
	if (unhealthy) {
		json_add_key(b, "exception_status");
		buf_add_int(b, problem ? d->problem_status : v->exception_status);
	}
}

void
entry_add_witnesses(struct buf *b, const struct deployment *d)
{
	const struct sight *s;

	if (quorum_sight(d, 0) == NULL)
		return;
	json_add_key(b, "witnesses");
	buf_add_char(b, '[');
	for (size_t i = 0; (s = quorum_sight(d, i)) != NULL; i++) {
		json_add_comma(b);
		buf_add_char(b, '{');
		add_text(b, "witness", s->witness);
		add_text(b, "state", s->healthy ? "healthy" : "unhealthy");
		if (!s->healthy)
			add_text(b, "reason", reason_name(s->reason));
		entry_add_time(b, "checked_at", s->checked_at_ms);
		entry_add_time(b, "since", s->since_ms);
		add_ms(b, "latency_ms", s->total_us);
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

static void
add_ours(struct buf *b, const struct deployment *d, enum entry_kind kind, enum verdict_state state,
    bool unhealthy)
{
	const struct verdict *v = &d->verdict;
	bool problem = d->problem_reason != REASON_OK;

	add_text(b, "model_name", d->model_name);
	add_text(b, "state", verdict_state_name(state));
	if (unhealthy)
		add_text(b, "reason", reason_name(problem ? d->problem_reason : v->reason));
	if (kind != ENTRY_MINIMAL) {
		if (unhealthy && !problem && v->detail)
			add_text(b, "detail", v->detail);
		if (d->provider && *d->provider)
			add_text(b, "provider", d->provider);
		if (d->mode && *d->mode && !displays(d, "mode"))
			add_text(b, "mode", d->mode);
		if (v->asked_model)
			add_text(b, "asked_model", v->asked_model);
	}
	if (problem)
		return;
	entry_add_time(b, "checked_at", v->checked_at_ms);
	if (v->checked_at_ms > 0) {
		entry_add_time(b, "since", v->since_ms);
		if (kind != ENTRY_MINIMAL)
			add_ms(b, "latency_ms", v->total_us);
		if (kind != ENTRY_MINIMAL && v->first_token_us > 0)
			add_ms(b, "time_to_first_token_ms", v->first_token_us);
	}
	if (kind != ENTRY_MINIMAL)
		entry_add_witnesses(b, d);
}

struct str
entry_render_as(struct deployment *d, enum entry_kind kind, enum verdict_state state)
{
	bool problem = d->problem_reason != REASON_OK;
	bool healthy = !problem && d->verdict.state == VERDICT_HEALTHY;
	bool unhealthy = problem || d->verdict.state == VERDICT_UNHEALTHY;
	struct buf b = BUF_INIT(MAX_ENTRY);

	if (d->entry == NULL)
		d->entry = xcalloc(1, sizeof(*d->entry));
	if (d->entry->kinds[kind].text && d->entry->kinds[kind].state == state)
		return (struct str){ d->entry->kinds[kind].text, d->entry->kinds[kind].len };
	free(d->entry->kinds[kind].text);
	buf_add_char(&b, '{');
	add_litellm(&b, d, kind, healthy, unhealthy);
	add_ours(&b, d, kind, state, unhealthy);
	buf_add_char(&b, '}');
	if (!buf_ok(&b)) {
		/* Nothing that the messages' limits let through is so long; half an object must not
		 * be shown. */
		buf_clear(&b);
		buf_add_text(&b, "{}");
	}
	d->entry->kinds[kind].len = b.len;
	d->entry->kinds[kind].state = state;
	d->entry->kinds[kind].text = xrealloc(buf_take(&b), d->entry->kinds[kind].len + 1);
	return (struct str){ d->entry->kinds[kind].text, d->entry->kinds[kind].len };
}

struct str
entry_render(struct deployment *d, enum entry_kind kind)
{
	return entry_render_as(
	    d, kind, d->problem_reason != REASON_OK ? VERDICT_UNHEALTHY : d->verdict.state);
}

static void
entry_invalidate(struct deployment *d)
{
	if (d->entry == NULL)
		return;
	for (int i = 0; i < ENTRY_KINDS; i++) {
		free(d->entry->kinds[i].text);
		d->entry->kinds[i].text = NULL;
	}
}

static void
entry_free(struct deployment *d)
{
	entry_invalidate(d);
	free(d->entry);
	d->entry = NULL;
}

static unsigned eager[ENTRY_KINDS];

void
entry_eager(enum entry_kind kind, bool on)
{
	eager[kind] += on ? 1 : -1;
}

static void
on_changed(struct deployment *d, void *arg)
{
	entry_invalidate(d);
	for (int i = 0; i < ENTRY_KINDS; i++)
		if (eager[i] > 0)
			(void)entry_render(d, (enum entry_kind)i);
}

static void
on_gone(struct deployment *d, void *arg)
{
	entry_free(d);
}

void
entry_watch(struct fleet *f)
{
	const struct fleet_watch w = { .changed = on_changed, .gone = on_gone };

	fleet_add_watch(f, &w);
}
