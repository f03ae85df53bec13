/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/reply.h"

#include <string.h>
#include <strings.h>

#include "shared/provider.h"
#include "workers/dialects/words.h"

#define MAX_PLACES 64
#define MAX_KEYS 1024

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

/* The places that are looked at, made of paths; a key is a NUL-terminated text in `keys`. */
struct map {
	struct answer_place places[MAX_PLACES];
	struct answer_value values[MAX_PLACES];
	size_t n;
	char keys[MAX_KEYS];
	size_t keys_len;
};

static int
place(struct map *m, int parent, const char *key, size_t n)
{
	for (size_t i = 1; i < m->n; i++)
		if (m->places[i].parent == parent && strlen(m->places[i].key) == n &&
		    memcmp(m->places[i].key, key, n) == 0)
			return (int)i;
	if (m->n == MAX_PLACES || m->keys_len + n + 1 > MAX_KEYS)
		return -1;
	memcpy(m->keys + m->keys_len, key, n);
	m->keys[m->keys_len + n] = '\0';
	m->places[m->n] = (struct answer_place){ parent, m->keys + m->keys_len };
	m->keys_len += n + 1;
	return (int)m->n++;
}

/* The place of one path, which ends at `|` or at its end; -1 when the table is full. */
static int
place_of(struct map *m, const char *path)
{
	int at = 0;

	while (*path && *path != '|' && at >= 0) {
		size_t n;

		if (*path == '.')
			path++;
		if (*path == '[') {
			at = place(m, at, "[]", 2);
			path += strcspn(path, "]") + 1;
			continue;
		}
		n = strcspn(path, ".[|");
		at = place(m, at, path, n);
		path += n;
	}
	return at;
}

static void
map_add(struct map *m, const char *paths)
{
	while (paths && *paths) {
		(void)place_of(m, paths);
		paths += strcspn(paths, "|");
		paths += *paths == '|';
	}
}

static const struct answer_value *
value_at(struct map *m, const char *path)
{
	static const struct answer_value absent = { .kind = ANSWER_ABSENT };
	int at = place_of(m, path);

	return at < 0 ? &absent : &m->values[at];
}

/* The places of errors are the same for all: made once, their keys stay where they are. */
static const struct map *
error_places(void)
{
	static struct map m;

	if (m.n > 0)
		return &m;
	m.n = 1;
	m.places[0] = (struct answer_place){ -1, NULL };
	for (size_t i = 0; i < ARRAY_LEN(message_paths); i++)
		map_add(&m, message_paths[i]);
	for (size_t i = 0; i < ARRAY_LEN(code_paths); i++)
		map_add(&m, code_paths[i]);
	for (size_t i = 0; i < ARRAY_LEN(type_paths); i++)
		map_add(&m, type_paths[i]);
	for (size_t i = 0; i < ARRAY_LEN(error_paths); i++)
		map_add(&m, error_paths[i]);
	return &m;
}

static void
map_init(struct map *m, const struct reply_form *form)
{
	const struct map *errors = error_places();

	memcpy(m->places, errors->places, errors->n * sizeof(m->places[0]));
	m->n = errors->n;
	m->keys_len = 0;
	for (size_t i = 0; i < REPLY_MAX_NEEDS && form->needs[i].at; i++)
		map_add(m, form->needs[i].at);
	map_add(m, form->tokens_in);
	map_add(m, form->tokens_out);
}

/* ---- errors ---- */

static void
add_first(struct map *m, const char *const *paths, size_t n, struct buf *texts)
{
	size_t from = texts->len;

	for (size_t i = 0; i < n && texts->len == from; i++) {
		const struct answer_value *v = value_at(m, paths[i]);

		if (v->kind == ANSWER_STRING)
			answer_text(texts, v->raw);
		else if (v->kind == ANSWER_NUMBER)
			buf_add_str(texts, v->raw);
	}
}

/* What the error says; the texts are kept in `texts`, which then stays as it is. */
static void
read_error(struct map *m, const struct response *resp, struct buf *texts, struct words_reply *reply)
{
	struct str type = resp->header ? resp->header(resp, "x-amzn-errortype") : STR("");
	size_t code, name;
	const char *text;

	*reply = (struct words_reply){ .shown = resp->body, .searched = resp->body };
	add_first(m, message_paths, ARRAY_LEN(message_paths), texts);
	code = texts->len;
	add_first(m, code_paths, ARRAY_LEN(code_paths), texts);
	name = texts->len;
	if (type.n == 0)
		add_first(m, type_paths, ARRAY_LEN(type_paths), texts);
	text = buf_text(texts);
	reply->message = (struct str){ text, code };
	reply->code = (struct str){ text + code, name - code };
	reply->type = type.n > 0 ? type : (struct str){ text + name, texts->len - name };
}

