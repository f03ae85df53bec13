/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges an answer in the OpenAI dialect: what must be there for each shape of question, and where
 * else an error may stand. One pass over the body finds the places that matter.
 */
#include "workers/dialects/openai.h"

#include <string.h>

#include "shared/provider.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/judge.h"
#include "workers/dialects/realtime.h"
#include "workers/dialects/words.h"
#include "workers/dialects/words_lines.h"

enum place {
	AT_ROOT,
	AT_ERROR,
	AT_CHOICES,
	AT_CHOICE,
	AT_CHOICE_TEXT,
	AT_MESSAGE,
	AT_CONTENT,
	AT_DATA,
	AT_DATUM,
	AT_EMBEDDING,
	AT_NUMBER,
	AT_USAGE,
	AT_PROMPT_TOKENS,
	AT_COMPLETION_TOKENS,
	AT_TOTAL_TOKENS,
	AT_OUTPUT,
	AT_ITEM,
	AT_STATUS,
	AT_INPUT_TOKENS,
	AT_OUTPUT_TOKENS,
	N_PLACES
};

static const struct answer_place places[N_PLACES] = {
	[AT_ROOT] = { -1, NULL },
	[AT_ERROR] = { AT_ROOT, "error" },
	[AT_CHOICES] = { AT_ROOT, "choices" },
	[AT_CHOICE] = { AT_CHOICES, "[]" },
	[AT_CHOICE_TEXT] = { AT_CHOICE, "text" },
	[AT_MESSAGE] = { AT_CHOICE, "message" },
	[AT_CONTENT] = { AT_MESSAGE, "content" },
	[AT_DATA] = { AT_ROOT, "data" },
	[AT_DATUM] = { AT_DATA, "[]" },
	[AT_EMBEDDING] = { AT_DATUM, "embedding" },
	[AT_NUMBER] = { AT_EMBEDDING, "[]" },
	[AT_USAGE] = { AT_ROOT, "usage" },
	[AT_PROMPT_TOKENS] = { AT_USAGE, "prompt_tokens" },
	[AT_COMPLETION_TOKENS] = { AT_USAGE, "completion_tokens" },
	[AT_TOTAL_TOKENS] = { AT_USAGE, "total_tokens" },
	[AT_OUTPUT] = { AT_ROOT, "output" },
	[AT_ITEM] = { AT_OUTPUT, "[]" },
	[AT_STATUS] = { AT_ROOT, "status" },
	[AT_INPUT_TOKENS] = { AT_USAGE, "input_tokens" },
	[AT_OUTPUT_TOKENS] = { AT_USAGE, "output_tokens" },
};

static const char *
python_type(const struct answer_value *v)
{
	switch (v->kind) {
	case ANSWER_ABSENT:
	case ANSWER_NULL:
		break;
	case ANSWER_BOOL:
		return "bool";
	case ANSWER_NUMBER:
		return memchr(v->raw.p, '.', v->raw.n) || memchr(v->raw.p, 'e', v->raw.n) ||
			       memchr(v->raw.p, 'E', v->raw.n)
			   ? "float"
			   : "int";
	case ANSWER_STRING:
		return "str";
	case ANSWER_ARRAY:
		return "list";
	case ANSWER_OBJECT:
		return "dict";
	}
	return "NoneType";
}

/* The members that OpenAI's client gives every answer, there or not; then those that it does not
 * know. */
static void
add_raw_keys(struct buf *b, struct str object, bool sdk)
{
	static const char *const known[] = { "id", "choices", "created", "model", "object",
		"moderation", "service_tier", "system_fingerprint", "usage" };
	const char *comma = "";
	struct str key, value;
	size_t at = 0;

	buf_add_char(b, '[');
	for (size_t i = 0; sdk && i < ARRAY_LEN(known); i++) {
		buf_addf(b, "%s'%s'", comma, known[i]);
		comma = ", ";
	}
	while (b->len < 1024 && answer_member(object, &at, &key, &value)) {
		bool listed = false;

		for (size_t i = 0; sdk && i < ARRAY_LEN(known); i++)
			listed = listed || str_is(key, known[i]);
		if (listed)
			continue;
		buf_addf(b, "%s'%.*s'", comma, (int)(key.n < 64 ? key.n : 64), key.p);
		comma = ", ";
	}
	buf_add_char(b, ']');
}

