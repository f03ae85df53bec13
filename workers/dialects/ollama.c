/* SPDX-License-Identifier: Apache-2.0 */
/* Ollama: /api/generate and /api/embed; /api/chat is a dialect of its own in the table. */
#include <string.h>

#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/ask.h"
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
add_prompt(struct asking *a)
{
	struct buf prompt = BUF_INIT((size_t)64 << 10);

	/* LiteLLM puts a chat into words; a completion is asked as it is. */
	if (a->t->mode == MODE_COMPLETION)
		buf_add_text(&prompt, ask_text(a));
	else
		buf_addf(&prompt, "### User:\n%s\n\n", ask_text(a));
	body_text(&a->req->body, a->t, "prompt", buf_str(&prompt));
	buf_clear(&prompt);
}

static void
add_embed(struct buf *b, const struct target *t)
{
	buf_add_char(b, '{');
	body_text(b, t, "model", str_of(t->model));
	body_list(b, t, "input", str_of(body_prompt(t)));
	body_add_config(b, t);
	buf_add_char(b, '}');
}

static int
generate_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	bool embeds = t->mode == MODE_EMBEDDING;
	struct buf *b = &req->body;
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0 || (err = ask_url(&a, NULL)) < 0 ||
	    (err = ask_headers(&a, ASK_KEY, embeds ? STR("application/json") : TYPE)) < 0)
		return err;
	if (embeds) {
		add_embed(b, t);
		return ask_end(&a);
	}
	buf_add_char(b, '{');
	body_text(b, t, "model", str_of(t->model));
	add_prompt(&a);
	add_rest(b, t);
	if (t->mode != MODE_COMPLETION && body_member(b, t, "images"))
		buf_add_text(b, "[]");
	add_config(b, t, true);
	buf_add_char(b, '}');
	return ask_end(&a);
}

/* What has been pulled. */
static int
ollama_list(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	return err < 0 ? err : ask_get(&a, NULL, JOIN_STRIP, "/api/tags");
}

static void
generate_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form answer = {
		.wants = { { "response", JUDGE_TEXT } },
		.tokens_in = "prompt_eval_count",
		.tokens_out = "eval_count",
	};
	static const struct judge_form vector = {
		.wants = { { "embeddings", JUDGE_LIST | JUDGE_FILLED },
		    { "embeddings[0]", JUDGE_LIST | JUDGE_FILLED },
		    { "embeddings[0][0]", JUDGE_NUMBER } },
		.tokens_in = "prompt_eval_count",
	};

	(void)judge_form(t, resp, t->mode == MODE_EMBEDDING ? &vector : &answer, res);
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
	struct buf *b = &req->body;
	struct asking a;
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0 || (err = ask_url(&a, NULL)) < 0 || (err = ask_headers(&a, ASK_KEY, TYPE)) < 0)
		return err;
	buf_add_char(b, '{');
	body_text(b, t, "model", str_of(t->model));
	if (body_member(b, t, "messages")) {
		buf_add_text(b, "[{\"role\":\"user\",\"content\":");
		json_add_string(b, str_of(ask_text(&a)));
		buf_add_text(b, ",\"images\":[]}]");
	}
	add_rest(b, t);
	add_config(b, t, true);
	buf_add_char(b, '}');
	return ask_end(&a);
}

static void
chat_judge(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form form = {
		.wants = { { "message", JUDGE_OBJECT }, { "message.content", JUDGE_TEXT } },
		.tokens_in = "prompt_eval_count",
		.tokens_out = "eval_count",
		.theirs = "APIConnectionError: litellm.types.utils.Message() argument after ** "
			  "must be a mapping, not "
			  "NoneType",
	};

	(void)judge_form(t, resp, &form, res);
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
