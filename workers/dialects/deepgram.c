/* SPDX-License-Identifier: Apache-2.0 */
/* Deepgram: the body is the sound itself, the model stands in the query. */
#include "workers/dialects/ask.h"
#include "workers/dialects/judge.h"
#include "workers/dialects/samples.h"

static int
deepgram_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0 || (err = ask_url(&a, NULL)) < 0 ||
	    (err = ask_headers(&a, ASK_KEY, STR("application/octet-stream"))) < 0)
		return err;
	buf_add_str(&req->body, sample_wav());
	buf_add_text(&req->shown_body, "{\"file\":\"" SAMPLE_WAV_NAME "\"}");
	return ask_end(&a);
}

/* Of a tone there is nothing to write down: the text may be empty. */
static void
deepgram_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form form = {
		.wants = { { "results", JUDGE_OBJECT },
		    { "results.channels", JUDGE_LIST | JUDGE_FILLED },
		    { "results.channels[0].alternatives", JUDGE_LIST | JUDGE_FILLED },
		    { "results.channels[0].alternatives[0].transcript", JUDGE_TEXT } }
	};

	(void)judge_form(t, resp, &form, res);
}

const struct dialect dialect_deepgram = {
	.name = "deepgram",
	.build = deepgram_build,
	.judge = deepgram_judge,
	.stable = true,
	.variants = 1,
};
