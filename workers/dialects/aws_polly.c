/* SPDX-License-Identifier: Apache-2.0 */
/* Amazon Polly: the model's name is the engine, the answer is sound. */
#include <string.h>

#include "workers/dialects/aws.h"
#include "workers/dialects/judge.h"

#define LEAST_SOUND 64 /* bytes; an MP3 frame has more */

/* OpenAI's voices have no meaning here. */
static const char *
voice_of(const struct asking *a)
{
	static const char *const foreign[] = { "alloy", "ash", "ballad", "coral", "echo", "fable",
		"nova", "onyx", "sage", "shimmer", "verse" };
	const char *voice = ask_param(a, "voice", "Joanna");

	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		if (strcmp(voice, foreign[i]) == 0)
			return "Joanna";
	return voice;
}

static int
polly_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0 || (err = ask_path(&a, NULL, JOIN_STRIP, "/v1/speech")) < 0 ||
	    (err = aws_headers(&a, "polly")) < 0)
		return err;
	ask_json(&req->body,
	    "{'Engine':%s,'OutputFormat':'mp3','Text':%s,'VoiceId':%s,'TextType':'text'}", t->model,
	    ask_text(&a), voice_of(&a));
	ask_add_params(&a, false);
	return ask_end(&a);
}

static void
polly_judge(const struct target *t, const struct response *resp, struct result *res)
{
	(void)judge_bytes(t, resp, LEAST_SOUND, res);
}

const struct dialect dialect_aws_polly = {
	.name = "aws_polly",
	.scheme = auth_aws,
	.build = polly_build,
	.judge = polly_judge,
	.stable = true,
	.variants = 1,
};
