/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Oracle's generative AI: Cohere's models in their own form, all others in the generic one, and
 * embeddings. Signed with a key (workers/auth/).
 */
#include <string.h>

#include "workers/auth/schemes.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/forms.h"

/* The name on demand, or the OCID of a dedicated endpoint. */
static void
add_where(struct asking *a)
{
	struct buf *b = &a->req->body;
	const char *m = a->t->model;
	bool dedicated = strncmp(m, "ocid1.generativeaiendpoint", 26) == 0 ||
			 strcmp(ask_param(a, "oci_serving_mode", ""), "DEDICATED") == 0;

	ask_json(b,
	    dedicated
		? "{'compartmentId':%s,'servingMode':{'servingType':'DEDICATED','endpointId':%s}"
		: "{'compartmentId':%s,'servingMode':{'servingType':'ON_DEMAND','modelId':%s}",
	    ask_param(a, "oci_compartment_id", ""), m);
}

static bool
is_cohere(const struct target *t)
{
	return strncmp(t->model, "cohere.", 7) == 0;
}

static void
add_chat(struct asking *a)
{
	struct buf *b = &a->req->body;
	/* Without a limit LiteLLM asks for 4,096. */
	int64_t tokens = a->t->max_tokens >= 0 ? a->t->max_tokens : 16;

	add_where(a);
	if (is_cohere(a->t))
		ask_json(b,
		    ",'chatRequest':{'message':%s,'apiFormat':'COHERE','chatHistory':[],'maxTokens'"
		    ":%d}}",
		    ask_text(a), tokens);
	else
		ask_json(b,
		    ",'chatRequest':{'apiFormat':'GENERIC','messages':[{'role':'USER','content':[{"
		    "'type':'TEXT','text':%s}]}],'isStream':false,'maxTokens':%d}}",
		    ask_text(a), tokens);
}

static int
oci_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	bool embeds = t->mode == MODE_EMBEDDING;
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (*ask_param(&a, "oci_compartment_id", "") == '\0')
		return ask_refuse(
		    &a, "oci needs oci_compartment_id, or the variable OCI_COMPARTMENT_ID");
	if ((err = ask_path(&a, NULL, JOIN_STRIP,
		 embeds ? "/20231130/actions/embedText" : "/20231130/actions/chat")) < 0 ||
	    (err = ask_headers(&a, ASK_NOTHING, STR("application/json"))) < 0)
		return err;
	if (embeds) {
		add_where(&a);
		ask_json(&req->body, ",'inputs':[%s],'truncate':'END'}", ask_text(&a));
	} else {
		add_chat(&a);
	}
	ask_add_params(&a, false);
	return ask_end(&a);
}

static void
oci_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form cohere = {
		.wants = { { "chatResponse", JUDGE_OBJECT }, { "chatResponse.text", JUDGE_TEXT } },
		.tokens_in = "chatResponse.usage.promptTokens",
		.tokens_out = "chatResponse.usage.completionTokens",
	};
	static const struct judge_form generic = {
		.wants = { { "chatResponse", JUDGE_OBJECT },
		    { "chatResponse.choices", JUDGE_LIST | JUDGE_FILLED },
		    { "chatResponse.choices[0].message", JUDGE_OBJECT } },
		.tokens_in = "chatResponse.usage.promptTokens",
		.tokens_out = "chatResponse.usage.completionTokens",
	};
	static const struct judge_form embedded = {
		.wants = { { "embeddings", JUDGE_LIST | JUDGE_FILLED },
		    { "embeddings[0]", JUDGE_LIST | JUDGE_FILLED },
		    { "embeddings[0][0]", JUDGE_NUMBER } }
	};

	(void)judge_form(t, resp,
	    t->mode == MODE_EMBEDDING ? &embedded
	    : is_cohere(t)	      ? &cohere
				      : &generic,
	    res);
}

const struct dialect dialect_oci = {
	.name = "oci",
	.scheme = auth_oci,
	.build = oci_build,
	.judge = oci_judge,
	.stable = true,
	.variants = 2,
};
