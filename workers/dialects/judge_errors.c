/* SPDX-License-Identifier: Apache-2.0 */
/* An answer that is an error: where each provider says what went wrong, and what it is called. */
#include "workers/dialects/judge.h"

#include <string.h>

#include "workers/dialects/judge_internal.h"
#include "workers/dialects/words.h"

#define MAX_PYTHON ((size_t)2048)   /* of a body shown as Python shows it */
#define MAX_TEXTS ((size_t)1 << 20) /* of what an error says */
#define NO_TEXT ((struct str){ NULL, 0 })

/* Where providers say what went wrong: of each list the first place that holds something counts. */
static const char *const message_paths[] = { "error.message", "[0].error.message",
	"response.error.message", "error", "message", "Message", "detail", "detail[0].msg",
	"errors[0].message", "errors[0]", "error_description", "errorMessage", "OriginalMessage",
	"failure", "__error__.message" };
static const char *const code_paths[] = { "error.code", "[0].error.code", "response.error.code",
	"code", "error_code", "errors[0].code", "errorCode", "failureCode" };
static const char *const type_paths[] = { "error.type", "error.status", "[0].error.status",
	"__type", "name", "__error__.error" };
/* Members of a success that make it none. */
static const char *const error_paths[] = { "error", "errors[0]", "__error__", "errorMessage",
	"response.error" };

/* What the name of an error says where its status says less. */
static const struct {
	const char *part;
	enum reason reason;
} named[] = {
	{ "ExpiredToken", REASON_AUTH },
	{ "UnrecognizedClient", REASON_AUTH },
	{ "InvalidSignature", REASON_AUTH },
	{ "IncompleteSignature", REASON_AUTH },
	{ "InvalidClientToken", REASON_AUTH },
	{ "MissingAuthenticationToken", REASON_AUTH },
	{ "NotAuthenticated", REASON_AUTH },
	{ "UNAUTHENTICATED", REASON_AUTH },
	{ "AccessDenied", REASON_PERMISSION },
	{ "PERMISSION_DENIED", REASON_PERMISSION },
	{ "ServiceQuotaExceeded", REASON_QUOTA },
	{ "Throttling", REASON_RATE_LIMITED },
	{ "TooManyRequests", REASON_RATE_LIMITED },
	{ "RESOURCE_EXHAUSTED", REASON_RATE_LIMITED },
	{ "ResourceNotFound", REASON_NOT_FOUND },
	{ "ModelTimeout", REASON_TIMEOUT },
};

static void
add_all(struct places *p, const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		places_add(p, paths[i]);
}

/* They are the same for all: made once. */
void
judge_errors_init(struct places *p)
{
	static struct places errors;

	if (errors.n == 0) {
		places_init(&errors);
		add_all(&errors, message_paths, ARRAY_LEN(message_paths));
		add_all(&errors, code_paths, ARRAY_LEN(code_paths));
		add_all(&errors, type_paths, ARRAY_LEN(type_paths));
		add_all(&errors, error_paths, ARRAY_LEN(error_paths));
	}
	places_init_from(p, &errors);
}

static void
add_first(struct places *p, const char *const *paths, size_t n, struct buf *texts)
{
	size_t from = texts->len;

	for (size_t i = 0; i < n && texts->len == from; i++) {
		const struct answer_value *v = places_at(p, paths[i]);

		if (v->kind == ANSWER_STRING)
			answer_text(texts, v->raw);
		else if (v->kind == ANSWER_NUMBER)
			buf_add_str(texts, v->raw);
	}
}

/* What the error says; the texts are kept in `texts`, which then stays as it is. */
static void
read_error(
    struct places *p, const struct response *resp, struct buf *texts, struct words_reply *reply)
{
	struct str type = resp->header ? resp->header(resp, "x-amzn-errortype") : STR("");
	size_t code, name;
	const char *text;

	*reply = (struct words_reply){ .shown = resp->body, .searched = resp->body };
	add_first(p, message_paths, ARRAY_LEN(message_paths), texts);
	code = texts->len;
	add_first(p, code_paths, ARRAY_LEN(code_paths), texts);
	name = texts->len;
	if (type.n == 0)
		add_first(p, type_paths, ARRAY_LEN(type_paths), texts);
	text = buf_text(texts);
	reply->message = (struct str){ text, code };
	reply->code = (struct str){ text + code, name - code };
	reply->type = type.n > 0 ? type : (struct str){ text + name, texts->len - name };
}

static bool
names(struct str text, const char *part)
{
	size_t n = strlen(part);

	return text.n >= n && memmem(text.p, text.n, part, n) != NULL;
}

