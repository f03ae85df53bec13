/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names are where LiteLLM 1.106's four kinds of routers have them: by the name behind
 * "auto_router/" it is a complexity, an adaptive or a quality router, else a semantic one.
 */
#include "supervisor/config/router.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/file.h"
#include "shared/secret.h"
#include "supervisor/config/tree.h"

#define FILE_MAX ((size_t)1 << 20)

bool
router_is(const struct reading *r)
{
	return r->provider && strcmp(r->provider->name, "auto_router") == 0;
}

/* ---- what a router names ---- */

struct needs {
	struct kv v[ROUTER_NEEDS_MAX];
	size_t n;
	bool full;
};

static void
need(struct reading *r, struct needs *needs, const char *role, struct str name)
{
	struct buf words = BUF_INIT(4096);

	for (size_t i = 0; i < needs->n; i++)
		if (str_eq(needs->v[i].value, name))
			return;
	if (needs->n == ROUTER_NEEDS_MAX) {
		needs->full = true;
		return;
	}
	buf_addf(&words, "%s model '%.*s'", role, name.n < 256 ? (int)name.n : 256, name.p);
	needs->v[needs->n++] = (struct kv){ reading_keep(r, &words), arena_copy(r->ctx->arena, name) };
}

/* A name, a list of them, or mappings with a `model`. */
static void
need_all(struct reading *r, struct needs *needs, const char *role, const struct node *at)
{
	if (at && node_is_str(at) && at->text.n > 0)
		need(r, needs, role, at->text);
	else if (at && at->type == NODE_MAP)
		need_all(r, needs, role, node_get_set(at, "model"));
	for (size_t i = 0; at && at->type == NODE_LIST && i < at->n; i++)
		if (at->items[i]->type != NODE_LIST)
			need_all(r, needs, role, at->items[i]);
}

static void
need_default(struct reading *r, struct needs *needs, const char *key, const struct node *config)
{
	const struct node *own = params_get(&r->asked, key);

	need_all(r, needs, "default", own ? own : node_get_set(config, "default_model"));
}

/* The routes of a semantic router are JSON, in the config or in a file. */
static const struct node *
routes_of(struct reading *r)
{
	const struct node *config = params_get(&r->asked, "auto_router_config");
	const struct node *path = params_get(&r->asked, "auto_router_config_path");
	struct problems *unheard;
	struct buf text = BUF_INIT(FILE_MAX);
	struct node *root = NULL;
	int rc = 0;

	if (config && config->type == NODE_MAP)
		return node_get_set(config, "routes");
	if (config && node_is_str(config)) {
		buf_add_str(&text, config->text);
	} else if (path && node_is_str(path)) {
		if (file_read(path->text.p, &text) < 0) {
			reading_refuse(r, path, 400, NULL, "the file %.512s cannot be read: %s",
			    path->text.p, strerror(errno));
			buf_clear(&text);
			return NULL;
		}
		config = path;
	} else {
		return NULL;
	}
	unheard = problems_new();
	rc = tree_parse(r->ctx->arena, &text, "", unheard, &root);
	problems_free(unheard);
	if (rc < 0 || root == NULL || root->type != NODE_MAP)
		reading_refuse(r, config, 400, NULL,
		    "%s is no JSON object with `routes`", config == path ? "the file of auto_router_config_path"
									    : "auto_router_config");
	if (text.data)
		secret_wipe(text.data, text.cap);
	buf_clear(&text);
	return rc < 0 ? NULL : node_get_set(root, "routes");
}

static void
read_semantic(struct reading *r, struct needs *needs)
{
	const struct node *routes = routes_of(r);

	need_default(r, needs, "auto_router_default_model", NULL);
	for (size_t i = 0; routes && routes->type == NODE_LIST && i < routes->n; i++)
		need_all(r, needs, "route", node_get_set(routes->items[i], "name"));
	need_all(r, needs, "embedding", params_get(&r->asked, "auto_router_embedding_model"));
}

static void
read_pool(struct reading *r, struct needs *needs, const char *key, const char *default_key)
{
	const struct node *config = params_get(&r->asked, key);

	need_all(r, needs, "available", node_get_set(config, "available_models"));
	need_default(r, needs, default_key, config);
}

static void
read_complexity(struct reading *r, struct needs *needs)
{
	const struct node *config = params_get(&r->asked, "complexity_router_config");
	const struct node *tiers = node_get_set(config, "tiers");

	for (size_t i = 0; tiers && tiers->type == NODE_MAP && i < tiers->n; i++)
		need_all(r, needs, "tier", tiers->pairs[i].value);
	need_default(r, needs, "complexity_router_default_model", config);
}

