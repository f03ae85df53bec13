/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hugging Face: its router and its dedicated endpoints speak OpenAI's chat; embeddings and rankings
 * are those of its own servers.
 */
#include <stdio.h>
#include <string.h>

#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/ask.h"
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
	body_list(b, t, ranks ? "texts" : "inputs",
	    ranks ? STR("my sample text") : str_of(body_prompt(t)));
	body_add_config(b, t);
	buf_add_char(b, '}');
}

static int
huggingface_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	int err = ask_begin_json(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	switch (a.call.shape) {
	case SHAPE_EMBEDDING:
		/* An api_base is the model's own server, all others share one. */
		if (a.call.base && strcmp(t->api_base, a.call.base) == 0) {
			a.call.join = JOIN_STRIP;
			a.call.path = "/{model}";
			buf_reset(&req->url);
			if ((err = ask_url(&a, NULL)) < 0)
				return err;
		}
		add_own(&req->body, t, false);
		break;
	case SHAPE_RERANK:
		add_own(&req->body, t, true);
		break;
	default:
		if ((err = add_chat(t, &a.call, ctx->variant, req, why)) < 0)
			return err;
		break;
	}
	return ask_end(&a);
}

/* One vector, a list of them, or one for each token. */
static const struct judge_form vectors[] = { { .wants = { { "", JUDGE_LIST | JUDGE_FILLED },
						   { "[0]", JUDGE_LIST | JUDGE_FILLED },
						   { "[0][0]", JUDGE_NUMBER } } },
	{ .wants = { { "[0]", JUDGE_NUMBER } } }, { .wants = { { "[0][0][0]", JUDGE_NUMBER } } } };

static const struct judge_form ranks = { .wants = { { "", JUDGE_LIST | JUDGE_FILLED },
					     { "[0]", JUDGE_OBJECT },
					     { "[0].score", JUDGE_NUMBER } } };

static void
huggingface_judge(const struct target *t, const struct response *resp, struct result *res)
{
	const struct provider_call *call = provider_call(t->provider, t->mode);

	if (t->mode == MODE_EMBEDDING)
		(void)judge_forms(t, NULL, resp, vectors, ARRAY_LEN(vectors), res);
	else if (t->mode == MODE_RERANK)
		(void)judge_form(t, resp, &ranks, res);
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
