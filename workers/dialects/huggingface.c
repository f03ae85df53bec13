/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hugging Face: its router and its dedicated endpoints speak OpenAI's chat; embeddings and rankings
 * are those of its own servers.
 */
#include <stdio.h>
#include <string.h>

#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/frame.h"
#include "workers/dialects/judge.h"
#include "workers/dialects/openai.h"

/*
 * `together/deepseek-ai/DeepSeek-R1` means one provider behind the router. LiteLLM first asks what
 * that one calls the model; the router knows it itself, where the name is
 * `deepseek-ai/DeepSeek-R1:together`.
 */
static bool
routed_name(const struct target *t, char *name, size_t size)
{
	const char *slash = strchr(t->model, '/');

	if (slash == NULL || strchr(slash + 1, '/') == NULL || t->provider->base == NULL ||
	    strcmp(t->api_base, t->provider->base) != 0)
		return false;
	return snprintf(name, size, "%s:%.*s", slash + 1, (int)(slash - t->model), t->model) <
	       (int)size;
}

static int
add_chat(const struct target *t, const struct provider_call *call, uint32_t variant,
    struct request *req, struct result *why)
{
	struct target named = *t;
	char name[512];

	if (routed_name(t, name, sizeof(name)))
		named.model = name;
	return openai_add_bodies(&named, call, variant, req, why);
}

static void
add_own(struct buf *b, const struct target *t, bool ranks)
{
	buf_add_char(b, '{');
	if (ranks)
		body_add_row(b, t,
		    "\"raw_scores\":false,\"truncate\":false,\"truncation_direction\":\"Right\"");
	if (ranks)
		body_text(b, t, "query", str_of(body_prompt(t)));
	if (body_member(b, t, ranks ? "texts" : "inputs")) {
		buf_add_char(b, '[');
		json_add_string(b, ranks ? STR("my sample text") : str_of(body_prompt(t)));
		buf_add_char(b, ']');
	}
	body_add_config(b, t);
	buf_add_char(b, '}');
}

static int
huggingface_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct provider_call call;
	int err;

	if ((err = frame_json(t, &call, req, why)) < 0)
		return err;
	switch (call.shape) {
	case SHAPE_EMBEDDING:
		/* An api_base is the model's own server, all others share one. */
		if (call.base && strcmp(t->api_base, call.base) == 0) {
			struct provider_call own = call;

			own.join = JOIN_STRIP;
			own.path = "/{model}";
			buf_reset(&req->url);
			if ((err = frame_url(t, &own, req, why)) < 0)
				return err;
		}
		add_own(&req->body, t, false);
		break;
	case SHAPE_RERANK:
		add_own(&req->body, t, true);
		break;
	default:
		if ((err = add_chat(t, &call, ctx->variant, req, why)) < 0)
			return err;
		break;
	}
	return frame_end(t, req, why);
}

/* One vector, a list of them, or one for each token. */
static const struct judge_form vectors[] = {
	{ { { "", JUDGE_LIST | JUDGE_FILLED, NULL, NULL },
	      { "[]", JUDGE_LIST | JUDGE_FILLED, NULL, NULL },
	      { "[][]", JUDGE_NUMBER, NULL, NULL } },
	    NULL, NULL },
	{ { { "[]", JUDGE_NUMBER, NULL, NULL } }, NULL, NULL },
	{ { { "[][][]", JUDGE_NUMBER, NULL, NULL } }, NULL, NULL },
};

static const struct judge_form ranks = { { { "", JUDGE_LIST | JUDGE_FILLED, NULL, NULL },
					     { "[]", JUDGE_OBJECT, NULL, NULL },
					     { "[].score", JUDGE_NUMBER, NULL, NULL } },
	NULL, NULL };

static void
huggingface_judge(const struct target *t, const struct response *resp, struct result *res)
{
	const struct provider_call *call = provider_call(t->provider, t->mode);

	if (t->mode == MODE_EMBEDDING)
		judge_forms(t, call, resp, vectors, ARRAY_LEN(vectors), res);
	else if (t->mode == MODE_RERANK)
		judge_forms(t, call, resp, &ranks, 1, res);
	else
		openai_judge_as(t, call, resp, res);
}

const struct dialect dialect_huggingface = {
	.name = "huggingface",
	.build = huggingface_build,
	.judge = huggingface_judge,
	.list = openai_list,
	.listed = openai_listed,
	.stable = true,
	.variants = BODY_GREETINGS,
};