/* The name of the error decides where the status is one of several. */
static void
sharpen(int status, const struct words_reply *reply, struct result *res)
{
	if (res->reason != REASON_PERMISSION && res->reason != REASON_BAD_REQUEST &&
	    res->reason != REASON_SERVER_ERROR && res->reason != REASON_BAD_RESPONSE)
		return;
	for (size_t i = 0; i < ARRAY_LEN(named); i++) {
		size_t n = strlen(named[i].part);

		if ((reply->type.n >= n &&
			memmem(reply->type.p, reply->type.n, named[i].part, n)) ||
		    (reply->code.n >= n &&
			memmem(reply->code.p, reply->code.n, named[i].part, n))) {
			res->reason = named[i].reason;
			if (status < 300)
				res->exception_status = reason_status(res->reason);
			return;
		}
	}
}

static void
judged_healthy(struct result *res)
{
	res->healthy = true;
	res->reason = REASON_OK;
	res->exception_status = 0;
}

static void
judge_redirect(const struct target *t, const struct response *resp, struct result *res)
{
	struct buf ours = BUF_INIT(1024);
	struct str to = resp->header ? resp->header(resp, "location") : STR("");

	buf_addf(&ours, "the provider answered with status %d, a redirect", resp->status);
	if (to.n > 0)
		buf_addf(&ours, " to %.*s", (int)(to.n < 512 ? to.n : 512), to.p);
	buf_add_text(&ours, "; redirects are not followed, because the key would go along");
	words_shape(t, NULL, (struct str){ NULL, 0 }, buf_str(&ours), res);
	res->exception_status = resp->status;
	buf_clear(&ours);
}

static void
judge_status(const struct target *t, const struct response *resp, struct map *m, bool json,
    struct result *res)
{
	struct buf texts = BUF_INIT((size_t)1 << 20);
	struct words_reply reply = { .shown = resp->body, .searched = resp->body };

	if (json)
		read_error(m, resp, &texts, &reply);
	else
		reply.message = resp->body;
	words_status(t, resp->status, &reply, res);
	sharpen(resp->status, &reply, res);
	buf_clear(&texts);
	/* A picture that is refused for what it would show: whoever refuses it is there and works.
	 */
	if (res->reason == REASON_CONTENT_POLICY && resp->status == 400 &&
	    (t->mode == MODE_IMAGE_GENERATION || t->mode == MODE_IMAGE_EDIT)) {
		result_reset(res);
		judged_healthy(res);
	}
}

static bool
holds_error(struct map *m)
{
	for (size_t i = 0; i < ARRAY_LEN(error_paths); i++) {
		const struct answer_value *v = value_at(m, error_paths[i]);

		if ((v->kind == ANSWER_STRING && v->raw.n > 0) ||
		    (v->kind == ANSWER_OBJECT && v->count > 0) || v->kind == ANSWER_NUMBER ||
		    (v->kind == ANSWER_BOOL && v->raw.p[0] == 't'))
			return true;
	}
	return false;
}

/* ---- the form ---- */

static const char *
kind_name(const struct answer_value *v)
{
	static const char *const names[] = { [ANSWER_ABSENT] = "missing",
		[ANSWER_NULL] = "null",
		[ANSWER_BOOL] = "a boolean",
		[ANSWER_NUMBER] = "a number",
		[ANSWER_STRING] = "a string",
		[ANSWER_ARRAY] = "a list",
		[ANSWER_OBJECT] = "an object" };

	return names[v->kind];
}

static void
add_kinds(struct buf *b, unsigned kinds)
{
	static const struct {
		unsigned kind;
		const char *name;
	} names[] = { { REPLY_LIST, "a list" }, { REPLY_OBJECT, "an object" },
		{ REPLY_TEXT, "a text" }, { REPLY_NUMBER, "a number" } };
	const char *comma = "";

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (kinds & names[i].kind) {
			buf_addf(b, "%s%s", comma, names[i].name);
			comma = " or ";
		}
}

static bool
will_do(const struct answer_value *v, unsigned kinds)
{
	if ((kinds & 1u << v->kind) == 0)
		return false;
	if ((kinds & REPLY_FILLED) == 0)
		return true;
	return v->kind == ANSWER_STRING				     ? v->raw.n > 0
	       : v->kind == ANSWER_ARRAY || v->kind == ANSWER_OBJECT ? v->count > 0
								     : true;
}

static bool
need_met(struct map *m, const struct reply_need *need)
{
	const char *path = need->at;

	for (;;) {
		if (will_do(value_at(m, path), need->kinds))
			return true;
		path += strcspn(path, "|");
		if (*path == '\0')
			return false;
		path++;
	}
}

static void
not_met(const struct target *t, struct map *m, const struct reply_need *need, const char *theirs,
    struct result *res)
{
	const struct answer_value *v = value_at(m, need->at);
	struct buf ours = BUF_INIT(512);
	int n = (int)strcspn(need->at, "|");