static void
bad_choices(const struct target *t, const struct provider_call *call, const struct answer_value *v,
    struct result *res)
{
	struct buf theirs = BUF_INIT(2048), ours = BUF_INIT(256);
	const struct answer_value *choices = &v[AT_CHOICES];
	bool sdk = call->client == CLIENT_SDK;
	/* OpenAI's own client has its errors named twice, Azure's has not. */
	bool wraps = sdk && words_own_of(t->provider) == NULL;

	buf_addf(&ours, "status 200, but `choices` is %s where a list was expected",
	    answer_kind_name(choices));
	if (wraps)
		buf_add_text(&theirs, "litellm.APIError: ");
	if (!sdk && choices->kind == ANSWER_ABSENT)
		buf_add_text(
		    &theirs, "LiteLLM: provider returned a response with no 'choices'. Raw keys: ");
	else
		buf_addf(&theirs,
		    "LiteLLM: provider returned 'choices' that is not a list (%s). Raw keys: ",
		    python_type(choices));
	add_raw_keys(&theirs, v[AT_ROOT].raw, sdk);
	words_shape(t, wraps ? NULL : "APIError", buf_str(&theirs), buf_str(&ours), res);
	buf_clear(&theirs);
	buf_clear(&ours);
}

static bool
judge_choices(const struct target *t, const struct provider_call *call,
    const struct answer_value *v, struct result *res)
{
	const struct answer_value *content = &v[AT_CONTENT];

	if (v[AT_CHOICES].kind != ANSWER_ARRAY) {
		bad_choices(t, call, v, res);
	} else if (v[AT_CHOICES].count == 0) {
		words_shape(t, NULL, (struct str){ NULL, 0 },
		    STR("status 200, but `choices` is an empty list"), res);
	} else if (v[AT_CHOICE].kind != ANSWER_OBJECT) {
		judge_bad_shape(t, res, "`choices[0]`", &v[AT_CHOICE], "an object");
	} else if (call->shape == SHAPE_TEXT && v[AT_CHOICE_TEXT].kind == ANSWER_STRING) {
		return true;
	} else if (v[AT_MESSAGE].kind != ANSWER_OBJECT) {
		if (call->shape == SHAPE_TEXT)
			judge_bad_shape(
			    t, res, "`choices[0].text`", &v[AT_CHOICE_TEXT], "a string");
		else
			judge_bad_shape(
			    t, res, "`choices[0].message`", &v[AT_MESSAGE], "an object");
	} else if (content->kind == ANSWER_NUMBER || content->kind == ANSWER_BOOL ||
		   content->kind == ANSWER_OBJECT) {
		judge_bad_shape(t, res, "`choices[0].message.content`", content, "a text");
	} else {
		return true;
	}
	return false;
}

static bool
judge_embedding(const struct target *t, const struct answer_value *v, struct result *res)
{
	const struct answer_value *e = &v[AT_EMBEDDING];

	if (v[AT_DATA].kind != ANSWER_ARRAY)
		judge_bad_shape(t, res, "`data`", &v[AT_DATA], "a list");
	else if (v[AT_DATA].count == 0)
		words_shape(t, NULL, (struct str){ NULL, 0 },
		    STR("status 200, but `data` is an empty list"), res);
	else if (v[AT_DATUM].kind != ANSWER_OBJECT)
		judge_bad_shape(t, res, "`data[0]`", &v[AT_DATUM], "an object");
	else if (e->kind == ANSWER_STRING && e->raw.n > 0)
		return true;
	else if (e->kind != ANSWER_ARRAY)
		judge_bad_shape(t, res, "`data[0].embedding`", e, "a list of numbers");
	else if (e->count == 0)
		words_shape(t, NULL, (struct str){ NULL, 0 },
		    STR("status 200, but `data[0].embedding` is an empty list"), res);
	else if (v[AT_NUMBER].kind != ANSWER_NUMBER && v[AT_NUMBER].kind != ANSWER_ARRAY)
		judge_bad_shape(t, res, "`data[0].embedding[0]`", &v[AT_NUMBER], "a number");
	else
		return true;
	return false;
}

