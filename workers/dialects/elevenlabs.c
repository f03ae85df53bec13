/* SPDX-License-Identifier: Apache-2.0 */
/* ElevenLabs: a voice speaks, its name in the path; or what was said is written down. */
#include <string.h>

#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/frame.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/multipart.h"
#include "workers/dialects/openai.h"
#include "workers/dialects/samples.h"

/* Its voices are its own: OpenAI's usual one means the one in the table's path. */
static int
speech_url(
    const struct target *t, struct provider_call *call, struct request *req, struct result *why)
{
	const char *voice = target_param(t, "voice");
	struct buf path = BUF_INIT(1024);
	int err;

	if (voice && strcmp(voice, "alloy") != 0) {
		buf_add_text(&path, "/v1/text-to-speech/");
		frame_add_encoded(&path, str_of(voice));
		call->path = buf_text(&path);
	}
	err = frame_url(t, call, req, why);
	buf_clear(&path);
	return err;
}

static int
speech_build(
    const struct target *t, struct provider_call *call, struct request *req, struct result *why)
{
	struct buf *b = &req->body;
	int err;

	if ((err = speech_url(t, call, req, why)) < 0 ||
	    (err = headers_add(t, call, STR("application/json"), req, why)) < 0)
		return err;
	buf_add_char(b, '{');
	body_text(b, t, "text", str_of(body_prompt(t)));
	body_text(b, t, "model_id", str_of(t->model));
	body_add_config(b, t);
	buf_add_char(b, '}');
	return frame_end(t, req, why);
}

static int
transcription_build(
    const struct target *t, struct provider_call *call, struct request *req, struct result *why)
{
	struct multipart form = { .body = &req->body };
	int err;

	if ((err = frame_url(t, call, req, why)) < 0 ||
	    (err = headers_add(t, call, STR(MULTIPART_TYPE), req, why)) < 0)
		return err;
	multipart_text(&form, "model_id", str_of(t->model));
	multipart_file(&form, "file", SAMPLE_WAV_NAME, "audio/wav", sample_wav());
	if (multipart_end(&form) < 0)
		return headers_refuse(t, why, "the model's name cannot be sent in a form");
	buf_add_text(&req->shown_body, "{\"model_id\":");
	json_add_string(&req->shown_body, str_of(t->model));
	buf_add_text(&req->shown_body, ",\"file\":\"" SAMPLE_WAV_NAME "\"}");
	return frame_end(t, req, why);
}

static int
elevenlabs_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct provider_call call;
	int err;

	(void)ctx;
	if ((err = frame_call(t, &call, why)) < 0)
		return err;
	return call.shape == SHAPE_SPEECH ? speech_build(t, &call, req, why)
					  : transcription_build(t, &call, req, why);
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
