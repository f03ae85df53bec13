/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges an answer in the OpenAI dialect: what must be there for each shape of question, and where
 * else an error may stand. One pass over the body finds the places that matter.
 */
#include "workers/dialects/openai.h"

#include <string.h>

#include "shared/provider.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/realtime.h"
#include "workers/dialects/words.h"
#include "workers/dialects/words_lines.h"

#define MAX_PYTHON ((size_t)2048) /* of a body shown as Python shows it */

enum place {
	AT_ROOT,
	AT_ERROR,
	AT_ERROR_MESSAGE,
	AT_ERROR_TYPE,
	AT_ERROR_CODE,
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
	AT_TOP_MESSAGE,
	AT_DETAIL,
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
	[AT_ERROR_MESSAGE] = { AT_ERROR, "message" },
	[AT_ERROR_TYPE] = { AT_ERROR, "type" },
	[AT_ERROR_CODE] = { AT_ERROR, "code" },
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
	[AT_TOP_MESSAGE] = { AT_ROOT, "message" },
	[AT_DETAIL] = { AT_ROOT, "detail" },
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

static const char *
kind_name(const struct answer_value *v)
{
	static const char *const names[] = { [ANSWER_ABSENT] = "missing",
		[ANSWER_NULL] = "null",
		[ANSWER_BOOL] = "a boolean",
		[ANSWER_NUMBER] = "a number",
		[ANSWER_STRING] = "a string",
		[ANSWER_ARRAY] = "an array",
		[ANSWER_OBJECT] = "an object" };

	return names[v->kind];
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

	buf_addf(
	    &ours, "status 200, but `choices` is %s where a list was expected", kind_name(choices));
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

void
openai_bad_shape(const struct target *t, struct result *res, const char *where,
    const struct answer_value *v, const char *wanted)
{
	struct buf ours = BUF_INIT(256);

	buf_addf(
	    &ours, "status 200, but %s is %s where %s was expected", where, kind_name(v), wanted);
	words_shape(t, NULL, (struct str){ NULL, 0 }, buf_str(&ours), res);
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
		openai_bad_shape(t, res, "`choices[0]`", &v[AT_CHOICE], "an object");
	} else if (call->shape == SHAPE_TEXT && v[AT_CHOICE_TEXT].kind == ANSWER_STRING) {
		return true;
	} else if (v[AT_MESSAGE].kind != ANSWER_OBJECT) {
		if (call->shape == SHAPE_TEXT)
			openai_bad_shape(
			    t, res, "`choices[0].text`", &v[AT_CHOICE_TEXT], "a string");
		else
			openai_bad_shape(
			    t, res, "`choices[0].message`", &v[AT_MESSAGE], "an object");
	} else if (content->kind == ANSWER_NUMBER || content->kind == ANSWER_BOOL ||
		   content->kind == ANSWER_OBJECT) {
		openai_bad_shape(t, res, "`choices[0].message.content`", content, "a text");
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
		openai_bad_shape(t, res, "`data`", &v[AT_DATA], "a list");
	else if (v[AT_DATA].count == 0)
		words_shape(t, NULL, (struct str){ NULL, 0 },
		    STR("status 200, but `data` is an empty list"), res);
	else if (v[AT_DATUM].kind != ANSWER_OBJECT)
		openai_bad_shape(t, res, "`data[0]`", &v[AT_DATUM], "an object");
	else if (e->kind == ANSWER_STRING && e->raw.n > 0)
		return true;
	else if (e->kind != ANSWER_ARRAY)
		openai_bad_shape(t, res, "`data[0].embedding`", e, "a list of numbers");
	else if (e->count == 0)
		words_shape(t, NULL, (struct str){ NULL, 0 },
		    STR("status 200, but `data[0].embedding` is an empty list"), res);
	else if (v[AT_NUMBER].kind != ANSWER_NUMBER && v[AT_NUMBER].kind != ANSWER_ARRAY)
		openai_bad_shape(t, res, "`data[0].embedding[0]`", &v[AT_NUMBER], "a number");
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
		openai_bad_shape(t, res, "`output`", &v[AT_OUTPUT], "a list");
	else if (str_is(status, "failed") || str_is(status, "cancelled"))
		words_shape(t, NULL, (struct str){ NULL, 0 },
		    str_is(status, "failed")
			? STR("status 200, but the response's own status is failed")
			: STR("status 200, but the response's own status is cancelled"),
		    res);
	else if (v[AT_OUTPUT].count > 0 && v[AT_ITEM].kind != ANSWER_OBJECT)
		openai_bad_shape(t, res, "`output[0]`", &v[AT_ITEM], "an object");
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
		openai_bad_shape(t, res, "`data`", &v[AT_DATA], "a list");
		return false;
	case SHAPE_CHAT:
	case SHAPE_TEXT:
	case SHAPE_IMAGE_EDIT_CHAT:
		return judge_choices(t, call, v, res);
	default:
		return openai_shape(t, call, v[AT_ROOT].raw, res);
	}
}

/* What the error says, its escapes undone into `texts`. */
static void
read_error(
    const struct answer_value *v, struct str body, struct buf *texts, struct words_reply *reply)
{
	const struct answer_value *parts[] = { &v[AT_ERROR_MESSAGE], &v[AT_ERROR_TYPE],
		&v[AT_ERROR_CODE] };
	struct str *outs[] = { &reply->message, &reply->type, &reply->code };
	size_t from[3], to[3];

	*reply = (struct words_reply){ .searched = body };
	if (v[AT_ERROR].kind == ANSWER_STRING)
		parts[0] = &v[AT_ERROR];
	else if (v[AT_ERROR_MESSAGE].kind != ANSWER_STRING &&
		 v[AT_TOP_MESSAGE].kind == ANSWER_STRING)
		parts[0] = &v[AT_TOP_MESSAGE];
	else if (v[AT_ERROR_MESSAGE].kind != ANSWER_STRING && v[AT_DETAIL].kind == ANSWER_STRING)
		parts[0] = &v[AT_DETAIL];
	for (size_t i = 0; i < 3; i++) {
		from[i] = texts->len;
		if (parts[i]->kind == ANSWER_STRING)
			answer_text(texts, parts[i]->raw);
		else if (parts[i]->kind == ANSWER_NUMBER)
			buf_add_str(texts, parts[i]->raw);
		to[i] = texts->len;
	}
	for (size_t i = 0; i < 3; i++)
		*outs[i] = (struct str){ buf_text(texts) + from[i], to[i] - from[i] };
}

/* A model that refuses to paint what it was asked has read it: key, model and quota are good. */
static bool
is_refused_image(
    const struct provider_call *call, const struct response *resp, const struct result *res)
{
	if (call == NULL || resp->status != 400 ||
	    (call->mode != MODE_IMAGE_GENERATION && call->mode != MODE_IMAGE_EDIT))
		return false;
	return res->reason == REASON_CONTENT_POLICY ||
	       (resp->body.n > 0 &&
		   memmem(resp->body.p, resp->body.n, "moderation_blocked", 18) != NULL);
}

static void
judge_status(const struct target *t, const struct provider_call *call, const struct response *resp,
    struct result *res)
{
	struct buf texts = BUF_INIT((size_t)1 << 20), shown = BUF_INIT(MAX_PYTHON * 8);
	struct answer_value v[N_PLACES];
	struct words_reply reply = { .searched = resp->body };
	struct answer_fault fault;
	bool json = answer_read(resp->body, places, N_PLACES, v, &fault) == 0;
	bool sdk = call && call->client == CLIENT_SDK;

