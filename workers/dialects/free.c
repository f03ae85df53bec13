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
#include "workers/dialects/headers.h"
#include "workers/dialects/words.h"
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
	const struct provider_call *call = provider_call(t->provider, t->mode);
	struct provider_call route;
	char text[512];

	if (kind->path == NULL && own && own->list)
		return own->list(t, ctx, req, why);
	if (kind->path == NULL || call == NULL) {
		snprintf(text, sizeof(text), "the probe `%s` is not known of provider %s",
		    kind->name, t->provider->name);
		return headers_refuse(t, why, text);
	}
	route = *call;
	route.join = kind->join;
	route.path = kind->path;
	route.base = NULL;
	route.flags &= ~(unsigned)CALL_BASE_IS_URL;
	req->method = "GET";
	if (provider_url(&route, str_of(t->api_base), str_of(t->model), &req->url) < 0)
		return headers_refuse(t, why, "api_base is no URL that can be asked");
	buf_add_str(&req->shown_base, buf_str(&req->url));
	buf_add(&req->shown_body, "{}", 2);
	/* A server of one's own needs no key, but a gateway before it may. */
	if (target_secret(t, "api_key") == NULL)
		route.flags |= CALL_NO_AUTH;
	return headers_add(t, &route, (struct str){ NULL, 0 }, req, why);
}

struct looking {
	const struct target *t;
	size_t seen;
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
	struct buf text = BUF_INIT(1024);
	struct words_reply reply;

	if (own->listed(t, resp, look, &l, res) < 0)
		return;
	if (l.found) {
		res->healthy = true;
		res->reason = REASON_OK;
		return;
	}
	buf_addf(&text, "the provider lists %zu models, and \"%.256s\" is none of them", l.seen,
	    t->model);
	reply = (struct words_reply){
		.shown = buf_str(&text), .searched = buf_str(&text), .message = buf_str(&text)
	};
	words_status(t, 404, &reply, res);
	buf_reset(&res->detail);
	buf_add_str(&res->detail, buf_str(&text));
	buf_clear(&text);
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
		res->healthy = true;
	else
		own->judge(t, resp, res);
	if (res->healthy)
		res->reason = REASON_OK;
}

const struct dialect dialect_free = {
	.name = "free",
	.scheme = free_scheme,
	.build = free_build,
	.judge = free_judge,
	.stable = true,
	.variants = 1,
};