/* `incomplete` is what a limit of 16 tokens makes of a healthy model. */
static bool
judge_responses(const struct target *t, const struct answer_value *v, struct result *res)
{
	struct str status =
	    v[AT_STATUS].kind == ANSWER_STRING ? v[AT_STATUS].raw : (struct str){ NULL, 0 };

	if (v[AT_OUTPUT].kind != ANSWER_ARRAY)
		judge_bad_shape(t, res, "`output`", &v[AT_OUTPUT], "a list");
	else if (str_is(status, "failed") || str_is(status, "cancelled"))
		words_shape(t, NULL, (struct str){ NULL, 0 },
		    str_is(status, "failed")
			? STR("status 200, but the response's own status is failed")
			: STR("status 200, but the response's own status is cancelled"),
		    res);
	else if (v[AT_OUTPUT].count > 0 && v[AT_ITEM].kind != ANSWER_OBJECT)
		judge_bad_shape(t, res, "`output[0]`", &v[AT_ITEM], "an object");
	else if (v[AT_OUTPUT].count == 0 && !str_is(status, "incomplete"))
		words_shape(t, NULL, (struct str){ NULL, 0 },
		    STR("status 200, but `output` is an empty list"), res);
	else
		return true;
	return false;
}

static bool
judge_shape(const struct target *t, const struct provider_call *call, const struct answer_value *v,
    struct result *res)
{
	switch (call->shape) {
	case SHAPE_EMBEDDING:
	case SHAPE_EMBEDDING_TEXT:
		return judge_embedding(t, v, res);
	case SHAPE_RESPONSES:
		return judge_responses(t, v, res);
	case SHAPE_BATCHES:
		if (v[AT_DATA].kind == ANSWER_ARRAY)
			return true;
		judge_bad_shape(t, res, "`data`", &v[AT_DATA], "a list");
		return false;
	case SHAPE_CHAT:
	case SHAPE_TEXT:
	case SHAPE_IMAGE_EDIT_CHAT:
		return judge_choices(t, call, v, res);
	default:
		return openai_shape(t, call, v[AT_ROOT].raw, res);
	}
}

void
openai_judge(const struct target *t, const struct response *resp, struct result *res)
{
	openai_judge_as(t, provider_call(t->provider, t->mode), resp, res);
}

void
openai_judge_as(const struct target *t, const struct provider_call *call,
    const struct response *resp, struct result *res)
{
	struct answer_value v[N_PLACES];
	struct answer_fault fault;

	result_reset(res);
	if (call && call->shape == SHAPE_REALTIME &&
	    (resp->status == 101 || (resp->status >= 200 && resp->status < 300))) {
		realtime_judge(t, resp, res);
		return;
	}
	if (resp->status < 200 || resp->status >= 300) {
		judge_status(t, call, resp, res);
		return;
	}
	if (call && openai_is_sound(call, resp)) {
		judge_healthy(res);
		return;
	}
	if (answer_read(resp->body, places, N_PLACES, v, &fault) < 0) {
		words_not_json(t, call ? call->client : CLIENT_SDK, resp->body, &fault, res);
		return;
	}
	if (v[AT_ROOT].kind != ANSWER_OBJECT) {
		judge_bad_shape(t, res, "the answer", &v[AT_ROOT], "an object");
		return;
	}
	if (v[AT_ERROR].kind != ANSWER_ABSENT && v[AT_ERROR].kind != ANSWER_NULL) {
		judge_error(t, resp, res);
		return;
	}
	if (call == NULL || !provider_call_supported(provider_call(t->provider, t->mode))) {
		words_config(
		    t, reason_status(REASON_CONFIG), NULL, STR("this mode was never asked"), res);
		return;
	}
	if (!judge_shape(t, call, v, res))
		return;
	judge_healthy(res);
	res->tokens_in = answer_count(&v[AT_PROMPT_TOKENS]);
	res->tokens_out = answer_count(&v[AT_COMPLETION_TOKENS]);
	if (res->tokens_in == 0 && res->tokens_out == 0) {
		res->tokens_in = answer_count(&v[AT_INPUT_TOKENS]);
		res->tokens_out = answer_count(&v[AT_OUTPUT_TOKENS]);
	}
	if (res->tokens_in == 0 && res->tokens_out == 0)
		res->tokens_in = answer_count(&v[AT_TOTAL_TOKENS]);
}