	if (json)
		read_error(v, resp->body, &texts, &reply);
	if (sdk && reply.message.n > 0 && v[AT_ERROR_MESSAGE].kind == ANSWER_STRING &&
	    call->shape != SHAPE_TEXT) {
		reply.shown = reply.message;
	} else if (sdk && (json || resp->body.n == 0)) {
		buf_addf(&shown, "Error code: %d", resp->status);
		if (resp->body.n > 0) {
			buf_add_text(&shown, " - ");
			answer_python(&shown, resp->body, MAX_PYTHON);
		}
		reply.shown = buf_str(&shown);
	} else {
		reply.shown = resp->body;
	}
	if (!json && reply.message.n == 0)
		reply.message = resp->body;
	words_status(t, resp->status, &reply, res);
	if (is_refused_image(call, resp, res)) {
		result_reset(res);
		res->healthy = true;
		res->reason = REASON_OK;
	}
	buf_clear(&texts);
	buf_clear(&shown);
}

static void
judge_redirect(const struct target *t, const struct response *resp, struct result *res)
{
	struct buf ours = BUF_INIT(1024);
	struct str to = resp->header ? resp->header(resp, "location") : (struct str){ NULL, 0 };

	buf_addf(&ours, "the provider answered with status %d, a redirect", resp->status);
	if (to.n > 0)
		buf_addf(&ours, " to %.*s", (int)(to.n < 512 ? to.n : 512), to.p);
	buf_add_text(&ours, "; redirects are not followed, because the key would go along");
	words_shape(t, NULL, (struct str){ NULL, 0 }, buf_str(&ours), res);
	res->exception_status = resp->status;
	buf_clear(&ours);
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
	if (resp->status >= 300 && resp->status < 400) {
		judge_redirect(t, resp, res);
		return;
	}
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
		res->healthy = true;
		res->reason = REASON_OK;
		return;
	}
	if (answer_read(resp->body, places, N_PLACES, v, &fault) < 0) {
		words_not_json(t, call ? call->client : CLIENT_SDK, resp->body, &fault, res);
		return;
	}
	if (v[AT_ROOT].kind != ANSWER_OBJECT) {
		openai_bad_shape(t, res, "the answer", &v[AT_ROOT], "an object");
		return;
	}
	if (v[AT_ERROR].kind != ANSWER_ABSENT && v[AT_ERROR].kind != ANSWER_NULL) {
		struct buf texts = BUF_INIT((size_t)1 << 20);
		struct words_reply reply;

		read_error(v, resp->body, &texts, &reply);
		reply.shown = resp->body;
		words_error_body(t, &reply, res);
		buf_clear(&texts);
		return;
	}
	if (call == NULL || !provider_call_supported(provider_call(t->provider, t->mode))) {
		words_config(
		    t, reason_status(REASON_CONFIG), NULL, STR("this mode was never asked"), res);
		return;
	}
	if (!judge_shape(t, call, v, res))
		return;
	res->healthy = true;
	res->reason = REASON_OK;
	res->exception_status = 0;
	res->tokens_in = answer_count(&v[AT_PROMPT_TOKENS]);
	res->tokens_out = answer_count(&v[AT_COMPLETION_TOKENS]);
	if (res->tokens_in == 0 && res->tokens_out == 0) {
		res->tokens_in = answer_count(&v[AT_INPUT_TOKENS]);
		res->tokens_out = answer_count(&v[AT_OUTPUT_TOKENS]);
	}
	if (res->tokens_in == 0 && res->tokens_out == 0)
		res->tokens_in = answer_count(&v[AT_TOTAL_TOKENS]);
}
