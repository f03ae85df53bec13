/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Triton's inference server: the api_base names the model and how it is asked, by its last word:
 * `generate` takes a text, `infer` tensors. A key is not sent.
 */
#include <string.h>

#include "shared/json.h"
#include "workers/dialects/body.h"
#include "workers/dialects/frame.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/judge.h"

/* LiteLLM lets a model that nobody limits write 2,000 tokens. */
#define FEW_TOKENS 16

static const struct frame_name names[] = { { "seed", "random_seed" }, { "stop", "stop_words" },
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
		frame_add_config(b, t, names, ARRAY_LEN(names));
		buf_add_char(b, '}');
	}
	if (body_member(b, t, "stream"))
		buf_add_text(b, "false");
}

static int
triton_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	struct provider_call call;
	struct buf *b = &req->body;
	bool embeds = t->mode == MODE_EMBEDDING, infers = base_ends(t, "/infer");
	int err;

	if (!embeds && !infers && !base_ends(t, "/generate"))
		return headers_refuse(t, why,
		    "api_base of triton names the model's own route: it ends in /generate or "
		    "/infer");
	if ((err = frame_json(t, &call, req, why)) < 0)
		return err;
	buf_add_char(b, '{');
	if (!embeds && !infers) {
		add_generate(b, t, frame_text(t, ctx));
	} else if (body_member(b, t, "inputs")) {
		buf_add_char(b, '[');
		add_text_tensor(b, embeds ? "input_text" : "text_input", frame_text(t, ctx));
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
	return frame_end(t, req, why);
}

static const struct judge_form text = { { { "text_output", JUDGE_TEXT, "'text_output'", NULL } },
	NULL, NULL };
static const struct judge_form vector = {
	{ { "outputs", JUDGE_LIST | JUDGE_FILLED, NULL, NULL },
	    { "outputs[].data", JUDGE_LIST | JUDGE_FILLED, NULL, NULL },
	    { "outputs[].data[]", JUDGE_NUMBER, NULL, NULL } },
	NULL, NULL
};
static const struct judge_form tensor = {
	{ { "outputs", JUDGE_LIST | JUDGE_FILLED, NULL, NULL },
	    { "outputs[].data", JUDGE_LIST | JUDGE_FILLED, NULL, NULL },
	    { "outputs[].data[]", JUDGE_TEXT, NULL, NULL } },
	NULL, NULL
};

static void
triton_judge(const struct target *t, const struct response *resp, struct result *res)
{
	const struct judge_form *form = t->mode == MODE_EMBEDDING ? &vector
					: base_ends(t, "/infer")  ? &tensor
								  : &text;

	judge_forms(t, provider_call(t->provider, t->mode), resp, form, 1, res);
}

const struct dialect dialect_triton = {
	.name = "triton",
	.build = triton_build,
	.judge = triton_judge,
	.stable = true,
	.variants = BODY_GREETINGS,
};
