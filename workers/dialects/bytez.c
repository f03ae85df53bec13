/* SPDX-License-Identifier: Apache-2.0 */
/* Bytez: one route for each model, at its own host only. */
#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/frame.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/judge.h"

static int
bytez_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct provider_call call;
	struct buf *b = &req->body;
	int err;

	if ((err = frame_call(t, &call, why)) < 0)
		return err;
	call.join = JOIN_STRIP;
	call.path = "/models/v2/{model}";
	if ((err = frame_url(t, &call, req, why)) < 0 ||
	    (err = headers_add(t, &call, STR("application/json"), req, why)) < 0)
		return err;
	buf_add_char(b, '{');
	if (body_member(b, t, "messages")) {
		buf_add_text(b, "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":");
		json_add_string(b, str_of(frame_text(t, ctx)));
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
		frame_add_config(b, t, NULL, 0);
		buf_add_char(b, '}');
	}
	buf_add_char(b, '}');
	return frame_end(t, req, why);
}

static const struct judge_form forms[] = {
	{ { { "output", JUDGE_OBJECT | JUDGE_FILLED, NULL, NULL },
	      { "output.content", JUDGE_LIST | JUDGE_TEXT, NULL, NULL } },
	    NULL, NULL },
	{ { { "output", JUDGE_TEXT, NULL, NULL } }, NULL, NULL },
};

static void
bytez_judge(const struct target *t, const struct response *resp, struct result *res)
{
	judge_forms(t, provider_call(t->provider, t->mode), resp, forms, ARRAY_LEN(forms), res);
}

const struct dialect dialect_bytez = {
	.name = "bytez",
	.build = bytez_build,
	.judge = bytez_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
