/* SPDX-License-Identifier: Apache-2.0 */
/* Google Distributed Cloud: OpenAI's chat under the path of a project, which a header repeats. */
#include "workers/dialects/body.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/openai.h"

static int
gdc_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct buf user = BUF_INIT(1024);
	struct asking a;
	int err = ask_begin_json(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	buf_addf(&user, "projects/%s", ask_param(&a, "vertex_project", ""));
	err = ask_header(&a, "x-goog-user-project", buf_text(&user));
	buf_clear(&user);
	if (err < 0 || (err = openai_add_bodies(t, &a.call, ctx->variant, req, why)) < 0)
		return err;
	return ask_end(&a);
}

const struct dialect dialect_gdc = {
	.name = "gdc",
	.build = gdc_build,
	.judge = openai_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
