/* SPDX-License-Identifier: Apache-2.0 */
/* ElevenLabs: a voice speaks, its name in the path; or what was said is written down. */
#include <string.h>

#include "workers/dialects/body.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/multipart.h"
#include "workers/dialects/openai.h"
#include "workers/dialects/samples.h"

/* Its voices are its own: OpenAI's usual one means the one in the table's path. */
static int
speech_url(struct asking *a)
{
	const char *voice = target_param(a->t, "voice");
	struct buf path = BUF_INIT(1024);
	int err;

	if (voice == NULL || strcmp(voice, "alloy") == 0)
		return ask_url(a, NULL);
	buf_add_text(&path, "/v1/text-to-speech/");
	ask_encode(&path, str_of(voice), "");
	err = ask_path(a, NULL, a->call.join, buf_text(&path));
	buf_clear(&path);
	return err;
}

static int
speech_build(struct asking *a)
{
	const struct target *t = a->t;
	struct buf *b = &a->req->body;
	int err;

	if ((err = speech_url(a)) < 0 ||
	    (err = ask_headers(a, ASK_KEY, STR("application/json"))) < 0)
		return err;
	buf_add_char(b, '{');
	body_text(b, t, "text", str_of(body_prompt(t)));
	body_text(b, t, "model_id", str_of(t->model));
	body_add_config(b, t);
	buf_add_char(b, '}');
	return ask_end(a);
}

static int
transcription_build(struct asking *a)
{
	struct multipart form = { .body = &a->req->body };
	int err;

	if ((err = ask_url(a, NULL)) < 0 ||
	    (err = ask_headers(a, ASK_KEY, STR(MULTIPART_TYPE))) < 0)
		return err;
	multipart_text(&form, "model_id", str_of(a->t->model));
	multipart_file(&form, "file", SAMPLE_WAV_NAME, "audio/wav", sample_wav());
	if (multipart_end(&form) < 0)
		return ask_refuse(a, "the model's name cannot be sent in a form");
	ask_json(&a->req->shown_body, "{'model_id':%s,'file':%s}", a->t->model, SAMPLE_WAV_NAME);
	return ask_end(a);
}

static int
elevenlabs_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	return a.call.shape == SHAPE_SPEECH ? speech_build(&a) : transcription_build(&a);
}

static void
elevenlabs_judge(const struct target *t, const struct response *resp, struct result *res)
{
	/* Sound, or `text`: both as OpenAI's routes have them. */
	openai_judge_as(t, provider_call(t->provider, t->mode), resp, res);
}

const struct dialect dialect_elevenlabs = {
	.name = "elevenlabs",
	.build = elevenlabs_build,
	.judge = elevenlabs_judge,
	.stable = true,
	.variants = 1,
};
