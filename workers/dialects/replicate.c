/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replicate runs a model as a job, which is paid from its start and asked for until it is done. The
 * model's own page proves the key and the model and starts nothing, so that is what is asked.
 */
#include <string.h>

#include "workers/dialects/frame.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/judge.h"

/* `deployments/OWNER/NAME`, `OWNER/NAME:VERSION`, `OWNER/NAME` */
static void
add_path(struct buf *b, const char *model)
{
	const char *colon = strchr(model, ':');
	size_t n = colon ? (size_t)(colon - model) : strlen(model);

	if (strncmp(model, "deployments/", 12) != 0)
		buf_add_text(b, "models/");
	for (size_t i = 0; i < n; i++) {
		if (model[i] == '/')
			buf_add_char(b, '/');
		else
			frame_add_encoded(b, (struct str){ model + i, 1 });
	}
	if (colon) {
		buf_add_text(b, "/versions/");
		frame_add_encoded(b, str_of(colon + 1));
	}
}

static int
replicate_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct provider_call call;
	int err;

	(void)ctx;
	if ((err = frame_call(t, &call, why)) < 0)
		return err;
	call.method = "GET";
	call.join = JOIN_STRIP;
	call.path = "/v1/";
	if ((err = frame_url(t, &call, req, why)) < 0)
		return err;
	add_path(&req->url, t->model);
	if ((err = headers_add(t, &call, (struct str){ NULL, 0 }, req, why)) < 0)
		return err;
	return frame_end(t, req, why);
}

static const struct judge_form forms[] = {
	{ { { "name", JUDGE_TEXT | JUDGE_FILLED,
		"ReplicateException - LiteLLM Error - prediction url is None - ",
		"BadRequestError" },
	      { "owner", JUDGE_TEXT | JUDGE_FILLED, NULL, NULL } },
	    NULL, NULL },
	/* A version. */
	{ { { "id", JUDGE_TEXT | JUDGE_FILLED, NULL, NULL },
	      { "created_at", JUDGE_TEXT | JUDGE_FILLED, NULL, NULL } },
	    NULL, NULL },
};

static void
replicate_judge(const struct target *t, const struct response *resp, struct result *res)
{
	judge_forms(t, provider_call(t->provider, t->mode), resp, forms, ARRAY_LEN(forms), res);
}

const struct dialect dialect_replicate = {
	.name = "replicate",
	.build = replicate_build,
	.judge = replicate_judge,
	.stable = true,
	.variants = 1,
};
