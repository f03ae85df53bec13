/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two that take OpenAI's responses with something of their own around it: Manus (an agent is named
 * as the model), and ChatGPT's own backend, which a person's login opens and which answers as a
 * stream.
 */
#include <string.h>

#include "workers/auth/credential.h"
#include "workers/auth/schemes.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/forms.h"
#include "workers/dialects/multipart.h"
#include "workers/dialects/openai.h"
#include "workers/dialects/words.h"

/* ---- Manus ---- */

static int
manus_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0 || (err = ask_path(&a, NULL, JOIN_DROP_V1, "/v1/responses")) < 0 ||
	    (err = ask_headers(&a, ASK_KEY, STR("application/json"))) < 0)
		return err;
	ask_json(&req->body, "{'model':%s,'input':%s,'task_mode':'agent','agent_profile':%s}",
	    t->model, ask_text(&a), t->model);
	ask_add_params(&a, true);
	return ask_end(&a);
}

static void
manus_judge(const struct target *t, const struct response *resp, struct result *res)
{
	(void)judge_form(t, resp, &form_responses, res);
}

const struct dialect dialect_openai_responses = {
	.name = "openai_responses",
	.build = manus_build,
	.judge = manus_judge,
	.stable = true,
	.variants = 1,
};

/* ---- ChatGPT ---- */

/* Its speech, its transcriptions and its pictures are OpenAI's own routes. */
static const char *
media_path(enum mode mode)
{
	switch (mode) {
	case MODE_AUDIO_SPEECH:
		return "/audio/speech";
	case MODE_AUDIO_TRANSCRIPTION:
		return "/audio/transcriptions";
	case MODE_IMAGE_GENERATION:
		return "/images/generations";
	default:
		return NULL;
	}
}

static int
media_build(struct asking *a)
{
	struct str type = openai_is_form(&a->call) ? STR(MULTIPART_TYPE) : STR("application/json");
	int err = ask_path(a, NULL, JOIN_STRIP, media_path(a->t->mode));

	if (err < 0 || (err = ask_headers(a, ASK_TOKEN, type)) < 0 ||
	    (err = openai_add_bodies(a->t, &a->call, a->ctx->variant, a->req, a->why)) < 0)
		return err;
	return ask_end(a);
}

static int
chatgpt_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	bool plain = t->mode == MODE_RESPONSES;
	struct buf *b = &req->body, session = BUF_INIT(64);
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (media_path(t->mode))
		return media_build(&a);
	if ((err = ask_path(&a, NULL, JOIN_STRIP, "/responses")) < 0)
		return err;
	request_add_uuid(&session, ctx, 0);
	if ((err = ask_header(&a, "Accept", "text/event-stream")) == 0 &&
	    (err = ask_header(&a, "session_id", buf_text(&session))) == 0 && ctx->credential &&
	    ctx->credential->account)
		err = ask_header(&a, "chatgpt-account-id", ctx->credential->account);
	buf_clear(&session);
	if (err < 0 || (err = ask_headers(&a, ASK_TOKEN, STR("application/json"))) < 0)
		return err;
	ask_json(b,
	    plain ? "{'model':%s,'input':%s"
		  : "{'model':%s,'input':[{'type':'message','role':'user','content':[{"
		    "'type':'input_text','text':%s}]}]",
	    t->model, ask_text(&a));
	ask_json(b, ",'stream':true,'instructions':'You are a helpful assistant. Answer briefly.',"
		    "'store':false,'include':['reasoning.encrypted_content']}");
	ask_add_params(&a, false);
	return ask_end(&a);
}

static void
chatgpt_judge(const struct target *t, const struct response *resp, struct result *res)
{
	if (media_path(t->mode))
		openai_judge_as(t, provider_call(t->provider, t->mode), resp, res);
	/* A stream that breaks off has not answered. */
	else if (judge_stream(t, resp, res) &&
		 memmem(resp->body.p, resp->body.n, "response.completed", 18) == NULL &&
		 memmem(resp->body.p, resp->body.n, "response.incomplete", 19) == NULL)
		words_shape(t, NULL, (struct str){ NULL, 0 },
		    STR("status 200, but the stream ends before the response is complete"), res);
}

const struct dialect dialect_openai_responses_stream = {
	.name = "openai_responses_stream",
	.scheme = auth_chatgpt,
	.build = chatgpt_build,
	.judge = chatgpt_judge,
	.stable = false,
	.variants = 2,
};
