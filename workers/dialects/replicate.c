/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replicate runs a model as a job, which is paid from its start and asked for until it is done. The
 * model's own page proves the key and the model and starts nothing, so that is what is asked,
 * unless the config wants the job (`probe: generate`): that it was accepted is then the answer.
 */
#include <string.h>

#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/judge.h"

/* `deployments/OWNER/NAME`, `OWNER/NAME:VERSION`, `OWNER/NAME` */
static void
add_path(struct buf *b, const char *model)
{
	const char *colon = strchr(model, ':');
	size_t n = colon ? (size_t)(colon - model) : strlen(model);

	if (strncmp(model, "deployments/", 12) != 0)
		buf_add_text(b, "models/");
	ask_encode(b, (struct str){ model, n }, "/");
	if (colon) {
		buf_add_text(b, "/versions/");
		ask_encode(b, str_of(colon + 1), "");
	}
}

/* As LiteLLM's gateways have it: a version stands where the model does. */
static void
add_job_path(struct buf *b, const char *model)
{
	const char *colon = strchr(model, ':');

	if (colon) {
		buf_add_text(b, "models/");
		ask_encode(b, str_of(colon + 1), "");
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
add_job(struct asking *a)
{
	const struct target *t = a->t;
	struct buf *b = &a->req->body;
	struct buf prompt = BUF_INIT((size_t)64 << 10);

	if (is_llama3(t->model))
		buf_addf(&prompt,
		    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n%s<|eot_id|>"
		    "<|start_header_id|>assistant<|end_header_id|>\n\n",
		    ask_text(a));
	else
		buf_add_text(&prompt, ask_text(a));
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

static int
replicate_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	bool runs = ask_generates(t);
	struct buf path = BUF_INIT(2048);
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	buf_add_text(&path, "/v1/");
	if (runs)
		add_job_path(&path, t->model);
	else
		add_path(&path, t->model);
	if (runs)
		err = ask_path(&a, NULL, JOIN_STRIP, buf_text(&path));
	else
		err = ask_get(&a, NULL, JOIN_STRIP, buf_text(&path));
	buf_clear(&path);
	if (err < 0 || !runs)
		return err;
	if ((err = ask_headers(&a, ASK_KEY, STR("application/json"))) < 0)
		return err;
	req->method = "POST";
	add_job(&a);
	return ask_end(&a);
}

static const struct judge_form forms[] = {
	{
	    .wants = { { "name", JUDGE_TEXT | JUDGE_FILLED },
		{ "owner", JUDGE_TEXT | JUDGE_FILLED } },
	    .theirs = "BadRequestError: ReplicateException - LiteLLM Error - prediction url is "
		      "None - ",
	}, /* A version. */
	{ .wants = { { "id", JUDGE_TEXT | JUDGE_FILLED },
	      { "created_at", JUDGE_TEXT | JUDGE_FILLED } } }
};

/* A job that was accepted; one that has failed at once carries its `error`. */
static const struct judge_form job = {
	.wants = { { "id", JUDGE_TEXT | JUDGE_FILLED }, { "status", JUDGE_TEXT | JUDGE_FILLED },
	    { "urls", JUDGE_OBJECT } },
	.theirs = "BadRequestError: ReplicateException - LiteLLM Error - prediction url is "
		  "None - ",
};

static void
replicate_judge(const struct target *t, const struct response *resp, struct result *res)
{
	if (ask_generates(t))
		(void)judge_form(t, resp, &job, res);
	else
		(void)judge_forms(t, NULL, resp, forms, ARRAY_LEN(forms), res);
}

const struct dialect dialect_replicate = {
	.name = "replicate",
	.build = replicate_build,
	.judge = replicate_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
