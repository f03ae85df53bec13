/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/judge.h"

#include <string.h>
#include <strings.h>

#include "workers/dialects/judge_internal.h"
#include "workers/dialects/words.h"

#define MAX_PYTHON ((size_t)2048) /* of a body shown as Python shows it */
#define NO_TEXT ((struct str){ NULL, 0 })

static void
add_form(struct places *p, const struct judge_form *form)
{
	for (size_t i = 0; i < JUDGE_MAX_WANTS && form->wants[i].kinds; i++)
		places_add(p, form->wants[i].at);
	places_add(p, form->tokens_in);
	places_add(p, form->tokens_out);
}

void
judge_bad_shape(const struct target *t, struct result *res, const char *where,
    const struct answer_value *v, const char *wanted)
{
	struct buf ours = BUF_INIT(512);

	buf_addf(&ours, "status 200, but %s is %s where %s was expected", where,
	    answer_kind_name(v), wanted);
	words_shape(t, NULL, NO_TEXT, buf_str(&ours), res);
	buf_clear(&ours);
}

static bool
is_filled(const struct answer_value *v)
{
	return v->kind == ANSWER_STRING				     ? v->raw.n > 0
	       : v->kind == ANSWER_ARRAY || v->kind == ANSWER_OBJECT ? v->count > 0
								     : true;
}

static bool
will_do(const struct answer_value *v, unsigned kinds)
{
	if ((kinds & 1u << v->kind) == 0)
		return false;
	return !((kinds & JUDGE_FILLED && !is_filled(v)) || (kinds & JUDGE_EMPTY && is_filled(v)));
}

static bool
is_met(struct places *p, const struct judge_want *want)
{
	const char *path = want->at;

	for (;;) {
		if (will_do(places_at(p, path), want->kinds))
			return true;
		path += strcspn(path, "|");
		if (*path == '\0')
			return false;
		path++;
	}
}

/* The first want that the answer does not meet, or NULL. */
static const struct judge_want *
unmet(struct places *p, const struct judge_form *form)
{
	for (size_t i = 0; i < JUDGE_MAX_WANTS && form->wants[i].kinds; i++)
		if (!is_met(p, &form->wants[i]))
			return &form->wants[i];
	return NULL;
}

static void
add_kinds(struct buf *b, unsigned kinds)
{
	static const struct {
		unsigned kind;
		const char *name;
	} kind_names[] = { { JUDGE_LIST, "a list" }, { JUDGE_OBJECT, "an object" },
		{ JUDGE_TEXT, "a text" }, { JUDGE_NUMBER, "a number" } };
	const char *comma = "";

	for (size_t i = 0; i < ARRAY_LEN(kind_names); i++)
		if (kinds & kind_names[i].kind) {
			buf_addf(b, "%s%s", comma, kind_names[i].name);
			comma = " or ";
		}
	if (kinds & JUDGE_FILLED && kinds & (JUDGE_LIST | JUDGE_OBJECT))
		buf_add_text(b, " with something in it");
	else if (kinds == JUDGE_TEXT)
		buf_add_text(b, ", even an empty one,");
}

/* The right thing with nothing in it. */
static void
say_empty(const struct target *t, const char *where, unsigned kinds, struct result *res)
{
	struct buf ours = BUF_INIT(512), wanted = BUF_INIT(256);

	add_kinds(&wanted, kinds & ~JUDGE_FILLED);
	buf_addf(
	    &ours, "status 200, but %s is empty where %s was expected", where, buf_text(&wanted));
	words_shape(t, NULL, NO_TEXT, buf_str(&ours), res);
	buf_clear(&ours);
	buf_clear(&wanted);
}

static void
say_unmet(const struct target *t, struct places *p, const struct judge_form *form,
    const struct response *resp, struct result *res)
{
	const struct judge_want *want = unmet(p, form);
	const struct answer_value *v = places_at(p, want->at);
	struct buf where = BUF_INIT(256), wanted = BUF_INIT(256);
	int n = (int)strcspn(want->at, "|");

	if (n > 0)
		buf_addf(&where, "`%.*s`", n, want->at);
	else
		buf_add_text(&where, "the answer");
	add_kinds(&wanted, want->kinds);
	if (want->kinds & 1u << v->kind && want->kinds & JUDGE_FILLED)
		say_empty(t, buf_text(&where), want->kinds, res);
	else
		judge_bad_shape(t, res, buf_text(&where), v, buf_text(&wanted));
	if (form->theirs && want == form->wants &&
	    (v->kind == ANSWER_ABSENT || v->kind == ANSWER_NULL)) {
		size_t len = strlen(form->theirs);

		buf_reset(&res->error);
		buf_addf(&res->error, "litellm.%s", form->theirs);
		if (len >= 2 && strcmp(form->theirs + len - 2, "- ") == 0)
			answer_python(&res->error, resp->body, res->error.len + MAX_PYTHON);
	}
	buf_clear(&where);
	buf_clear(&wanted);
}

void
judge_healthy(struct result *res)
{
	result_reset(res);
	res->healthy = true;
	res->reason = REASON_OK;
}

