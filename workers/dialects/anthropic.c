/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anthropic: /v1/messages, which also takes what LiteLLM carries over it from chat, completion and
 * responses. The old text completions, /v1/complete, are a dialect of their own in the table.
 */
#include "workers/dialects/anthropic.h"

#include <string.h>

#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/judge.h"
#include "workers/dialects/openai.h"

#define MESSAGES "/v1/messages"
#define FEW_TOKENS 16
/* What LiteLLM sends where nobody says how many. */
#define USUAL_TOKENS 4096

static const struct body_name names[] = { { "stop", "stop_sequences" } };

/* It must be there. A batch is no reason to ask for more than a chat does. */
static int64_t
tokens(const struct target *t)
{
	if (t->max_tokens >= 0)
		return t->max_tokens;
	return t->mode == MODE_BATCH ? FEW_TOKENS : USUAL_TOKENS;
}

void
anthropic_body(struct asking *a)
{
	const struct target *t = a->t;
	bool native = t->mode == MODE_ANTHROPIC_MESSAGES;
	struct buf *b = &a->req->body;

	buf_add_char(b, '{');
	if (!native)
		body_text(b, t, "model", str_of(t->model));
	if (body_member(b, t, "messages")) {
		buf_add_text(b, "[{\"role\":\"user\",\"content\":");
		buf_add_text(b, native ? "" : "[{\"type\":\"text\",\"text\":");
		json_add_string(b, str_of(ask_text(a)));
		buf_add_text(b, native ? "}]" : "}]}]");
	}
	if (body_member(b, t, "max_tokens"))
		buf_add_int(b, tokens(t));
	if (native) {
		body_text(b, t, "model", str_of(t->model));
		if (body_member(b, t, "stream"))
			buf_add_text(b, "false");
	}
	body_add_renamed(b, t, names, ARRAY_LEN(names));
	buf_add_char(b, '}');
}

/* A model may have nothing to say, and then says why it stopped. */
static const struct judge_form forms[] = {
	{
	    .wants = { { "content", JUDGE_LIST }, { "content[0]", JUDGE_OBJECT },
		{ "content[0].type", JUDGE_TEXT | JUDGE_FILLED } },
	    .tokens_in = "usage.input_tokens",
	    .tokens_out = "usage.output_tokens",
	    .theirs = "APIConnectionError: 'content'",
	},
	{
	    .wants = { { "content", JUDGE_LIST | JUDGE_EMPTY },
		{ "stop_reason", JUDGE_TEXT | JUDGE_FILLED },
		{ "role", JUDGE_TEXT | JUDGE_FILLED } },
	    .tokens_in = "usage.input_tokens",
	    .tokens_out = "usage.output_tokens",
	}
};

void
anthropic_judge_as(const struct target *t, const struct provider_call *call,
    const struct response *resp, struct result *res)
{
	(void)judge_forms(t, call, resp, forms, ARRAY_LEN(forms), res);
}

/* A key of a subscription is a token, and so is what stands in ANTHROPIC_AUTH_TOKEN. */
static int
add_key(struct asking *a)
{
	const struct target *t = a->t;
	struct str key = secret_reveal(target_secret(t, "api_key")), name = STR("x-api-key");
	const char *variable = target_param(t, "key_variable"), *scheme = NULL;
	int err = 0;

	if (headers_configured(t, STR("x-api-key")) || headers_configured(t, STR("authorization")))
		return 0;
	if (str_starts(key, "sk-ant-oat") ||
	    (variable && strcmp(variable, "ANTHROPIC_AUTH_TOKEN") == 0)) {
		name = STR("Authorization");
		scheme = "Bearer";
	}
	if (str_starts(key, "sk-ant-oat") &&
	    (err = ask_header(a, "anthropic-beta", "oauth-2025-04-20")) == 0)
		err = ask_header(a, "anthropic-dangerous-direct-browser-access", "true");
	return err < 0 ? err : headers_add_key(t, &a->call, name, scheme, a->req, a->why);
}

static int
add_headers(struct asking *a)
{
	int err = add_key(a);

	return err < 0 ? err : ask_headers(a, ASK_NOTHING, STR("application/json"));
}

static int
anthropic_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	size_t n = strlen(t->api_base), tail = strlen(MESSAGES);
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (n >= tail && strcmp(t->api_base + n - tail, MESSAGES) == 0) {
		a.call.path = "";
		a.call.join = JOIN_VERBATIM;
	}
	if ((err = ask_url(&a, NULL)) < 0 || (err = add_headers(&a)) < 0)
		return err;
	anthropic_body(&a);
	return ask_end(&a);
}

static int
anthropic_list(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0 || (err = add_key(&a)) < 0)
		return err;
	a.call.flags |= CALL_NO_AUTH;
	return ask_get(&a, NULL, JOIN_STRIP, "/v1/models?limit=1000");
}

static void
anthropic_judge(const struct target *t, const struct response *resp, struct result *res)
{
	anthropic_judge_as(t, NULL, resp, res);
}

const struct dialect dialect_anthropic = {
	.name = "anthropic",
	.build = anthropic_build,
	.judge = anthropic_judge,
	.list = anthropic_list,
	.listed = openai_listed,
	.stable = true,
	.variants = BODY_GREETINGS,
};

/* ---- text completions ---- */

static int
complete_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct buf *b = &req->body;
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0 || (err = ask_url(&a, NULL)) < 0 || (err = add_headers(&a)) < 0)
		return err;
	buf_add_char(b, '{');
	body_text(b, t, "model", str_of(t->model));
	if (body_member(b, t, "prompt")) {
		struct buf prompt = BUF_INIT((size_t)64 << 10);

		buf_addf(&prompt, "\n\nHuman: %s\n\nAssistant:", ask_text(&a));
		json_add_string(b, buf_str(&prompt));
		buf_clear(&prompt);
	}
	if (body_member(b, t, "max_tokens_to_sample"))
		buf_add_int(b, tokens(t));
	body_add_renamed(b, t, names, ARRAY_LEN(names));
	buf_add_char(b, '}');
	return ask_end(&a);
}

static void
complete_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form form = { .wants = { { "completion", JUDGE_TEXT } } };

	(void)judge_form(t, resp, &form, res);
}

const struct dialect dialect_anthropic_text_complete = {
	.name = "anthropic_text_complete",
	.build = complete_build,
	.judge = complete_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
