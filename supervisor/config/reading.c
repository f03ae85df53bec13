/* SPDX-License-Identifier: Apache-2.0 */
/* The small tools with which a deployment is read. */
#include "supervisor/config/reading.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shared/secret.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)

void
reading_refuse(struct reading *r, const struct node *at, int64_t status, const char *shown,
    const char *fmt, ...)
{
	struct buf text = BUF_INIT(READING_TEXT_MAX), line = BUF_INIT(READING_TEXT_MAX);
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(&text, fmt, ap);
	va_end(ap);
	problem_deployment(r->ctx->problems, (at ? at : r->element)->mark, "deployment %.*s: %s",
	    (int)r->d->front.model_name.n, r->d->front.model_name.p, buf_text(&text));
	if (r->d->front.problem_reason == REASON_OK) {
		if (shown)
			buf_add_text(&line, shown);
		else
			buf_addf(&line, "litellm.%s: %s", reason_exception(REASON_CONFIG),
			    buf_text(&text));
		r->d->front.problem_reason = REASON_CONFIG;
		r->d->front.problem_status = status;
		r->d->front.problem = reading_keep(r, &line);
	}
	buf_clear(&line);
	buf_clear(&text);
}

const struct node *
reading_info(const struct reading *r, const char *key)
{
	return node_get_set(r->model_info, key);
}

struct str
reading_keep(const struct reading *r, struct buf *b)
{
	struct str kept = arena_copy(r->ctx->arena, buf_str(b));

	if (b->data)
		secret_wipe(b->data, b->cap);
	buf_clear(b);
	return kept;
}

struct kvs
reading_kvs(const struct reading *r, const struct kv_list *list)
{
	struct kv *v;

	if (list->n == 0)
		return (struct kvs){ NULL, 0 };
	v = arena_alloc(r->ctx->arena, list->n * sizeof(*v));
	for (size_t i = 0; i < list->n; i++) {
		v[i].key = arena_copy(r->ctx->arena, list->v[i].key);
		v[i].value = arena_copy(r->ctx->arena, list->v[i].value);
	}
	return (struct kvs){ v, list->n };
}

void
kv_set(struct kv_list *list, struct str key, struct str value)
{
	size_t i = 0;

	while (i < list->n && !str_eq(list->v[i].key, key))
		i++;
	if (i == READING_KVS_MAX)
		return; /* not reached: PARAMS_MAX and the headers' limit are below it */
	list->v[i] = (struct kv){ key, value };
	if (i == list->n)
		list->n++;
}

const char *
reading_env(void *arg, const char *name)
{
	const struct reading *r = arg;
	const char *value = environ_get(r->ctx->env, name);

	return value && *value ? value : NULL;
}

int
node_whole(const struct node *node, int64_t *value)
{
	char *end;

	if (node->type == NODE_INT && node->fits) {
		*value = node->num;
		return 0;
	}
	if (node->type != NODE_STR || node->text.n == 0 || node->text.n > 18 ||
	    strspn(node->text.p, "+-0123456789") != node->text.n)
		return ERR_INVALID;
	*value = strtoll(node->text.p, &end, 10);
	return *end == '\0' ? 0 : ERR_INVALID;
}

int
node_milliseconds(const struct node *node, int64_t *ms)
{
	double seconds;
	char *end;

	if (node->type == NODE_INT && node->fits)
		seconds = (double)node->num;
	else if (node->type == NODE_FLOAT)
		seconds = node->real;
	else if (node->type == NODE_STR && node->text.n > 0 &&
		 strspn(node->text.p, "+-.0123456789eE") == node->text.n) {
		seconds = strtod(node->text.p, &end);
		if (*end != '\0')
			return ERR_INVALID;
	} else
		return ERR_INVALID;
	if (!isfinite(seconds) || seconds < 0 || seconds * 1000 > (double)DAY_MS)
		return ERR_LIMIT;
	*ms = (int64_t)ceil(seconds * 1000);
	return 0;
}

bool
node_says_true(const struct node *node)
{
	static const char *const no[] = { "false", "False", "FALSE", "no", "off", "0" };

	if (node && node->type == NODE_STR)
		for (size_t i = 0; i < ARRAY_LEN(no); i++)
			if (str_is(node->text, no[i]))
				return false;
	return node && node_truth(node);
}

bool
names_list_has(const char *list, struct str word)
{
	for (; *list; list += strcspn(list, " ")) {
		size_t n;

		list += strspn(list, " ");
		n = strcspn(list, " ");
		if (n == word.n && memcmp(list, word.p, n) == 0)
			return n > 0;
		/* "aws_*" is all that begins so. */
		if (n > 1 && list[n - 1] == '*' && word.n >= n && memcmp(list, word.p, n - 1) == 0)
			return true;
	}
	return false;
}
