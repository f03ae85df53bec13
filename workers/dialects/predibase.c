/* SPDX-License-Identifier: Apache-2.0 */
/* Predibase: the generate route of Hugging Face's text-generation-inference, one path for each
 * tenant. */
#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/frame.h"
#include "workers/dialects/judge.h"

/* LiteLLM lets a model that nobody limits write 4,096 tokens. */
#define FEW_TOKENS 16

static const struct frame_name names[] = { { "seed", "seed" } };

static int
predibase_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct provider_call call;
	struct buf *b = &req->body;
	int err;

	if ((err = frame_json(t, &call, req, why)) < 0)
		return err;
	buf_add_char(b, '{');
	body_text(b, t, "inputs", str_of(frame_text(t, ctx)));
	if (body_member(b, t, "parameters")) {
		buf_add_text(b, "{\"max_new_tokens\":");
		buf_add_int(b, t->max_tokens >= 0 ? t->max_tokens : FEW_TOKENS);
		buf_add_text(b, ",\"details\":true,\"return_full_text\":false");
		frame_add_config(b, t, names, ARRAY_LEN(names));
		buf_add_char(b, '}');
	}
	buf_add_char(b, '}');
	return frame_end(t, req, why);
}

static const struct judge_form forms[] = {
	{ { { "generated_text", JUDGE_TEXT,
	      "PredibaseException - 'generated_text' is not a key response dictionary - ",
	      "BadRequestError" } },
	    NULL, "details.generated_tokens" },
	{ { { "[].generated_text", JUDGE_TEXT, NULL, NULL } }, NULL, NULL },
};

static void
predibase_judge(const struct target *t, const struct response *resp, struct result *res)
{
	judge_forms(t, provider_call(t->provider, t->mode), resp, forms, ARRAY_LEN(forms), res);
}

const struct dialect dialect_predibase_tgi = {
	.name = "predibase_tgi",
	.build = predibase_build,
	.judge = predibase_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