	buf_add_text(&ours, "status 200, but ");
	if (n > 0)
		buf_addf(&ours, "`%.*s`", n, need->at);
	else
		buf_add_text(&ours, "the answer");
	buf_addf(&ours, " is %s",
	    (need->kinds & 1u << v->kind) && need->kinds & REPLY_FILLED ? "empty" : kind_name(v));
	buf_add_text(&ours, " where ");
	add_kinds(&ours, need->kinds);
	buf_add_text(&ours, " was expected");
	words_shape(t, NULL, (struct str){ NULL, 0 }, buf_str(&ours), res);
	if (theirs) {
		buf_reset(&res->error);
		buf_add_text(&res->error, theirs);
	}
	buf_clear(&ours);
}

bool
reply_judge(const struct target *t, const struct response *resp, const struct reply_form *form,
    struct result *res)
{
	const struct provider_call *call = provider_call(t->provider, t->mode);
	static const struct reply_form anything = { .needs = { { "", REPLY_OBJECT } } };
	struct answer_fault fault;
	struct map m;
	int err;

	if (form == NULL)
		form = &anything;
	result_reset(res);
	if (resp->status >= 300 && resp->status < 400) {
		judge_redirect(t, resp, res);
		return false;
	}
	map_init(&m, form);
	err = answer_read(resp->body, m.places, m.n, m.values, &fault);
	if (resp->status < 200 || resp->status >= 300) {
		judge_status(t, resp, &m, err == 0, res);
		return false;
	}
	if (err < 0) {
		words_not_json(t, call ? call->client : CLIENT_HTTPX, resp->body, &fault, res);
		return false;
	}
	if (holds_error(&m)) {
		struct buf texts = BUF_INIT((size_t)1 << 20);
		struct words_reply reply;

		read_error(&m, resp, &texts, &reply);
		words_error_body(t, &reply, res);
		sharpen(resp->status, &reply, res);
		buf_clear(&texts);
		return false;
	}
	for (size_t i = 0; i < REPLY_MAX_NEEDS && form->needs[i].at; i++)
		if (!need_met(&m, &form->needs[i])) {
			not_met(t, &m, &form->needs[i], i == 0 ? form->theirs : NULL, res);
			return false;
		}
	judged_healthy(res);
	if (form->tokens_in)
		res->tokens_in = answer_count(value_at(&m, form->tokens_in));
	if (form->tokens_out)
		res->tokens_out = answer_count(value_at(&m, form->tokens_out));
	return true;
}

/* The JSON of one line of a stream, or nothing. */
static struct str
event_of(struct str line)
{
	while (line.n > 0 && strchr(" \t\r", line.p[line.n - 1]))
		line.n--;
	if (str_starts(line, "data:"))
		line = (struct str){ line.p + 5, line.n - 5 };
	else if (line.n == 0 || line.p[0] != '{')
		return STR("");
	while (line.n > 0 && *line.p == ' ')
		line = (struct str){ line.p + 1, line.n - 1 };
	return str_is(line, "[DONE]") ? STR("") : line;
}

bool
reply_judge_stream(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct reply_form
	    event = { .needs = {
			  { "type|content|output|result|message|messages|response|delta|completion|"
			    "actions|author|text|data|event",
			      REPLY_OBJECT | REPLY_LIST | REPLY_TEXT | REPLY_NUMBER } } };
	static const struct reply_form word = { .needs = { { "", REPLY_TEXT } } };
	const char *end = resp->body.n ? resp->body.p + resp->body.n : NULL;
	struct response one = *resp;
	bool any = false;

	if (resp->status < 200 || resp->status >= 300)
		return reply_judge(t, resp, &event, res);
	for (const char *p = resp->body.p; end && p < end;) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		one.body = event_of((struct str){ p, (size_t)((newline ? newline : end) - p) });
		p = newline ? newline + 1 : end;
		if (one.body.n == 0)
			continue;
		if (!reply_judge(t, &one, one.body.p[0] == '"' ? &word : &event, res))
			return false;
		any = true;
	}
	if (any)
		return true;
	words_shape(t, NULL, (struct str){ NULL, 0 },
	    STR("status 200, but the body holds no event of a stream"), res);
	return false;
}

bool
reply_judge_bytes(
    const struct target *t, const struct response *resp, size_t least, struct result *res)
{
	struct str type = resp->header ? resp->header(resp, "content-type") : STR("");
	struct buf ours = BUF_INIT(256);

	if (resp->status < 200 || resp->status >= 300 ||
	    (resp->body.n > 0 && resp->body.p[0] == '{' &&
		(type.n == 0 || memmem(type.p, type.n, "json", 4))) ||
	    (type.n >= 5 && strncasecmp(type.p, "text/", 5) == 0)) {
		static const struct reply_form sound = { .needs = { { "audio", REPLY_TEXT } } };

		(void)reply_judge(t, resp, &sound, res);
		return false;
	}
	result_reset(res);
	if (resp->body.n >= least) {
		judged_healthy(res);
		return true;
	}
	buf_addf(&ours, "status 200, but the answer has %zu bytes where at least %zu were expected",
	    resp->body.n, least);
	words_shape(t, NULL, (struct str){ NULL, 0 }, buf_str(&ours), res);
	buf_clear(&ours);
	return false;
}
