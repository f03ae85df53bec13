/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SAP AI Core: the orchestration service asks the model. Which of its deployments serves it is
 * found out with the token (workers/auth/), so that a probe stays one request.
 */
#include <string.h>

#include "workers/auth/credential.h"
#include "workers/auth/schemes.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/judge.h"

static int
sap_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	const char *base = *t->api_base ? t->api_base : NULL;
	struct buf *b = &req->body;
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (base == NULL && ctx->credential)
		base = ctx->credential->base;
	if (base == NULL)
		return ask_refuse(&a, "SAP AI Core has no running deployment of its orchestration");
	if ((err = ask_path(&a, base, JOIN_STRIP, "/v2/completion")) < 0 ||
	    (err = ask_header(
		 &a, "AI-Resource-Group", ask_param(&a, "aicore_resource_group", "default"))) < 0 ||
	    (err = ask_header(&a, "AI-Client-Type", "LiteLLM")) < 0 ||
	    (err = ask_headers(&a, ASK_TOKEN, STR("application/json"))) < 0)
		return err;
	ask_json(b,
	    "{'config':{'modules':{'prompt_templating':{'prompt':{'template':[{'role':'user',"
	    "'content':%s}]},'model':{'name':%s,'version':%s,'params':{",
	    ask_text(&a), t->model, ask_param(&a, "model_version", "latest"));
	if (t->max_tokens >= 0)
		ask_json(b, "'max_tokens':%d", t->max_tokens);
	buf_add_text(b, "}}}}}}");
	return ask_end(&a);
}

static void
sap_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form form = {
		.wants = { { "final_result|orchestration_result|module_results", JUDGE_OBJECT },
		    { "final_result.choices|orchestration_result.choices|module_results.llm."
		      "choices",
			JUDGE_LIST | JUDGE_FILLED } },
		.tokens_in = "final_result.usage.prompt_tokens",
		.tokens_out = "final_result.usage.completion_tokens",
	};

	(void)judge_form(t, resp, &form, res);
}

const struct dialect dialect_sap_orchestration = {
	.name = "sap_orchestration",
	.scheme = auth_sap,
	.build = sap_build,
	.judge = sap_judge,
	.stable = true,
	.variants = 2,
};