void
router_read(struct reading *r)
{
	struct needs needs = { .n = 0 };
	struct str kind = r->bare;
	struct kv *kept;

	if (str_starts(kind, "complexity_router"))
		read_complexity(r, &needs);
	else if (str_starts(kind, "adaptive_router"))
		read_pool(r, &needs, "adaptive_router_config", "adaptive_router_default_model");
	else if (str_starts(kind, "quality_router"))
		read_pool(r, &needs, "quality_router_config", "quality_router_default_model");
	else
		read_semantic(r, &needs);
	if (needs.full)
		reading_refuse(r, r->litellm_params, 400, NULL,
		    "the router names more than %d model groups", ROUTER_NEEDS_MAX);
	else if (needs.n == 0)
		reading_refuse(r, r->litellm_params, 400, NULL,
		    "the router names no model group that it could choose");
	kept = arena_alloc(r->ctx->arena, (needs.n + 1) * sizeof(*kept));
	memcpy(kept, needs.v, needs.n * sizeof(*kept));
	r->d->front.depends = (struct kvs){ kept, needs.n };
}

/* ---- what the names mean ---- */

/* `*` is any text. */
static bool
matches(struct str pattern, struct str name)
{
	size_t p = 0, n = 0, star = SIZE_MAX, from = 0;

	while (n < name.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			from = n;
		} else if (p < pattern.n && pattern.p[p] == name.p[n]) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			n = ++from;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

static struct str
alias_of(const struct node *root, struct str name)
{
	const struct node *aliases =
	    node_get_set(node_get_set(root, "router_settings"), "model_group_alias");

	for (size_t i = 0; aliases && aliases->type == NODE_MAP && i < aliases->n; i++) {
		const struct node *key = aliases->pairs[i].key, *value = aliases->pairs[i].value;

		if (!node_is_str(key) || !str_eq(key->text, name))
			continue;
		if (value->type == NODE_MAP)
			value = node_get_set(value, "model");
		return value && node_is_str(value) ? value->text : name;
	}
	return name;
}

/* The group's name as its deployments have it; n is 0 when there is none. */
static struct str
group_of(const struct config *c, const struct node *root, struct str name)
{
	struct str wild = { NULL, 0 };

	for (int looked = 0; looked < 2; looked++, name = alias_of(root, name))
		for (size_t i = 0; i < c->n_deployments; i++) {
			struct str group = c->deployments[i].front.model_name;

			if (str_eq(group, name))
				return group;
			if (wild.n == 0 && memchr(group.p, '*', group.n) && matches(group, name))
				wild = group;
		}
	return wild;
}

static void
set_problem(struct config *c, struct deployment *d, struct problems *problems, struct buf *text)
{
	struct mark mark = { d->file.p, d->line, d->column };
	struct buf line = BUF_INIT(READING_TEXT_MAX);

	problem_deployment(problems, mark, "deployment %.*s: %s", (int)d->front.model_name.n,
	    d->front.model_name.p, buf_text(text));
	if (d->front.problem_reason == REASON_OK) {
		buf_addf(&line, "litellm.%s: %s", reason_exception(REASON_CONFIG), buf_text(text));
		d->front.problem_reason = REASON_CONFIG;
		d->front.problem_status = 400;
		d->front.problem = arena_copy(c->arena, buf_str(&line));
	}
	buf_clear(&line);
	buf_clear(text);
}

static void
resolve(struct config *c, struct deployment *d, const struct node *root, struct problems *problems)
{
	struct kv *needs = (struct kv *)d->front.depends.v;

	for (size_t i = 0; i < d->front.depends.n; i++) {
		struct str group = group_of(c, root, needs[i].value);
		struct buf why = BUF_INIT(4096);

		if (group.n > 0) {
			needs[i].value = group;
			continue;
		}
		buf_addf(&why, "%.*s matches no deployment on this proxy", (int)needs[i].key.n,
		    needs[i].key.p);
		set_problem(c, d, problems, &why);
	}
}

/* Whether one of the router's groups has a deployment that asks a provider, or one that leads there. */
static bool
is_grounded(const struct config *c, const struct deployment *d, const bool *grounded)
{
	for (size_t i = 0; i < d->front.depends.n; i++)
		for (size_t k = 0; k < c->n_deployments; k++)
			if (grounded[k] &&
			    str_eq(c->deployments[k].front.model_name, d->front.depends.v[i].value))
				return true;
	return false;
}

void
routers_check(struct config *c, const struct node *root, struct problems *problems)
{
	bool *grounded = xcalloc(c->n_deployments + 1, sizeof(*grounded)), more = false;

	for (size_t i = 0; i < c->n_deployments; i++) {
		struct deployment *d = &c->deployments[i];

		grounded[i] = d->front.depends.n == 0;
		more = more || !grounded[i];
		resolve(c, d, root, problems);
	}
	while (more) {
		more = false;
		for (size_t i = 0; i < c->n_deployments; i++)
			if (!grounded[i] && is_grounded(c, &c->deployments[i], grounded))
				grounded[i] = more = true;
	}
	for (size_t i = 0; i < c->n_deployments; i++) {
		struct buf why = BUF_INIT(4096);

		if (grounded[i] || c->deployments[i].front.problem_reason != REASON_OK)
			continue;
		buf_add_text(&why, "the router leads to nothing but routers, in a circle");
		set_problem(c, &c->deployments[i], problems, &why);
	}
	free(grounded);
}
