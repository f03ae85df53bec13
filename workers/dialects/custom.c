/* SPDX-License-Identifier: Apache-2.0 */
/* LiteLLM's own form for a server of one's own: the api_base is the URL, no key is sent. */
#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/judge.h"

static int
custom_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	struct buf *b = &req->body;
	int err = ask_begin_json(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	buf_add_char(b, '{');
	body_text(b, t, "model", str_of(t->model));
	if (body_member(b, t, "params")) {
		buf_add_text(b, "{\"prompt\":[");
		json_add_string(b, str_of(ask_text(&a)));
		buf_add_text(b, "],\"max_tokens\":");
		if (t->max_tokens >= 0)
			buf_add_int(b, t->max_tokens);
		else
			buf_add_text(b, "null");
		buf_add_text(b, ",\"temperature\":null,\"top_p\":null,\"top_k\":null}");
	}
	body_add_config(b, t);
	buf_add_char(b, '}');
	return ask_end(&a);
}

static void
custom_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form form = { .wants = { { "data", JUDGE_LIST | JUDGE_FILLED },
						    { "data[0].output", JUDGE_LIST | JUDGE_FILLED },
						    { "data[0].output[0]", JUDGE_TEXT } } };

	(void)judge_form(t, resp, &form, res);
}

const struct dialect dialect_custom_api = {
	.name = "custom_api",
	.build = custom_build,
	.judge = custom_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
