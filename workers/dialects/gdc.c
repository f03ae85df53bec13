/* SPDX-License-Identifier: Apache-2.0 */
/* Google Distributed Cloud: OpenAI's chat under the path of a project, which a header repeats. */
#include "workers/dialects/body.h"
#include "workers/dialects/frame.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/openai.h"

static int
gdc_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	const char *project = target_param(t, "vertex_project");
	struct buf user = BUF_INIT(1024);
	struct provider_call call;
	int err;

	if ((err = frame_json(t, &call, req, why)) < 0)
		return err;
	buf_addf(&user, "projects/%s", project);
	err = headers_add_own(t, req, STR("x-goog-user-project"), buf_str(&user), why);
	buf_clear(&user);
	if (err < 0 || (err = openai_add_bodies(t, &call, ctx->variant, req, why)) < 0)
		return err;
	return frame_end(t, req, why);
}

const struct dialect dialect_gdc = {
	.name = "gdc",
	.build = gdc_build,
	.judge = openai_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
