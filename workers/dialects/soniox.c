/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Soniox writes down what was said in a job of six requests, and what is uploaded stays until it is
 * deleted. Its list of models proves the key and the model and leaves nothing behind; an alias is an
 * entry of its own there (soniox.com/docs/stt/api-reference/models/get_models).
 */
#include "workers/dialects/ask.h"
#include "workers/dialects/judge.h"

static int
soniox_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	return err < 0 ? err : ask_get(&a, NULL, a.call.join, "/v1/models");
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
	static const struct judge_form form = { .wants = { { "models", JUDGE_LIST } } };
	unsigned count = 0;

	if (judge_form(t, resp, &form, res) && !is_known(t, resp->body, &count))
		judge_not_listed(t, count, res);
}

const struct dialect dialect_soniox = {
	.name = "soniox",
	.build = soniox_build,
	.judge = soniox_judge,
	.stable = true,
	.variants = 1,
};
