/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IBM watsonx.ai: chat, generation, embeddings, rerank and transcription, of a model in a project
 * or a space, or of a deployment. The token comes from IBM's IAM (workers/auth/), or is a key of
 * Cloud Pak for Data as it is.
 */
#include <string.h>

#include "workers/auth/schemes.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/forms.h"
#include "workers/dialects/multipart.h"
#include "workers/dialects/samples.h"

#define API_VERSION "2024-03-13"

/* deployment/ID: it knows its model and its space. */
static const char *
deployment_of(const struct target *t)
{
	return strncmp(t->model, "deployment/", 11) == 0 ? t->model + 11 : NULL;
}

static int
add_url(struct asking *a, const char *what)
{
	const char *deployment = deployment_of(a->t);
	struct buf path = BUF_INIT(2048);
	int err;

	buf_add_text(&path, "/ml/v1/");
	if (deployment) {
		buf_add_text(&path, "deployments/");
		ask_encode(&path, str_of(deployment), "");
		buf_add_char(&path, '/');
	}
	buf_addf(&path, "%s?version=", what);
	ask_encode(&path, str_of(ask_param(a, "api_version", API_VERSION)), "");
	err = ask_path(a, NULL, JOIN_STRIP, buf_text(&path));
	buf_clear(&path);
	return err;
}

static int
add_headers(struct asking *a, struct str type)
{
	struct str zen = secret_reveal(target_secret(a->t, "zen_api_key"));
	struct buf value = BUF_INIT((size_t)16 << 10);
	int err;

	if (zen.n == 0)
		return ask_headers(a, ASK_TOKEN, type);
	buf_add_text(&value, "ZenApiKey ");
	buf_add_str(&value, zen);
	err =
	    buf_ok(&value) && request_add_header(a->req, STR("Authorization"), buf_str(&value)) == 0
		? ask_headers(a, ASK_NOTHING, type)
		: ask_refuse(a, "zen_api_key is too long or holds a line break");
	if (value.data)
		secret_wipe(value.data, value.len);
	buf_clear(&value);
	return err;
}

/* Which model, and in whose name; ends the object. */
static void
add_model(struct asking *a)
{
	struct buf *b = &a->req->body;
	const char *project = ask_param(a, "project_id", NULL),
		   *space = ask_param(a, "space_id", NULL);

	if (deployment_of(a->t) == NULL) {
		ask_json(b, ",'model_id':%s", a->t->model);
		if (project)
			ask_json(b, ",'project_id':%s", project);
		else if (space)
			ask_json(b, ",'space_id':%s", space);
	}
}

static int
begin(struct asking *a, const struct target *t, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	int err = ask_begin(a, t, ctx, req, why);

	if (err == 0 && deployment_of(t) == NULL && ask_param(a, "project_id", NULL) == NULL &&
	    ask_param(a, "space_id", NULL) == NULL)
		return ask_refuse(
		    a, "watsonx needs project_id or space_id, or a model `deployment/ID`");
	return err;
}

static int
add_form(struct asking *a)
{
	struct multipart form = { &a->req->body, 0 };
	const char *project = ask_param(a, "project_id", NULL),
		   *space = ask_param(a, "space_id", NULL);

	multipart_text(&form, "model", str_of(a->t->model));
	if (project)
		multipart_text(&form, "project_id", str_of(project));
	else if (space)
		multipart_text(&form, "space_id", str_of(space));
	multipart_file(&form, "file", SAMPLE_WAV_NAME, "audio/wav", sample_wav());
	return multipart_end(&form) < 0 ? ask_refuse(a, "the form cannot be sent") : 0;
}

static int
watsonx_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct str type = STR("application/json");
	const char *what = "text/chat", *text;
	struct buf *b = &req->body;
	struct asking a;
	int err = begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	text = ask_text(&a);
	switch (t->mode) {
	case MODE_EMBEDDING:
		what = "text/embeddings";
		ask_json(b, "{'inputs':[%s]", text);
		add_model(&a);
		buf_add_char(b, '}');
		break;
	case MODE_RERANK:
		what = "text/rerank";
		ask_json(b, "{'query':%s,'inputs':[{'text':'my sample text'}]", text);
		add_model(&a);
		buf_add_char(b, '}');
		break;
	case MODE_AUDIO_TRANSCRIPTION:
		what = "audio/transcriptions";
		type = STR(MULTIPART_TYPE);
		err = add_form(&a);
		break;
	default:
		ask_json(b, "{'model':%s,'messages':[{'role':'user','content':%s}]",
		    deployment_of(t) ? "" : t->model, text);
		if (t->max_tokens >= 0)
			ask_json(b, ",'max_tokens':%d", t->max_tokens);
		add_model(&a);
		ask_json(b, ",'stream':false}");
		break;
	}
	if (err < 0 || (err = add_url(&a, what)) < 0 || (err = add_headers(&a, type)) < 0)
		return err;
	if (t->mode != MODE_AUDIO_TRANSCRIPTION)
		ask_add_params(&a, t->mode != MODE_EMBEDDING && t->mode != MODE_RERANK);
	return ask_end(&a);
}

static void
watsonx_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form embedded = {
		.wants = { { "results", JUDGE_LIST | JUDGE_FILLED },
		    { "results[0].embedding", JUDGE_LIST | JUDGE_FILLED },
		    { "results[0].embedding[0]", JUDGE_NUMBER } },
		.tokens_in = "input_token_count",
	};
	static const struct judge_form heard = { .wants = { { "text", JUDGE_TEXT } } };
	const struct judge_form *form = &form_chat;

	if (t->mode == MODE_EMBEDDING)
		form = &embedded;
	else if (t->mode == MODE_RERANK)
		form = &form_scores;
	else if (t->mode == MODE_AUDIO_TRANSCRIPTION)
		form = &heard;
	(void)judge_form(t, resp, form, res);
}

const struct dialect dialect_watsonx_chat = {
	.name = "watsonx_chat",
	.scheme = auth_ibm_iam,
	.build = watsonx_build,
	.judge = watsonx_judge,
	.stable = true,
	.variants = 2,
};

/* ---- generation: a text goes on ---- */

static int
text_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct buf *b = &req->body;
	struct asking a;
	int err = begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	ask_json(b, "{'input':%s,'moderations':{},'parameters':{", ask_text(&a));
	if (t->max_tokens >= 0)
		ask_json(b, "'max_new_tokens':%d", t->max_tokens);
	buf_add_char(b, '}');
	add_model(&a);
	buf_add_char(b, '}');
	if ((err = add_url(&a, "text/generation")) < 0 ||
	    (err = add_headers(&a, STR("application/json"))) < 0)
		return err;
	ask_add_params(&a, false);
	return ask_end(&a);
}

static void
text_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form generated = {
		.wants = { { "results", JUDGE_LIST | JUDGE_FILLED },
		    { "results[0].generated_text", JUDGE_TEXT } },
		.tokens_in = "results[0].input_token_count",
		.tokens_out = "results[0].generated_token_count",
	};

	(void)judge_form(t, resp, &generated, res);
}

const struct dialect dialect_watsonx_text = {
	.name = "watsonx_text",
	.scheme = auth_ibm_iam,
	.build = text_build,
	.judge = text_judge,
	.stable = true,
	.variants = 2,
};
