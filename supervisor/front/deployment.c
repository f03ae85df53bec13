/* SPDX-License-Identifier: Apache-2.0 */
/* One block of memory holds all that a configuration says of a deployment. */
#include "supervisor/front/deployment.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "supervisor/front/quorum.h"
#include "supervisor/front/verdict.h"

/* An interval or a timeout; what is longer is a mistake. */
#define MAX_SPAN_MS ((uint64_t)366 * 86400000)

/* The fields that a configuration brings; the rest lives on. */
static void
free_config(struct deployment *d)
{
	free((struct kv *)d->display.v); /* the block that holds them all */
}

void
deployment_free(struct deployment *d)
{
	free_config(d);
	verdict_clear(&d->verdict);
	free(d->history);
	quorum_free(d);
	free(d);
}

bool
deployment_valid(const struct msg_conf_deployment *m)
{
	return m->id.n > 0 && !memchr(m->id.p, '\0', m->id.n) && m->problem_reason < REASON_COUNT &&
	       m->interval_ms <= MAX_SPAN_MS && m->timeout_ms <= MAX_SPAN_MS;
}

struct str
deployment_bare_model(const struct deployment *d, struct str model)
{
	size_t n = strlen(d->provider);

	if (n > 0 && model.n > n && str_starts(model, d->provider) && model.p[n] == '/') {
		model.p += n + 1;
		model.n -= n + 1;
	}
	return model;
}

static char *
put(char **at, struct str s)
{
	char *text = *at;

	memcpy(text, s.p ? s.p : "", s.n);
	text[s.n] = '\0';
	*at += s.n + 1;
	return text;
}

static struct kvs
put_pairs(char **at, struct kv *to, struct kvs from)
{
	for (size_t i = 0; i < from.n; i++) {
		to[i].key = (struct str){ put(at, from.v[i].key), from.v[i].key.n };
		to[i].value = (struct str){ put(at, from.v[i].value), from.v[i].value.n };
	}
	return (struct kvs){ to, from.n };
}

/* One block: the pairs, then all texts, each with its final NUL. */
struct deployment *
deployment_new(const struct msg_conf_deployment *m)
{
	struct deployment *d = xcalloc(1, sizeof(*d));
	const struct str texts[] = { m->id, m->model_name, m->model, m->provider, m->mode, m->host,
		m->problem };
	const char **to[] = { &d->id, &d->model_name, &d->model, &d->provider, &d->mode, &d->host,
		&d->problem };
	size_t size = (m->display.n + m->depends.n) * sizeof(struct kv) + m->info.n + 1;
	struct kv *kvs;
	char *at;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		size += texts[i].n + 1;
	for (size_t i = 0; i < m->display.n; i++)
		size += m->display.v[i].key.n + m->display.v[i].value.n + 2;
	for (size_t i = 0; i < m->depends.n; i++)
		size += m->depends.v[i].key.n + m->depends.v[i].value.n + 2;
	kvs = xmalloc(size);
	at = (char *)(kvs + m->display.n + m->depends.n);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*to[i] = put(&at, texts[i]);
	d->display = put_pairs(&at, kvs, m->display);
	d->depends = put_pairs(&at, kvs + m->display.n, m->depends);
	d->info = (struct str){ put(&at, m->info), m->info.n };
	d->handle = m->handle;
	d->generation = m->generation;
	d->position = m->position;
	d->flags = m->flags;
	d->interval_ms = (int64_t)m->interval_ms;
	d->timeout_ms = (int64_t)m->timeout_ms;
	d->price_in = m->price_in;
	d->price_probe = m->price_probe;
	d->price_out = m->price_out;
	d->problem_reason = (enum reason)m->problem_reason;
	d->problem_status = m->problem_status;
	return d;
}

/* Whether both are asked the same way and shown the same; the position may differ. */
static bool
same_configuration(const struct deployment *a, const struct deployment *b)
{
	if (strcmp(a->model_name, b->model_name) != 0 || strcmp(a->model, b->model) != 0 ||
	    strcmp(a->provider, b->provider) != 0 || strcmp(a->mode, b->mode) != 0 ||
	    strcmp(a->host, b->host) != 0 || strcmp(a->problem, b->problem) != 0)
		return false;
	if (a->flags != b->flags || a->interval_ms != b->interval_ms ||
	    a->timeout_ms != b->timeout_ms || a->price_in != b->price_in || a->price_out != b->price_out || a->price_probe != b->price_probe || a->problem_reason != b->problem_reason ||
	    a->display.n != b->display.n || !str_eq(a->info, b->info))
		return false;
	for (size_t i = 0; i < a->display.n; i++)
		if (!str_eq(a->display.v[i].key, b->display.v[i].key) ||
		    !str_eq(a->display.v[i].value, b->display.v[i].value))
			return false;
	return true;
}

void
deployment_replace(struct deployment *d, struct deployment *with)
{
	struct deployment was = *d;

	*d = *with;
	d->verdict = was.verdict;
	d->history = was.history;
	d->history_start = was.history_start;
	d->history_len = was.history_len;
	d->history_cap = was.history_cap;
	d->schedule = was.schedule;
	d->entry = was.entry;
	d->tally = was.tally;
	d->series = was.series;
	d->told = was.told;
	d->shown = was.shown;
	if (same_configuration(&was, d))
		d->generation = was.generation;
	/* What has become a router, or is none any more, begins anew. */
	if ((was.depends.n > 0) != (d->depends.n > 0))
		verdict_clear(&d->verdict);
	if (was.problem_reason != REASON_OK && d->problem_reason == REASON_OK)
		verdict_clear(&d->verdict);
	free_config(&was);
	free(with);
}