bool
judge_forms(const struct target *t, const struct provider_call *call, const struct response *resp,
    const struct judge_form *forms, size_t n, struct result *res)
{
	struct answer_fault fault;
	struct places p;

	result_reset(res);
	if (call == NULL)
		call = provider_call(t->provider, t->mode);
	if (resp->status < 200 || resp->status >= 300) {
		judge_status(t, call, resp, res);
		return res->healthy;
	}
	judge_errors_init(&p);
	for (size_t i = 0; i < n; i++)
		add_form(&p, &forms[i]);
	if (places_read(&p, resp->body, &fault) < 0) {
		words_not_json(t, call ? call->client : CLIENT_HTTPX, resp->body, &fault, res);
		return false;
	}
	if (judge_errors_hold(&p)) {
		judge_errors_say(t, resp, &p, res);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (unmet(&p, &forms[i]))
			continue;
		judge_healthy(res);
		if (forms[i].tokens_in)
			res->tokens_in = answer_count(places_at(&p, forms[i].tokens_in));
		if (forms[i].tokens_out)
			res->tokens_out = answer_count(places_at(&p, forms[i].tokens_out));
		return true;
	}
	say_unmet(t, &p, &forms[0], resp, res);
	return false;
}

bool
judge_form(const struct target *t, const struct response *resp, const struct judge_form *form,
    struct result *res)
{
	static const struct judge_form anything = { .wants = { { "", JUDGE_OBJECT } } };

	return judge_forms(t, NULL, resp, form ? form : &anything, 1, res);
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
judge_stream(const struct target *t, const struct response *resp, struct result *res)
{
	static const struct judge_form
	    event = { .wants = {
			  { "type|content|output|result|message|messages|response|delta|completion|"
			    "actions|author|text|data|event",
			      JUDGE_OBJECT | JUDGE_LIST | JUDGE_TEXT | JUDGE_NUMBER } } };
	static const struct judge_form word = { .wants = { { "", JUDGE_TEXT } } };
	const char *end = resp->body.n ? resp->body.p + resp->body.n : NULL;
	struct response one = *resp;
	bool any = false;

	if (resp->status < 200 || resp->status >= 300)
		return judge_form(t, resp, &event, res);
	for (const char *p = resp->body.p; end && p < end;) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		one.body = event_of((struct str){ p, (size_t)((newline ? newline : end) - p) });
		p = newline ? newline + 1 : end;
		if (one.body.n == 0)
			continue;
		if (!judge_form(t, &one, one.body.p[0] == '"' ? &word : &event, res))
			return false;
		any = true;
	}
	if (any)
		return true;
	words_shape(
	    t, NULL, NO_TEXT, STR("status 200, but the body holds no event of a stream"), res);
	return false;
}

bool
judge_bytes(const struct target *t, const struct response *resp, size_t least, struct result *res)
{
	struct str type = resp->header ? resp->header(resp, "content-type") : STR("");
	struct buf ours = BUF_INIT(256);

	if (resp->status < 200 || resp->status >= 300 ||
	    (resp->body.n > 0 && resp->body.p[0] == '{' &&
		(type.n == 0 || memmem(type.p, type.n, "json", 4))) ||
	    (type.n >= 5 && strncasecmp(type.p, "text/", 5) == 0)) {
		static const struct judge_form sound = { .wants = { { "audio", JUDGE_TEXT } } };

		(void)judge_form(t, resp, &sound, res);
		return false;
	}
	result_reset(res);
	if (resp->body.n >= least) {
		judge_healthy(res);
		return true;
	}
	buf_addf(&ours, "status 200, but the answer has %zu bytes where at least %zu were expected",
	    resp->body.n, least);
	words_shape(t, NULL, NO_TEXT, buf_str(&ours), res);
	buf_clear(&ours);
	return false;
}

/* ---- lists of models ---- */

bool
judge_listed(struct str list, const char *key, const char *wanted, unsigned *count)
{
	struct buf text = BUF_INIT(4096);
	struct str element, name, value;
	bool found = false;
	size_t at = 0;

	*count = 0;
	while (answer_element(list, &at, &element)) {
		size_t in = 0;

		(*count)++;
		while (!found && element.n > 0 && element.p[0] == '{' &&
		       answer_member(element, &in, &name, &value)) {
			if (!str_is(name, key) || value.n < 2 || value.p[0] != '"')
				continue;
			buf_reset(&text);
			answer_text(&text, (struct str){ value.p + 1, value.n - 2 });
			found = str_is(buf_str(&text), wanted);
		}
	}
	buf_clear(&text);
	return found;
}

void
judge_not_listed(const struct target *t, unsigned count, struct result *res)
{
	struct buf text = BUF_INIT(1024);
	struct words_reply reply = { .code = { NULL, 0 } };

	buf_addf(
	    &text, "the provider lists %u models, and \"%.256s\" is none of them", count, t->model);
	reply.shown = reply.message = reply.searched = buf_str(&text);
	words_status(t, 404, &reply, res);
	buf_reset(&res->detail);
	buf_add_str(&res->detail, buf_str(&text));
	buf_clear(&text);
}
