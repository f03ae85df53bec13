/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/judge.h"

#include <string.h>

#include "workers/dialects/openai.h"
#include "workers/dialects/words.h"

#define MAX_PLACES 64
#define MAX_KEYS 1024
#define MAX_PYTHON ((size_t)2048)

/* The places of all paths, each once; a path's keys are kept in `keys`. */
struct plan {
	struct answer_place places[MAX_PLACES];
	struct answer_value values[MAX_PLACES];
	size_t n;
	char keys[MAX_KEYS];
	size_t used;
};

static void
plan_init(struct plan *p)
{
	p->places[0] = (struct answer_place){ -1, NULL };
	p->n = 1;
	p->used = 0;
}

static int
place_of(struct plan *p, int parent, const char *key, size_t n)
{
	for (size_t i = 1; i < p->n; i++)
		if (p->places[i].parent == parent && strlen(p->places[i].key) == n &&
		    memcmp(p->places[i].key, key, n) == 0)
			return (int)i;
	if (p->n == MAX_PLACES || p->used + n + 1 > MAX_KEYS)
		return 0;
	memcpy(p->keys + p->used, key, n);
	p->keys[p->used + n] = '\0';
	p->places[p->n] = (struct answer_place){ parent, p->keys + p->used };
	p->used += n + 1;
	return (int)p->n++;
}

/* The place of "a.b[].c", made where it is new. */
static int
place(struct plan *p, const char *path)
{
	int at = 0;

	while (path && *path) {
		size_t n;

		if (*path == '.')
			path++;
		n = *path == '[' ? 2 : strcspn(path, ".[");
		at = place_of(p, at, path, n);
		path += n;
	}
	return at;
}

static bool
fits(const struct answer_value *v, unsigned kinds)
{
	if ((kinds & 1u << v->kind) == 0)
		return false;
	if (kinds & (JUDGE_FILLED | JUDGE_EMPTY)) {
		bool filled = v->kind == ANSWER_STRING ? v->raw.n > 0 : v->count > 0;

		return filled == ((kinds & JUDGE_FILLED) != 0);
	}
	return true;
}

/* The first want that the answer does not meet, or NULL. */
static const struct judge_want *
unmet(struct plan *p, const struct judge_form *form)
{
	for (size_t i = 0; i < JUDGE_MAX_WANTS && form->wants[i].kinds; i++)
		if (!fits(&p->values[place(p, form->wants[i].path)], form->wants[i].kinds))
			return &form->wants[i];
	return NULL;
}

static const char *
wanted_name(unsigned kinds)
{
	bool filled = kinds & JUDGE_FILLED;

	kinds &= ~(JUDGE_FILLED | JUDGE_EMPTY);
	if (kinds & JUDGE_OBJECT)
		return kinds == JUDGE_OBJECT ? "an object" : "an object or a text";
	if (kinds & JUDGE_LIST)
		return filled ? "a list with something in it" : "a list";
	if (kinds & JUDGE_NUMBER)
		return "a number";
	return filled ? "a text" : "a text, even an empty one,";
}

static void
say_unmet(const struct target *t, struct plan *p, const struct judge_want *want,
    const struct response *resp, struct result *res)
{
	const struct answer_value *v = &p->values[place(p, want->path)];
	struct buf where = BUF_INIT(256), theirs = BUF_INIT(MAX_PYTHON * 8);

	if (*want->path)
		buf_addf(&where, "`%s`", want->path);
	else
		buf_add_text(&where, "the answer");
	openai_bad_shape(t, res, buf_text(&where), v, wanted_name(want->kinds));
	if (want->theirs && (v->kind == ANSWER_ABSENT || v->kind == ANSWER_NULL)) {
		size_t n = strlen(want->theirs);

		buf_add_text(&theirs, want->theirs);
		if (n >= 2 && strcmp(want->theirs + n - 2, "- ") == 0)
			answer_python(&theirs, resp->body, MAX_PYTHON);
		buf_reset(&res->error);
		buf_addf(&res->error, "litellm.%s: %s",
		    want->class ? want->class : "APIConnectionError", buf_text(&theirs));
	}
	buf_clear(&where);
	buf_clear(&theirs);
}

void
judge_healthy(struct result *res)
{
	result_reset(res);
	res->healthy = true;
	res->reason = REASON_OK;
}

void
judge_forms(const struct target *t, const struct provider_call *call, const struct response *resp,
    const struct judge_form *forms, size_t n, struct result *res)
{
	struct answer_fault fault;
	struct plan p;
	int error;

	result_reset(res);
	plan_init(&p);
	error = place(&p, "error");
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < JUDGE_MAX_WANTS && forms[i].wants[k].kinds; k++)
			place(&p, forms[i].wants[k].path);
		place(&p, forms[i].tokens_in);
		place(&p, forms[i].tokens_out);
	}
	if (resp->status < 200 || resp->status >= 300) {
		openai_judge_as(t, call, resp, res);
		return;
	}
	if (answer_read(resp->body, p.places, p.n, p.values, &fault) < 0) {
		words_not_json(t, call ? call->client : CLIENT_HTTPX, resp->body, &fault, res);
		return;
	}
	if (p.values[error].kind != ANSWER_ABSENT && p.values[error].kind != ANSWER_NULL) {
		openai_judge_as(t, call, resp, res);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (unmet(&p, &forms[i]))
			continue;
		judge_healthy(res);
		if (forms[i].tokens_in)
			res->tokens_in = answer_count(&p.values[place(&p, forms[i].tokens_in)]);
		if (forms[i].tokens_out)
			res->tokens_out = answer_count(&p.values[place(&p, forms[i].tokens_out)]);
		return;
	}
	say_unmet(t, &p, unmet(&p, &forms[0]), resp, res);
}

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
