/* SPDX-License-Identifier: Apache-2.0 */
/* Ollama: /api/generate and /api/embed; /api/chat is a dialect of its own in the table. */
#include <string.h>

#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/frame.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/judge.h"
#include "workers/dialects/openai.h"

/* LiteLLM's client says no more of its JSON, and so do the requests that a gateway sees. */
#define TYPE STR("application/octet-stream")

/* Members of the request; all others that a config has are options of the model. */
static bool
is_member(struct str name)
{
	static const char *const members[] = { "model", "prompt", "messages", "suffix", "images",
		"format", "system", "template", "stream", "raw", "keep_alive", "context", "think",
		"tools", "options" };

	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		if (str_is(name, members[i]))
			return true;
	return false;
}

static void
add_config(struct buf *b, const struct target *t, bool members)
{
	struct str key, value;
	size_t at = 0;

	while (*t->extra_body && answer_member(str_of(t->extra_body), &at, &key, &value)) {
		if (is_member(key) != members)
			continue;
		json_add_comma(b);
		buf_add_char(b, '"');
		buf_add_str(b, key);
		buf_add(b, "\":", 2);
		buf_add_str(b, value);
	}
}

/* Options, and that the answer comes in one piece. */
static void
add_rest(struct buf *b, const struct target *t)
{
	if (body_member(b, t, "options")) {
		buf_add_char(b, '{');
		if (t->max_tokens >= 0 && body_member(b, t, "num_predict"))
			buf_add_int(b, t->max_tokens);
		add_config(b, t, false);
		buf_add_char(b, '}');
	}
	if (body_member(b, t, "stream"))
		buf_add_text(b, "false");
}

static void
add_prompt(struct buf *b, const struct target *t, const struct build_context *ctx)
{
	struct buf prompt = BUF_INIT((size_t)64 << 10);

	/* LiteLLM puts a chat into words; a completion is asked as it is. */
	if (t->mode == MODE_COMPLETION)
		buf_add_text(&prompt, frame_text(t, ctx));
	else
		buf_addf(&prompt, "### User:\n%s\n\n", frame_text(t, ctx));
	body_text(b, t, "prompt", buf_str(&prompt));
	buf_clear(&prompt);
}

static void
add_embed(struct buf *b, const struct target *t)
{
	buf_add_char(b, '{');
	body_text(b, t, "model", str_of(t->model));
	if (body_member(b, t, "input")) {
		buf_add_char(b, '[');
		json_add_string(b, str_of(body_prompt(t)));
		buf_add_char(b, ']');
	}
	body_add_config(b, t);
	buf_add_char(b, '}');
}

static int
generate_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct provider_call call;
	struct buf *b = &req->body;
	bool embeds;
	int err;

	if ((err = frame_call(t, &call, why)) < 0 || (err = frame_url(t, &call, req, why)) < 0)
		return err;
	embeds = call.shape == SHAPE_EMBEDDING;
	err = headers_add(t, &call, embeds ? STR("application/json") : TYPE, req, why);
	if (err < 0)
		return err;
	if (embeds) {
		add_embed(b, t);
		return frame_end(t, req, why);
	}
	buf_add_char(b, '{');
	body_text(b, t, "model", str_of(t->model));
	add_prompt(b, t, ctx);
	add_rest(b, t);
	if (t->mode != MODE_COMPLETION && body_member(b, t, "images"))
		buf_add_text(b, "[]");
	add_config(b, t, true);
	buf_add_char(b, '}');
	return frame_end(t, req, why);
}

/* What has been pulled. */
static int
ollama_list(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct provider_call call;
	int err;

	(void)ctx;
	if ((err = frame_call(t, &call, why)) < 0)
		return err;
	return frame_list(t, &call, "/api/tags", req, why);
}

static void
generate_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form answer = { { { "response", JUDGE_TEXT, NULL, NULL } },
		"prompt_eval_count", "eval_count" };
	static const struct judge_form vector = {
		{ { "embeddings", JUDGE_LIST | JUDGE_FILLED, NULL, NULL },
		    { "embeddings[]", JUDGE_LIST | JUDGE_FILLED, NULL, NULL },
		    { "embeddings[][]", JUDGE_NUMBER, NULL, NULL } },
		"prompt_eval_count", NULL
	};

	judge_forms(t, provider_call(t->provider, t->mode), resp,
	    t->mode == MODE_EMBEDDING ? &vector : &answer, 1, res);
}

const struct dialect dialect_ollama_generate = {
	.name = "ollama_generate",
	.build = generate_build,
	.judge = generate_judge,
	.list = ollama_list,
	.listed = openai_listed,
	.stable = true,
	.variants = BODY_GREETINGS,
};

/* ---- /api/chat ---- */

static int
chat_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct provider_call call;
	struct buf *b = &req->body;
	int err;

	if ((err = frame_call(t, &call, why)) < 0 || (err = frame_url(t, &call, req, why)) < 0 ||
	    (err = headers_add(t, &call, TYPE, req, why)) < 0)
		return err;
	buf_add_char(b, '{');
	body_text(b, t, "model", str_of(t->model));
	if (body_member(b, t, "messages")) {
		buf_add_text(b, "[{\"role\":\"user\",\"content\":");
		json_add_string(b, str_of(frame_text(t, ctx)));
		buf_add_text(b, ",\"images\":[]}]");
	}
	add_rest(b, t);
	add_config(b, t, true);
	buf_add_char(b, '}');
	return frame_end(t, req, why);
}

static void
chat_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form form = {
		{ { "message", JUDGE_OBJECT,
		      "litellm.types.utils.Message() argument after ** must be a mapping, not "
		      "NoneType",
		      NULL },
		    { "message.content", JUDGE_TEXT, NULL, NULL } },
		"prompt_eval_count", "eval_count"
	};

	judge_forms(t, provider_call(t->provider, t->mode), resp, &form, 1, res);
}

const struct dialect dialect_ollama_chat = {
	.name = "ollama_chat",
	.build = chat_build,
	.judge = chat_judge,
	.list = ollama_list,
	.listed = openai_listed,
	.stable = true,
	.variants = BODY_GREETINGS,
};
