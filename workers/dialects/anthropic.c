/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anthropic: /v1/messages, which also takes what LiteLLM carries over it from chat, completion and
 * responses. The old text completions, /v1/complete, are a dialect of their own in the table.
 */
#include "workers/dialects/anthropic.h"

#include <string.h>

#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/frame.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/judge.h"
#include "workers/dialects/openai.h"

#define MESSAGES "/v1/messages"
#define FEW_TOKENS 16
/* What LiteLLM sends where nobody says how many. */
#define USUAL_TOKENS 4096

static const struct frame_name names[] = { { "stop", "stop_sequences" } };

/* It must be there. A batch is no reason to ask for more than a chat does. */
static int64_t
tokens(const struct target *t)
{
	if (t->max_tokens >= 0)
		return t->max_tokens;
	return t->mode == MODE_BATCH ? FEW_TOKENS : USUAL_TOKENS;
}

void
anthropic_body(struct buf *b, const struct target *t, const struct build_context *ctx,
    const char *model, const char *more)
{
	bool native = t->mode == MODE_ANTHROPIC_MESSAGES;

	buf_add_char(b, '{');
	if (model && !native)
		body_text(b, t, "model", str_of(model));
	if (body_member(b, t, "messages")) {
		buf_add_text(b, "[{\"role\":\"user\",\"content\":");
		buf_add_text(b, native ? "" : "[{\"type\":\"text\",\"text\":");
		json_add_string(b, str_of(frame_text(t, ctx)));
		buf_add_text(b, native ? "}]" : "}]}]");
	}
	if (body_member(b, t, "max_tokens"))
		buf_add_int(b, tokens(t));
	if (model && native)
		body_text(b, t, "model", str_of(model));
	body_add_row(b, t, more);
	if (native && body_member(b, t, "stream"))
		buf_add_text(b, "false");
	frame_add_config(b, t, names, ARRAY_LEN(names));
	buf_add_char(b, '}');
}

/* A model may have nothing to say, and then says why it stopped. */
static const struct judge_form forms[] = {
	{ { { "content", JUDGE_LIST, "'content'", NULL }, { "content[]", JUDGE_OBJECT, NULL, NULL },
	      { "content[].type", JUDGE_TEXT | JUDGE_FILLED, NULL, NULL } },
	    "usage.input_tokens", "usage.output_tokens" },
	{ { { "content", JUDGE_LIST | JUDGE_EMPTY, NULL, NULL },
	      { "stop_reason", JUDGE_TEXT | JUDGE_FILLED, NULL, NULL },
	      { "role", JUDGE_TEXT | JUDGE_FILLED, NULL, NULL } },
	    "usage.input_tokens", "usage.output_tokens" },
};

void
anthropic_judge_as(const struct target *t, const struct provider_call *call,
    const struct response *resp, struct result *res)
{
	judge_forms(t, call, resp, forms, ARRAY_LEN(forms), res);
}

/* A key of a subscription is a token, and so is what stands in ANTHROPIC_AUTH_TOKEN. */
static int
add_key(const struct target *t, const struct provider_call *call, struct request *req,
    struct result *why)
{
	struct str key = secret_reveal(target_secret(t, "api_key"));
	const char *variable = target_param(t, "key_variable");
	int err;

	if (headers_configured(t, STR("x-api-key")) || headers_configured(t, STR("authorization")))
		return 0;
	if (str_starts(key, "sk-ant-oat")) {
		if ((err = headers_add_own(
			 t, req, STR("anthropic-beta"), STR("oauth-2025-04-20"), why)) < 0 ||
		    (err = headers_add_own(t, req, STR("anthropic-dangerous-direct-browser-access"),
			 STR("true"), why)) < 0)
			return err;
		return headers_add_key(t, call, STR("Authorization"), "Bearer", req, why);
	}
	if (variable && strcmp(variable, "ANTHROPIC_AUTH_TOKEN") == 0)
		return headers_add_key(t, call, STR("Authorization"), "Bearer", req, why);
	return headers_add_key(t, call, STR("x-api-key"), NULL, req, why);
}

static int
add_headers(
    const struct target *t, struct provider_call *call, struct request *req, struct result *why)
{
	int err = add_key(t, call, req, why);

	if (err < 0)
		return err;
	call->flags |= CALL_NO_AUTH;
	return headers_add(t, call, STR("application/json"), req, why);
}

static int
anthropic_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	size_t n = strlen(t->api_base), tail = strlen(MESSAGES);
	struct provider_call call;
	int err;

	if ((err = frame_call(t, &call, why)) < 0)
		return err;
	if (n >= tail && strcmp(t->api_base + n - tail, MESSAGES) == 0) {
		call.path = "";
		call.join = JOIN_VERBATIM;
	}
	if ((err = frame_url(t, &call, req, why)) < 0 ||
	    (err = add_headers(t, &call, req, why)) < 0)
		return err;
	anthropic_body(&req->body, t, ctx, t->model, "");
	return frame_end(t, req, why);
}

static int
anthropic_list(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct provider_call call;
	int err;

	(void)ctx;
	if ((err = frame_call(t, &call, why)) < 0 || (err = add_key(t, &call, req, why)) < 0)
		return err;
	call.flags |= CALL_NO_AUTH;
	return frame_list(t, &call, "/v1/models?limit=1000", req, why);
}

static void
anthropic_judge(const struct target *t, const struct response *resp, struct result *res)
{
	anthropic_judge_as(t, provider_call(t->provider, t->mode), resp, res);
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
	struct provider_call call;
	struct buf *b = &req->body;
	int err;

	if ((err = frame_call(t, &call, why)) < 0 || (err = frame_url(t, &call, req, why)) < 0 ||
	    (err = add_headers(t, &call, req, why)) < 0)
		return err;
	buf_add_char(b, '{');
	body_text(b, t, "model", str_of(t->model));
	if (body_member(b, t, "prompt")) {
		struct buf prompt = BUF_INIT((size_t)64 << 10);

		buf_addf(&prompt, "\n\nHuman: %s\n\nAssistant:", frame_text(t, ctx));
		json_add_string(b, buf_str(&prompt));
		buf_clear(&prompt);
	}
	if (body_member(b, t, "max_tokens_to_sample"))
		buf_add_int(b, tokens(t));
	frame_add_config(b, t, names, ARRAY_LEN(names));
	buf_add_char(b, '}');
	return frame_end(t, req, why);
}

static void
complete_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form form = { { { "completion", JUDGE_TEXT, NULL, NULL } }, NULL,
		NULL };

	judge_forms(t, provider_call(t->provider, t->mode), resp, &form, 1, res);
}

const struct dialect dialect_anthropic_text_complete = {
	.name = "anthropic_text_complete",
	.build = complete_build,
	.judge = complete_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
