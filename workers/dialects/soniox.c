/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Soniox writes down what was said in a job of six requests, and what is uploaded stays until it is
 * deleted. Its list of models proves the key and the model and leaves nothing behind; an alias is an
 * entry of its own there (soniox.com/docs/stt/api-reference/models/get_models).
 */
#include "workers/dialects/frame.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/judge.h"

static int
soniox_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct provider_call call;
	int err;

	(void)ctx;
	if ((err = frame_call(t, &call, why)) < 0)
		return err;
	call.method = "GET";
	call.path = "/v1/models";
	if ((err = frame_url(t, &call, req, why)) < 0 ||
	    (err = headers_add(t, &call, (struct str){ NULL, 0 }, req, why)) < 0)
		return err;
	return frame_end(t, req, why);
}

/* A model, or another name of it. */
static bool
is_known(const struct target *t, struct str body, unsigned *count)
{
	static const char *const keys[] = { "id", "name", "aliased_model_id" };
	struct str key, value;
	size_t at = 0;
	bool known = false;

	while (answer_member(body, &at, &key, &value))
		for (size_t i = 0; str_is(key, "models") && i < ARRAY_LEN(keys); i++)
			known |= judge_listed(value, keys[i], t->model, count);
	return known;
}

static void
soniox_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form form = { { { "models", JUDGE_LIST, NULL, NULL } }, NULL,
		NULL };
	unsigned count = 0;

	judge_forms(t, provider_call(t->provider, t->mode), resp, &form, 1, res);
	if (res->healthy && !is_known(t, resp->body, &count))
		judge_not_listed(t, count, res);
}

const struct dialect dialect_soniox = {
	.name = "soniox",
	.build = soniox_build,
	.judge = soniox_judge,
	.stable = true,
	.variants = 1,
};
