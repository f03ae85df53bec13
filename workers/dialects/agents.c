/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Servers of agents that are no models themselves: LangGraph (a run that is waited for), Langflow
 * (a flow is run), and the Agent2Agent protocol (a message is sent by JSON-RPC).
 */
#include <string.h>

#include "workers/dialects/ask.h"
#include "workers/dialects/judge.h"

static int
begin(struct asking *a, const struct target *t, const struct build_context *ctx,
    struct request *req, struct result *why, const char *path)
{
	int err = ask_begin(a, t, ctx, req, why);

	if (err < 0 || (err = ask_path(a, NULL, JOIN_STRIP, path)) < 0)
		return err;
	return ask_headers(a, ASK_KEY, STR("application/json"));
}

/* ---- LangGraph ---- */

static int
langgraph_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	int err = begin(&a, t, ctx, req, why, "/runs/wait");

	if (err < 0)
		return err;
	ask_json(&req->body,
	    "{'assistant_id':%s,'input':{'messages':[{'role':'human','content':%s}]}}", t->model,
	    ask_text(&a));
	ask_add_params(&a, false);
	return ask_end(&a);
}

static void
langgraph_judge(const struct target *t, const struct response *resp, struct result *res)
{
	/* The state of the graph when it has ended; most keep what was said under `messages`. */
	static const struct judge_form form = {
		.wants = { { "messages|output|values|response|result|answer",
		    JUDGE_LIST | JUDGE_OBJECT | JUDGE_TEXT | JUDGE_FILLED } }
	};

	(void)judge_form(t, resp, &form, res);
}

const struct dialect dialect_langgraph = {
	.name = "langgraph",
	.build = langgraph_build,
	.judge = langgraph_judge,
	.stable = true,
	.variants = 2,
};

/* ---- Langflow ---- */

static int
langflow_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct buf path = BUF_INIT(2048);
	struct asking a;
	int err;

	buf_add_text(&path, "/api/v1/run/");
	ask_encode(&path, str_of(t->model), "");
	err = begin(&a, t, ctx, req, why, buf_text(&path));
	buf_clear(&path);
	if (err < 0)
		return err;
	ask_json(&req->body, "{'input_value':%s,'input_type':'chat','output_type':'chat'}",
	    ask_text(&a));
	ask_add_params(&a, false);
	return ask_end(&a);
}

static void
langflow_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form form = { .wants = {
						    { "outputs", JUDGE_LIST | JUDGE_FILLED } } };

	(void)judge_form(t, resp, &form, res);
}

const struct dialect dialect_langflow = {
	.name = "langflow",
	.build = langflow_build,
	.judge = langflow_judge,
	.stable = true,
	.variants = 2,
};

/* ---- Agent2Agent ---- */

static int
a2a_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct buf said = BUF_INIT(8192), id = BUF_INIT(64), message = BUF_INIT(64);
	struct asking a;
	int err = begin(&a, t, ctx, req, why, "");

	if (err == 0) {
		buf_addf(&said, "user: %s", ask_text(&a));
		request_add_uuid(&id, ctx, 0);
		request_add_uuid(&message, ctx, 1);
		ask_json(&req->body,
		    "{'jsonrpc':'2.0','id':%s,'method':'message/send','params':{'message':{"
		    "'kind':'message','role':'user','parts':[{'kind':'text','text':%s}],'messageId'"
		    ":%s},"
		    "'configuration':{'blocking':true}}}",
		    buf_text(&id), buf_text(&said), buf_text(&message));
		err = ask_end(&a);
	}
	buf_clear(&said);
	buf_clear(&id);
	buf_clear(&message);
	return err;
}

static void
a2a_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form form = { .wants = {
						    { "result", JUDGE_OBJECT | JUDGE_FILLED } } };

	(void)judge_form(t, resp, &form, res);
}

const struct dialect dialect_a2a_jsonrpc = {
	.name = "a2a_jsonrpc",
	.build = a2a_build,
	.judge = a2a_judge,
	.stable = false,
	.variants = 2,
};
