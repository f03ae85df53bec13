/* SPDX-License-Identifier: Apache-2.0 */
/* NLP Cloud: a text goes on. The base ends where the model's name begins. */
#include "workers/dialects/ask.h"
#include "workers/dialects/judge.h"

static int
nlp_cloud_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct buf path = BUF_INIT(2048);
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	ask_encode(&path, str_of(t->model), "/");
	buf_add_text(&path, "/generation");
	err = ask_path(&a, NULL, JOIN_APPEND, buf_text(&path));
	buf_clear(&path);
	if (err < 0 || (err = ask_headers(&a, ASK_KEY, STR("application/json"))) < 0)
		return err;
	ask_json(&req->body, "{'text':%s", ask_text(&a));
	if (t->max_tokens >= 0)
		ask_json(&req->body, ",'max_length':%d", t->max_tokens);
	buf_add_char(&req->body, '}');
	ask_add_params(&a, false);
	return ask_end(&a);
}

static void
nlp_cloud_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form form = {
		.wants = { { "generated_text", JUDGE_TEXT } },
		.tokens_in = "nb_input_tokens",
		.tokens_out = "nb_generated_tokens",
	};

	(void)judge_form(t, resp, &form, res);
}

const struct dialect dialect_nlp_cloud = {
	.name = "nlp_cloud",
	.build = nlp_cloud_build,
	.judge = nlp_cloud_judge,
	.stable = true,
	.variants = 2,
};
