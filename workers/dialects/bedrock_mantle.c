/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bedrock's OpenAI-compatible service: chat, responses, and Claude by Anthropic's own interface. A
 * Bedrock API key is a bearer token, without one the request is signed.
 */
#include <string.h>

#include "workers/dialects/aws.h"
#include "workers/dialects/forms.h"

static bool
is_claude(const struct target *t)
{
	return strstr(t->model, "claude") != NULL;
}

static int
mantle_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	enum provider_join join = JOIN_STRIP;
	const char *path = "/chat/completions", *text;
	struct buf *b = &req->body;
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	text = ask_text(&a);
	if (is_claude(t)) {
		path = "/anthropic/v1/messages";
		join = JOIN_DROP_V1;
		ask_json(b,
		    "{'messages':[{'role':'user','content':%s}],'max_tokens':%d,'model':%s}", text,
		    t->max_tokens >= 0 ? t->max_tokens : INT64_C(16), t->model);
	} else if (t->mode == MODE_RESPONSES) {
		path = "/openai/v1/responses";
		join = JOIN_DROP_V1;
		ask_json(b, "{'model':%s,'input':%s}", t->model, text);
	} else {
		ask_json(
		    b, "{'model':%s,'messages':[{'role':'user','content':%s}]", t->model, text);
		if (t->max_tokens >= 0)
			ask_json(b, ",'max_tokens':%d", t->max_tokens);
		buf_add_char(b, '}');
	}
	if ((err = ask_path(&a, NULL, join, path)) < 0 ||
	    (is_claude(t) && (err = ask_header(&a, "anthropic-version", "2023-06-01")) < 0) ||
	    (err = aws_headers(&a, "bedrock")) < 0)
		return err;
	ask_add_params(&a, true);
	return ask_end(&a);
}

static void
mantle_judge(const struct target *t, const struct response *resp, struct result *res)
{
	(void)judge_form(t, resp,
	    is_claude(t)		? &form_messages
	    : t->mode == MODE_RESPONSES ? &form_responses
					: &form_chat,
	    res);
}

const struct dialect dialect_bedrock_mantle = {
	.name = "bedrock_mantle",
	.scheme = auth_aws,
	.build = mantle_build,
	.judge = mantle_judge,
	.stable = true,
	.variants = 2,
};
