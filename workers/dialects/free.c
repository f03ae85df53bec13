/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes that cost nothing, chosen by the config (shared/probes.def): the provider's list of
 * models, and the health routes of servers that run models. Which of them stands in the target's
 * `probe`.
 */
#include "workers/dialects/free.h"

#include <stdio.h>
#include <string.h>

#include "shared/probes.h"
#include "shared/provider.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/ask.h"
#include "workers/dialects/judge.h"
#include "workers/wildcard.h"

static const struct probe_kind *
kind_of(const struct target *t)
{
	const char *name = target_param(t, "probe");

	return name ? probe_kind_find(str_of(name)) : NULL;
}

static const struct dialect *
own_dialect(const struct target *t)
{
	return dialect_find(str_of(t->provider->dialect));
}

bool
free_is(const struct target *t)
{
	const struct probe_kind *kind = kind_of(t);

	return kind && (kind->path || strcmp(kind->name, "models") == 0);
}

static const struct auth_scheme *
free_scheme(const struct target *t)
{
	const struct dialect *own = own_dialect(t);

	return own && own->scheme ? own->scheme(t) : NULL;
}

static int
free_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	const struct probe_kind *kind = kind_of(t);
	const struct dialect *own = own_dialect(t);
	struct asking a;
	int err;

	if (kind->path == NULL && own && own->list)
		return own->list(t, ctx, req, why);
	if ((err = ask_begin(&a, t, ctx, req, why)) < 0)
		return err;
	if (kind->path == NULL)
		return ask_refuse(&a, "the probe `%s` is not known of provider %s", kind->name,
		    t->provider->name);
	/* A server of one's own needs no key, but a gateway before it may. */
	if (target_secret(t, "api_key") == NULL)
		a.call.flags |= CALL_NO_AUTH;
	a.call.path = kind->path;
	a.call.join = kind->join;
	a.call.flags &= ~(unsigned)CALL_BASE_IS_URL;
	req->method = "GET";
	if ((err = ask_url(&a, NULL)) < 0 || (err = ask_headers(&a, ASK_KEY, STR(""))) < 0)
		return err;
	return ask_end(&a);
}

struct looking {
	const struct target *t;
	unsigned seen;
	bool found;
};

/* A name without a tag means the tag `latest`. */
static void
look(void *arg, struct str name)
{
	struct looking *l = arg;
	size_t n = strlen(l->t->model);

	l->seen++;
	l->found = l->found || wildcard_means(l->t->model, name.p) ||
		   (str_starts(name, l->t->model) && strcmp(name.p + n, ":latest") == 0);
}

static void
judge_list(const struct target *t, const struct dialect *own, const struct response *resp,
    struct result *res)
{
	struct looking l = { .t = t };

	if (own->listed(t, resp, look, &l, res) < 0)
		return;
	if (l.found)
		judge_healthy(res);
	else
		judge_not_listed(t, l.seen, res);
}

static void
free_judge(const struct target *t, const struct response *resp, struct result *res)
{
	const struct probe_kind *kind = kind_of(t);
	const struct dialect *own = own_dialect(t);
	const struct dialect *lists = kind->path ? dialect_find(STR("openai")) : own;

	result_reset(res);
	if (kind->path == NULL || strcmp(kind->name, "ollama") == 0)
		judge_list(t, lists, resp, res);
	else if (resp->status >= 200 && resp->status < 300)
		judge_healthy(res);
	else
		own->judge(t, resp, res);
}

const struct dialect dialect_free = {
	.name = "free",
	.scheme = free_scheme,
	.build = free_build,
	.judge = free_judge,
	.stable = true,
	.variants = 1,
};
