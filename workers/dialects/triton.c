/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Triton's inference server: the api_base names the model and how it is asked, by its last word:
 * `generate` takes a text, `infer` tensors. A key is not sent.
 */
#include <string.h>

#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/judge.h"

/* LiteLLM lets a model that nobody limits write 2,000 tokens. */
#define FEW_TOKENS 16

static const struct body_name names[] = { { "seed", "random_seed" }, { "stop", "stop_words" },
	{ "max_tokens", NULL } };

static bool
base_ends(const struct target *t, const char *tail)
{
	size_t n = strcspn(t->api_base, "?"), m = strlen(tail);

	return n >= m && memcmp(t->api_base + n - m, tail, m) == 0;
}

static int64_t
tokens(const struct target *t)
{
	return t->max_tokens >= 0 ? t->max_tokens : FEW_TOKENS;
}

/* One tensor of one text. */
static void
add_text_tensor(struct buf *b, const char *name, const char *text)
{
	buf_addf(b, "{\"name\":\"%s\",\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[", name);
	json_add_string(b, str_of(text));
	buf_add_text(b, "]}");
}

static void
add_generate(struct buf *b, const struct target *t, const char *text)
{
	body_text(b, t, "text_input", str_of(text));
	if (body_member(b, t, "parameters")) {
		buf_add_text(b, "{\"max_tokens\":");
		buf_add_int(b, tokens(t));
		body_add_renamed(b, t, names, ARRAY_LEN(names));
		buf_add_char(b, '}');
	}
	if (body_member(b, t, "stream"))
		buf_add_text(b, "false");
}

static int
triton_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct asking a;
	struct buf *b = &req->body;
	bool embeds = t->mode == MODE_EMBEDDING, infers = base_ends(t, "/infer");
	int err = ask_begin(&a, t, ctx, req, why);

	if (err < 0)
		return err;
	if (!embeds && !infers && !base_ends(t, "/generate"))
		return ask_refuse(&a,
		    "api_base of triton names the model's own route: it ends in /generate or "
		    "/infer");
	if ((err = ask_url(&a, NULL)) < 0 ||
	    (err = ask_headers(&a, ASK_KEY, STR("application/json"))) < 0)
		return err;
	buf_add_char(b, '{');
	if (!embeds && !infers) {
		add_generate(b, t, ask_text(&a));
	} else if (body_member(b, t, "inputs")) {
		buf_add_char(b, '[');
		add_text_tensor(b, embeds ? "input_text" : "text_input", ask_text(&a));
		if (!embeds) {
			buf_add_text(b, ",{\"name\":\"max_tokens\",\"shape\":[1],\"datatype\":"
					"\"INT32\",\"data\":[");
			buf_add_int(b, tokens(t));
			buf_add_text(b, "]}");
		}
		buf_add_char(b, ']');
	}
	/* Tensors are those that the model has: a config cannot know them. */
	buf_add_char(b, '}');
	return ask_end(&a);
}

static const struct judge_form text = {
	.wants = { { "text_output", JUDGE_TEXT } },
	.theirs = "APIConnectionError: 'text_output'",
};
static const struct judge_form vector = { .wants = { { "outputs", JUDGE_LIST | JUDGE_FILLED },
					      { "outputs[0].data", JUDGE_LIST | JUDGE_FILLED },
					      { "outputs[0].data[0]", JUDGE_NUMBER } } };
static const struct judge_form tensor = { .wants = { { "outputs", JUDGE_LIST | JUDGE_FILLED },
					      { "outputs[0].data", JUDGE_LIST | JUDGE_FILLED },
					      { "outputs[0].data[0]", JUDGE_TEXT } } };

static void
triton_judge(const struct target *t, const struct response *resp, struct result *res)
{
	const struct judge_form *form = t->mode == MODE_EMBEDDING ? &vector
					: base_ends(t, "/infer")  ? &tensor
								  : &text;

	(void)judge_form(t, resp, form, res);
}

const struct dialect dialect_triton = {
	.name = "triton",
	.build = triton_build,
	.judge = triton_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
