/* SPDX-License-Identifier: Apache-2.0 */
/* Reducto: a page is uploaded, which proves the key and costs nothing; it is not parsed. */
#include "workers/dialects/ask.h"
#include "workers/dialects/multipart.h"
#include "workers/dialects/judge.h"
#include "workers/dialects/samples.h"

static int
reducto_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct multipart form = { &req->body, 0 };
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0 || (err = ask_path(&a, NULL, JOIN_STRIP, "/upload")) < 0 ||
	    (err = ask_headers(&a, ASK_KEY, STR(MULTIPART_TYPE))) < 0)
		return err;
	multipart_file(&form, "file", "document", "application/pdf", sample_pdf());
	if (multipart_end(&form) < 0)
		return ask_refuse(&a, "the form cannot be sent");
	return ask_end(&a);
}

static void
reducto_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form form = { .wants = {
						    { "file_id", JUDGE_TEXT | JUDGE_FILLED } } };

	(void)judge_form(t, resp, &form, res);
}

const struct dialect dialect_reducto = {
	.name = "reducto",
	.build = reducto_build,
	.judge = reducto_judge,
	.stable = true,
	.variants = 1,
};
