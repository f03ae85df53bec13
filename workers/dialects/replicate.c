/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replicate runs a model as a job, which is paid from its start and asked for until it is done. The
 * model's own page proves the key and the model and starts nothing, so that is what is asked,
 * unless the config wants the job (`probe: generate`): that it was accepted is then the answer.
 */
#include <string.h>

#include "shared/json.h"
#include "workers/dialects/body.h"
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

/* As LiteLLM's gateways have it: a version stands where the model does. */
static void
add_job_path(struct buf *b, const char *model)
{
	const char *colon = strchr(model, ':');

	if (colon) {
		buf_add_text(b, "models/");
		frame_add_encoded(b, str_of(colon + 1));
	} else {
		add_path(b, model);
	}
	buf_add_text(b, "/predictions");
}

static bool
is_llama3(const char *model)
{
	return strstr(model, "llama-3") != NULL && strstr(model, "instruct") != NULL;
}

static void
add_job(struct buf *b, const struct target *t, const struct build_context *ctx)
{
	struct buf prompt = BUF_INIT((size_t)64 << 10);

	if (is_llama3(t->model))
		buf_addf(&prompt,
		    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n%s<|eot_id|>"
		    "<|start_header_id|>assistant<|end_header_id|>\n\n",
		    frame_text(t, ctx));
	else
		buf_add_text(&prompt, frame_text(t, ctx));
	buf_add_text(b, "{\"input\":{\"prompt\":");
	json_add_string(b, buf_str(&prompt));
	if (t->max_tokens >= 0) {
		buf_add_text(b, ",\"max_new_tokens\":");
		buf_add_int(b, t->max_tokens);
	}
	body_add_config(b, t);
	buf_add_text(b, "}}");
	buf_clear(&prompt);
}

static bool
runs_job(const struct target *t)
{
	const char *probe = target_param(t, "probe");

	return probe && strcmp(probe, "generate") == 0;
}

static int
replicate_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct provider_call call;
	int err;

	if ((err = frame_call(t, &call, why)) < 0)
		return err;
	call.method = runs_job(t) ? "POST" : "GET";
	call.join = JOIN_STRIP;
	call.path = "/v1/";
	if ((err = frame_url(t, &call, req, why)) < 0)
		return err;
	if (runs_job(t))
		add_job_path(&req->url, t->model);
	else
		add_path(&req->url, t->model);
	err = headers_add(
	    t, &call, runs_job(t) ? STR("application/json") : (struct str){ NULL, 0 }, req, why);
	if (err < 0)
		return err;
	if (runs_job(t))
		add_job(&req->body, t, ctx);
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

/* A job that was accepted; one that has failed at once carries its `error`. */
static const struct judge_form job = {
	{ { "id", JUDGE_TEXT | JUDGE_FILLED,
	      "ReplicateException - LiteLLM Error - prediction url is "
	      "None - ",
	      "BadRequestError" },
	    { "status", JUDGE_TEXT | JUDGE_FILLED, NULL, NULL },
	    { "urls", JUDGE_OBJECT, NULL, NULL } },
	NULL, NULL
};

static void
replicate_judge(const struct target *t, const struct response *resp, struct result *res)
{
	if (runs_job(t)) {
		judge_forms(t, provider_call(t->provider, t->mode), resp, &job, 1, res);
		return;
	}
	judge_forms(t, provider_call(t->provider, t->mode), resp, forms, ARRAY_LEN(forms), res);
}

const struct dialect dialect_replicate = {
	.name = "replicate",
	.build = replicate_build,
	.judge = replicate_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
