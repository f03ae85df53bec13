/* SPDX-License-Identifier: Apache-2.0 */
/* Deepgram: the body is the sound itself, the model stands in the query. */
#include "workers/dialects/frame.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/judge.h"
#include "workers/dialects/samples.h"

static int
deepgram_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct provider_call call;
	int err;

	(void)ctx;
	if ((err = frame_call(t, &call, why)) < 0 || (err = frame_url(t, &call, req, why)) < 0 ||
	    (err = headers_add(t, &call, STR("application/octet-stream"), req, why)) < 0)
		return err;
	buf_add_str(&req->body, sample_wav());
	buf_add_text(&req->shown_body, "{\"file\":\"" SAMPLE_WAV_NAME "\"}");
	return frame_end(t, req, why);
}

/* Of a tone there is nothing to write down: the text may be empty. */
static void
deepgram_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form form = {
		{ { "results", JUDGE_OBJECT, NULL, NULL },
		    { "results.channels", JUDGE_LIST | JUDGE_FILLED, NULL, NULL },
		    { "results.channels[].alternatives", JUDGE_LIST | JUDGE_FILLED, NULL, NULL },
		    { "results.channels[].alternatives[].transcript", JUDGE_TEXT, NULL, NULL } },
		NULL, NULL
	};

	judge_forms(t, provider_call(t->provider, t->mode), resp, &form, 1, res);
}

const struct dialect dialect_deepgram = {
	.name = "deepgram",
	.build = deepgram_build,
	.judge = deepgram_judge,
	.stable = true,
	.variants = 1,
};
