/* SPDX-License-Identifier: Apache-2.0 */
/* Bytez: one route for each model, at its own host only. */
#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/judge.h"

static int
bytez_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	struct buf *b = &req->body;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	a.call.join = JOIN_STRIP;
	a.call.path = "/models/v2/{model}";
	if ((err = ask_url(&a, NULL)) < 0 ||
	    (err = ask_headers(&a, ASK_KEY, STR("application/json"))) < 0)
		return err;
	buf_add_char(b, '{');
	if (body_member(b, t, "messages")) {
		buf_add_text(b, "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":");
		json_add_string(b, str_of(ask_text(&a)));
		buf_add_text(b, "}]}]");
	}
	if (body_member(b, t, "stream"))
		buf_add_text(b, "false");
	if (body_member(b, t, "params")) {
		buf_add_char(b, '{');
		if (t->max_tokens >= 0) {
			json_add_key(b, "max_new_tokens");
			buf_add_int(b, t->max_tokens);
		}
		body_add_renamed(b, t, NULL, 0);
		buf_add_char(b, '}');
	}
	buf_add_char(b, '}');
	return ask_end(&a);
}

static const struct judge_form forms[] = { { .wants = { { "output", JUDGE_OBJECT | JUDGE_FILLED },
						 { "output.content", JUDGE_LIST | JUDGE_TEXT } } },
	{ .wants = { { "output", JUDGE_TEXT } } } };

static void
bytez_judge(const struct target *t, const struct response *resp, struct result *res)
{
	(void)judge_forms(t, NULL, resp, forms, ARRAY_LEN(forms), res);
}

const struct dialect dialect_bytez = {
	.name = "bytez",
	.build = bytez_build,
	.judge = bytez_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
