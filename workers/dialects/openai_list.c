/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's list of models, from which a model is taken where the config has a wildcard. */
#include "workers/dialects/openai.h"

#include <stdio.h>
#include <string.h>

#include "workers/dialects/judge.h"
#include "workers/dialects/words.h"

/* Beside what the call's own path ends in. */
static bool
list_path(const struct provider_call *call, char *path, size_t size)
{
	static const char *const tails[] = { "/chat/completions", "/completions", "/embeddings",
		"/responses", "/rerank", "/images/generations", "/audio/speech",
		"/audio/transcriptions", "/videos", "/batches" };
	size_t n = strlen(call->path);

	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		size_t tail = strlen(tails[i]);

		if (n < tail || strcmp(call->path + n - tail, tails[i]) != 0)
			continue;
		snprintf(path, size, "%.*s/models", (int)(n - tail), call->path);
		return true;
	}
	return false;
}

int
openai_list(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	char path[256];
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (!list_path(&a.call, path, sizeof(path)))
		return ask_refuse(
		    &a, "a wildcard names no model to ask, expected model_info.health_check_model");
	a.call.path = path;
	req->method = "GET";
	if ((err = ask_url(&a, NULL)) < 0 || (err = openai_add_headers(&a, STR(""))) < 0)
		return err;
	return ask_end(&a);
}

/* A model of the list: its `id` (Amazon: `modelId`, `inferenceProfileId`), else its `name`, or itself where it is a text.
 */
static void
tell(struct str model, void (*each)(void *arg, struct str name), void *arg)
{
	struct buf text = BUF_INIT(4096);
	struct str key, value, name = { NULL, 0 };
	size_t at = 0;

	if (model.n >= 2 && model.p[0] == '"')
		name = model;
	while (answer_member(model, &at, &key, &value))
		if (value.n >= 2 && value.p[0] == '"' &&
		    (str_is(key, "id") || str_is(key, "modelId") || str_is(key, "inferenceProfileId") ||
			(str_is(key, "name") && name.n == 0)))
			name = value;
	if (name.n > 2) {
		answer_text(&text, (struct str){ name.p + 1, name.n - 2 });
		if (buf_ok(&text) && memchr(text.data, '\0', text.len) == NULL)
			each(arg, buf_str(&text));
	}
	buf_clear(&text);
}

/* The list has another name at Amazon and at Google's cloud. */
enum place { AT_ROOT, AT_DATA, AT_MODELS, AT_SUMMARIES, AT_PROFILES, AT_PUBLISHED, N_PLACES };

static const struct answer_place places[N_PLACES] = {
	[AT_ROOT] = { -1, NULL },
	[AT_DATA] = { AT_ROOT, "data" },
	[AT_MODELS] = { AT_ROOT, "models" },
	[AT_SUMMARIES] = { AT_ROOT, "modelSummaries" },
	[AT_PROFILES] = { AT_ROOT, "inferenceProfileSummaries" },
	[AT_PUBLISHED] = { AT_ROOT, "publisherModels" },
};

int
openai_listed(const struct target *t, const struct response *resp,
    void (*each)(void *arg, struct str name), void *arg, struct result *res)
{
	const struct provider_call *call = provider_call(t->provider, t->mode);
	struct answer_value v[N_PLACES], *list = &v[AT_ROOT];
	struct answer_fault fault;
	struct str model;
	size_t at = 0;

	if (resp->status < 200 || resp->status >= 300) {
		openai_judge(t, resp, res);
		return ERR_INVALID;
	}
	if (answer_read(resp->body, places, N_PLACES, v, &fault) < 0) {
		words_not_json(t, call ? call->client : CLIENT_SDK, resp->body, &fault, res);
		return ERR_INVALID;
	}
	for (size_t i = AT_PUBLISHED; i > AT_ROOT; i--)
		if (v[i].kind == ANSWER_ARRAY)
			list = &v[i];
	if (list->kind != ANSWER_ARRAY) {
		judge_bad_shape(t, res, "`data`", &v[AT_DATA], "a list of models");
		return ERR_INVALID;
	}
	while (answer_element(list->raw, &at, &model))
		tell(model, each, arg);
	return 0;
}
