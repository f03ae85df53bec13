/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Amazon SageMaker: an endpoint of one's own, behind which stands a text generator or an embedder
 * of Hugging Face (sagemaker), a server of OpenAI's chat (sagemaker_chat), or a Nova model
 * (sagemaker_nova). Keys are never in a body, where LiteLLM puts them for the last two.
 */
#include "workers/dialects/aws.h"
#include "workers/dialects/forms.h"

static void add_tgi_body(struct asking *a);

static int
build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why, void (*add_body)(struct asking *a))
{
	struct buf path = BUF_INIT(2048);
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	buf_add_text(&path, "/endpoints/");
	ask_encode(&path, str_of(t->model), "/");
	buf_add_text(&path, "/invocations");
	if ((err = ask_path(&a, NULL, JOIN_STRIP, buf_text(&path))) == 0 &&
	    (t->mode != MODE_EMBEDDING ||
		(err = ask_header(&a, "X-Amzn-SageMaker-Custom-Attributes", "accept_eula=true")) ==
		    0) &&
	    (err = aws_headers(&a, "sagemaker")) == 0) {
		add_body(&a);
		ask_add_params(&a, add_body != add_tgi_body);
		err = ask_end(&a);
	}
	buf_clear(&path);
	return err;
}

/* ---- sagemaker ---- */

static void
add_tgi_body(struct asking *a)
{
	struct buf *b = &a->req->body;

	if (a->t->mode == MODE_EMBEDDING) {
		ask_json(b, "{'inputs':[%s]}", ask_text(a));
		return;
	}
	ask_json(b, "{'parameters':{");
	if (a->t->max_tokens >= 0)
		ask_json(b, "'max_new_tokens':%d", a->t->max_tokens);
	ask_json(b, "},'inputs':%s}", ask_text(a));
}

static int
tgi_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	return build(t, ctx, req, why, add_tgi_body);
}

static void
tgi_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form generated = {
		.wants = { { "[0].generated_text|generated_text|[0][0].generated_text|outputs[0]."
			     "generated_"
			     "text|"
			     "choices[0].text|choices[0].message|completion|generation",
		    JUDGE_TEXT | JUDGE_OBJECT } }
	};
	static const struct judge_form embedded = {
		.wants = { { "embedding[0]|[0][0]|embeddings[0]|data[0].embedding|vectors[0]",
		    JUDGE_NUMBER | JUDGE_LIST | JUDGE_FILLED } }
	};

	(void)judge_form(t, resp, t->mode == MODE_EMBEDDING ? &embedded : &generated, res);
}

const struct dialect dialect_sagemaker_tgi = {
	.name = "sagemaker_tgi",
	.scheme = auth_aws,
	.build = tgi_build,
	.judge = tgi_judge,
	.stable = true,
	.variants = 2,
};

/* ---- sagemaker_chat, sagemaker_nova ---- */

static void
add_chat(struct asking *a, bool model)
{
	struct buf *b = &a->req->body;

	buf_add_char(b, '{');
	if (model)
		ask_json(b, "'model':%s,", a->t->model);
	ask_json(b, "'messages':[{'role':'user','content':%s}]", ask_text(a));
	if (a->t->max_tokens >= 0)
		ask_json(b, ",'max_tokens':%d", a->t->max_tokens);
	buf_add_char(b, '}');
}

static void
add_messages_body(struct asking *a)
{
	add_chat(a, true);
}

static void
add_nova_body(struct asking *a)
{
	add_chat(a, false);
}

static int
messages_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	return build(t, ctx, req, why, add_messages_body);
}

static int
nova_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	return build(t, ctx, req, why, add_nova_body);
}

static void
chat_judge(const struct target *t, const struct response *resp, struct result *res)
{
	(void)judge_form(t, resp, &form_chat, res);
}

const struct dialect dialect_sagemaker_messages = {
	.name = "sagemaker_messages",
	.scheme = auth_aws,
	.build = messages_build,
	.judge = chat_judge,
	.stable = true,
	.variants = 2,
};

const struct dialect dialect_sagemaker_nova = {
	.name = "sagemaker_nova",
	.scheme = auth_aws,
	.build = nova_build,
	.judge = chat_judge,
	.stable = true,
	.variants = 2,
};