/* The name of the error decides where the status is one of several. */
static void
sharpen(int status, const struct words_reply *reply, struct result *res)
{
	if (res->reason != REASON_PERMISSION && res->reason != REASON_BAD_REQUEST &&
	    res->reason != REASON_SERVER_ERROR && res->reason != REASON_BAD_RESPONSE)
		return;
	for (size_t i = 0; i < ARRAY_LEN(named); i++) {
		if (!names(reply->type, named[i].part) && !names(reply->code, named[i].part))
			continue;
		res->reason = named[i].reason;
		if (status < 300)
			res->exception_status = reason_status(res->reason);
		return;
	}
}

static void
judge_redirect(const struct target *t, const struct response *resp, struct result *res)
{
	struct buf ours = BUF_INIT(1024);
	struct str to = resp->header ? resp->header(resp, "location") : NO_TEXT;

	buf_addf(&ours, "the provider answered with status %d, a redirect", resp->status);
	if (to.n > 0)
		buf_addf(&ours, " to %.*s", (int)(to.n < 512 ? to.n : 512), to.p);
	buf_add_text(&ours, "; redirects are not followed, because the key would go along");
	words_shape(t, NULL, NO_TEXT, buf_str(&ours), res);
	res->exception_status = resp->status;
	buf_clear(&ours);
}

/* A model that refuses to paint what it was asked has read it: key, model and quota are good. */
static bool
is_refused_image(const struct target *t, const struct response *resp, const struct result *res)
{
	if (resp->status != 400 || (t->mode != MODE_IMAGE_GENERATION && t->mode != MODE_IMAGE_EDIT))
		return false;
	return res->reason == REASON_CONTENT_POLICY || names(resp->body, "moderation_blocked");
}

/* OpenAI's own client repeats the message, else all of the body; others the body as it is. */
static void
choose_shown(const struct provider_call *call, struct places *p, bool json,
    const struct response *resp, struct words_reply *reply, struct buf *shown)
{
	if (call == NULL || call->client != CLIENT_SDK)
		return;
	if (json && places_at(p, "error.message")->kind == ANSWER_STRING && reply->message.n > 0 &&
	    call->shape != SHAPE_TEXT) {
		reply->shown = reply->message;
	} else if (json || resp->body.n == 0) {
		buf_addf(shown, "Error code: %d", resp->status);
		if (resp->body.n > 0) {
			buf_add_text(shown, " - ");
			answer_python(shown, resp->body, MAX_PYTHON);
		}
		reply->shown = buf_str(shown);
	}
}

void
judge_status(const struct target *t, const struct provider_call *call, const struct response *resp,
    struct result *res)
{
	struct buf texts = BUF_INIT(MAX_TEXTS), shown = BUF_INIT(MAX_PYTHON * 8);
	struct words_reply reply = { .shown = resp->body, .searched = resp->body };
	struct answer_fault fault;
	struct places p;
	bool json;

	result_reset(res);
	if (resp->status >= 300 && resp->status < 400) {
		judge_redirect(t, resp, res);
		return;
	}
	if (call == NULL)
		call = provider_call(t->provider, t->mode);
	judge_errors_init(&p);
	json = places_read(&p, resp->body, &fault) == 0;
	if (json)
		read_error(&p, resp, &texts, &reply);
	else
		reply.message = resp->body;
	choose_shown(call, &p, json, resp, &reply, &shown);
	words_status(t, resp->status, &reply, res);
	sharpen(resp->status, &reply, res);
	if (is_refused_image(t, resp, res))
		judge_healthy(res);
	buf_clear(&texts);
	buf_clear(&shown);
}

void
judge_errors_say(
    const struct target *t, const struct response *resp, struct places *p, struct result *res)
{
	struct buf texts = BUF_INIT(MAX_TEXTS);
	struct words_reply reply;

	read_error(p, resp, &texts, &reply);
	words_error_body(t, &reply, res);
	sharpen(resp->status, &reply, res);
	buf_clear(&texts);
}

void
judge_error(const struct target *t, const struct response *resp, struct result *res)
{
	struct answer_fault fault;
	struct places p;

	judge_errors_init(&p);
	if (places_read(&p, resp->body, &fault) < 0)
		words_not_json(t, CLIENT_HTTPX, resp->body, &fault, res);
	else
		judge_errors_say(t, resp, &p, res);
}

bool
judge_errors_hold(struct places *p)
{
	for (size_t i = 0; i < ARRAY_LEN(error_paths); i++) {
		const struct answer_value *v = places_at(p, error_paths[i]);

		if ((v->kind == ANSWER_STRING && v->raw.n > 0) ||
		    (v->kind == ANSWER_OBJECT && v->count > 0) || v->kind == ANSWER_NUMBER ||
		    (v->kind == ANSWER_BOOL && v->raw.p[0] == 't'))
			return true;
	}
	return false;
}
