/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cohere: /v2/chat, the older /v1/chat for models named `v1/…`, /v2/embed, /v2/rerank and
 * /v2/parse. For chat and embedding an api_base is the whole URL.
 */
#include "workers/dialects/cohere.h"

#include <string.h>

#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/judge.h"
#include "workers/dialects/openai.h"
#include "workers/dialects/samples.h"

#define V1_CHAT "https://api.cohere.ai/v1/chat"

static const struct body_name names[] = { { "stop", "stop_sequences" }, { "top_p", "p" },
	{ "top_k", "k" }, { "seed", "seed" }, { "frequency_penalty", "frequency_penalty" },
	{ "presence_penalty", "presence_penalty" } };

static bool
is_v1(const struct target *t)
{
	return strncmp(t->model, "v1/", 3) == 0;
}

static void
add_chat(struct asking *a)
{
	const struct target *t = a->t;
	struct buf *b = &a->req->body;
	bool v1 = is_v1(t);

	body_text(b, t, "model", str_of(v1 ? t->model + 3 : t->model));
	if (v1)
		body_text(b, t, "message", str_of(ask_text(a)));
	else
		body_messages(b, t, ask_text(a));
	if (t->max_tokens >= 0 && body_member(b, t, "max_tokens"))
		buf_add_int(b, t->max_tokens);
}

static void
add_embed(struct buf *b, const struct target *t)
{
	body_text(b, t, "model", str_of(t->model));
	body_list(b, t, "texts", str_of(body_prompt(t)));
	body_text(b, t, "input_type", STR("search_document"));
}

void
cohere_parse_body(struct buf *b, const struct target *t)
{
	buf_add_char(b, '{');
	body_text(b, t, "model", str_of(t->model));
	if (body_member(b, t, "document")) {
		buf_add_text(b, "{\"type\":\"image_url\",\"image_url\":\"data:image/png;base64,");
		sample_add_base64(b, sample_dot_png());
		buf_add_text(b, "\"}");
	}
	body_text(b, t, "output_format", STR("markdown"));
	body_add_config(b, t);
	buf_add_char(b, '}');
}

static int
cohere_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	int err = ask_begin_json(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	switch (a.call.shape) {
	case SHAPE_RERANK:
		if ((err = openai_add_bodies(t, &a.call, ctx->variant, req, why)) < 0)
			return err;
		break;
	case SHAPE_OCR:
		cohere_parse_body(&req->body, t);
		break;
	default:
		if (is_v1(t) && a.call.shape != SHAPE_EMBEDDING && t->provider->base &&
		    strcmp(t->api_base, t->provider->base) == 0) {
			buf_reset(&req->url);
			buf_add_text(&req->url, V1_CHAT);
		}
		buf_add_char(&req->body, '{');
		if (a.call.shape == SHAPE_EMBEDDING)
			add_embed(&req->body, t);
		else
			add_chat(&a);
		body_add_renamed(&req->body, t, names, ARRAY_LEN(names));
		buf_add_char(&req->body, '}');
		break;
	}
	return ask_end(&a);
}

/* An api_base is one route only; the list is Cohere's own. */
static int
cohere_list(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (strncmp(t->api_base, "https://api.cohere.", 19) != 0)
		return ask_refuse(&a,
		    "a wildcard names no model to ask, and the api_base is one route: expected "
		    "model_info.health_check_model");
	return ask_get(&a, "https://api.cohere.com", JOIN_STRIP, "/v1/models?page_size=1000");
}

static const struct judge_form chat_forms[] = {
	{
	    .wants = { { "message", JUDGE_OBJECT },
		{ "message.content", JUDGE_LIST | JUDGE_FILLED },
		{ "message.content[0]", JUDGE_OBJECT } },
	    .tokens_in = "usage.tokens.input_tokens",
	    .tokens_out = "usage.tokens.output_tokens",
	    .theirs = "APIConnectionError: 'message'",
	}, /* Cut short while it thinks, or a tool was
	     called. */
	{
	    .wants = { { "message", JUDGE_OBJECT },
		{ "finish_reason", JUDGE_TEXT | JUDGE_FILLED } },
	    .tokens_in = "usage.tokens.input_tokens",
	    .tokens_out = "usage.tokens.output_tokens",
	}
};

static const struct judge_form v1_form = {
	.wants = { { "text", JUDGE_TEXT } },
	.tokens_in = "meta.tokens.input_tokens",
	.tokens_out = "meta.tokens.output_tokens",
	.theirs = "APIConnectionError: 'text'",
};

static const struct judge_form embed_forms[] = {
	{
	    .wants = { { "embeddings", JUDGE_OBJECT | JUDGE_LIST },
		{ "embeddings.float[0]", JUDGE_LIST }, { "embeddings.float[0][0]", JUDGE_NUMBER } },
	    .tokens_in = "meta.billed_units.input_tokens",
	    .theirs = "APIConnectionError: 'embeddings'",
	},
	{
	    .wants = { { "embeddings[0]", JUDGE_LIST }, { "embeddings[0][0]", JUDGE_NUMBER } },
	    .tokens_in = "meta.billed_units.input_tokens",
	}
};

void
cohere_parse_judge(const struct target *t, const struct provider_call *call,
    const struct response *resp, struct result *res)
{
	static const struct judge_form forms[] = {
		{ .wants = { { "pages", JUDGE_LIST | JUDGE_FILLED },
		      { "pages[0]", JUDGE_OBJECT } } },
		{ .wants = { { "document", JUDGE_OBJECT | JUDGE_TEXT | JUDGE_FILLED } } }
	};

	(void)judge_forms(t, call, resp, forms, ARRAY_LEN(forms), res);
}

static void
cohere_judge(const struct target *t, const struct response *resp, struct result *res)
{
	const struct provider_call *call = provider_call(t->provider, t->mode);

	if (call && call->shape == SHAPE_RERANK)
		openai_judge_as(t, call, resp, res);
	else if (call && call->shape == SHAPE_OCR)
		cohere_parse_judge(t, call, resp, res);
	else if (call && call->shape == SHAPE_EMBEDDING)
		(void)judge_forms(t, call, resp, embed_forms, ARRAY_LEN(embed_forms), res);
	else if (is_v1(t))
		(void)judge_form(t, resp, &v1_form, res);
	else
		(void)judge_forms(t, call, resp, chat_forms, ARRAY_LEN(chat_forms), res);
}

const struct dialect dialect_cohere_v2 = {
	.name = "cohere_v2",
	.build = cohere_build,
	.judge = cohere_judge,
	.list = cohere_list,
	.listed = openai_listed,
	.stable = true,
	.variants = BODY_GREETINGS,
};
