/* SPDX-License-Identifier: Apache-2.0 */
/* Predibase: the generate route of Hugging Face's text-generation-inference, one path for each
 * tenant. */
#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/judge.h"

/* LiteLLM lets a model that nobody limits write 4,096 tokens. */
#define FEW_TOKENS 16

static const struct body_name names[] = { { "seed", "seed" } };

static int
predibase_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	struct buf *b = &req->body;
	int err = ask_begin_json(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	buf_add_char(b, '{');
	body_text(b, t, "inputs", str_of(ask_text(&a)));
	if (body_member(b, t, "parameters")) {
		buf_add_text(b, "{\"max_new_tokens\":");
		buf_add_int(b, t->max_tokens >= 0 ? t->max_tokens : FEW_TOKENS);
		buf_add_text(b, ",\"details\":true,\"return_full_text\":false");
		body_add_renamed(b, t, names, ARRAY_LEN(names));
		buf_add_char(b, '}');
	}
	buf_add_char(b, '}');
	return ask_end(&a);
}

static const struct judge_form forms[] = {
	{
	    .wants = { { "generated_text", JUDGE_TEXT } },
	    .tokens_out = "details.generated_tokens",
	    .theirs = "BadRequestError: PredibaseException - 'generated_text' is not a key "
		      "response dictionary - ",
	},
	{ .wants = { { "[0].generated_text", JUDGE_TEXT } } }
};

static void
predibase_judge(const struct target *t, const struct response *resp, struct result *res)
{
	(void)judge_forms(t, NULL, resp, forms, ARRAY_LEN(forms), res);
}

const struct dialect dialect_predibase_tgi = {
	.name = "predibase_tgi",
	.build = predibase_build,
	.judge = predibase_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
