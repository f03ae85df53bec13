/* SPDX-License-Identifier: Apache-2.0 */
/* The configured models: groups for OpenAI's list, deployments for LiteLLM's. Both are kept as
 * sent. */
#include "supervisor/front/http/models.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "shared/json_read.h"
#include "supervisor/front/entry.h"
#include "supervisor/front/http/groups.h"
#include "supervisor/front/http/params.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/http/validation.h"

#define PAGE_SIZE 50 /* LiteLLM's */
#define PAGE_MAX 10000
#define CREATED 1677610602 /* LiteLLM's constant */

struct kept {
	struct blob *body;
	uint64_t version; /* of the fleet, or its generation where verdicts do not matter */
};

struct models {
	struct groups groups;
	struct kept list[2]; /* [1]: without groups that are wholly unhealthy */
	struct kept info[2][2]; /* [for admins][without those groups] */
};

struct models *
models_new(void)
{
	return xcalloc(1, sizeof(struct models));
}

void
models_free(struct models *m)
{
	for (int i = 0; i < 2; i++) {
		blob_unref(m->list[i].body);
		for (int k = 0; k < 2; k++)
			blob_unref(m->info[i][k].body);
	}
	groups_clear(&m->groups);
	free(m);
}

const struct groups *
models_groups(struct http *h)
{
	groups_update(&h->models->groups, h->fleet);
	return &h->models->groups;
}

static void
reply_kept(struct conn *c, struct kept *k, bool healthy_only, bool admin,
    struct blob *(*make)(struct http *h, bool healthy_only, bool admin))
{
	struct http *h = conn_http(c);
	struct reply r = { .status = 200, .type = REPLY_JSON };
	uint64_t version = healthy_only ? fleet_version(h->fleet) : fleet_generation(h->fleet);

	if (k->body == NULL || k->version != version) {
		blob_unref(k->body);
		k->body = make(h, healthy_only, admin);
		k->version = version;
	}
	r.body = k->body;
	conn_reply(c, &r);
}

/* Of each group, at its first deployment's index: whether one of its deployments may work. */
static bool *
usable_groups(struct http *h)
{
	const struct groups *g = &h->models->groups;
	bool *usable = xcalloc(fleet_size(h->fleet), sizeof(*usable));
	int64_t now = clock_wall_ms();

	for (size_t i = 0; i < fleet_size(h->fleet); i++)
		if (fleet_state(h->fleet, fleet_at(h->fleet, i), now) != VERDICT_UNHEALTHY)
			usable[g->first[i]] = true;
	return usable;
}

/* Whether the request, or the setting for all requests, leaves them out. Answers what is wrong. */
static bool
read_healthy_only(struct conn *c, const struct http_request *r, bool *healthy_only)
{
	struct validation v;
	bool good;

	validation_init(&v, r->query);
	*healthy_only = validation_bool(&v, "healthy_only") ||
			http_setting(conn_http(c), SETTING_HEALTHY_ONLY);
	good = !validation_refused(c, &v);
	validation_clear(&v);
	return good;
}

static struct blob *
make_list(struct http *h, bool healthy_only, bool admin)
{
	struct groups *g = &h->models->groups;
	struct buf b = BUF_INIT(SIZE_MAX);
	bool *usable = NULL;
	struct blob *blob;

	groups_update(g, h->fleet);
	if (healthy_only)
		usable = usable_groups(h);
	buf_add_text(&b, "{\"data\":[");
	for (size_t i = 0; i < fleet_size(h->fleet); i++) {
		const struct deployment *d = fleet_at(h->fleet, i);
		struct str mode;

		if (g->first[i] != i || (usable && !usable[i]))
			continue;
		json_add_comma(&b);
		buf_add_text(&b, "{\"id\":");
		json_add_string(&b, str_of(d->model_name));
		buf_addf(
		    &b, ",\"object\":\"model\",\"created\":%d,\"owned_by\":\"openai\"", CREATED);
		mode = json_member(json_member(d->info, "model_info"), "mode");
		if (mode.n > 2 && mode.p[0] == '"') {
			buf_add_text(&b, ",\"mode\":");
			buf_add_str(&b, mode);
		}
		buf_add_char(&b, '}');
	}
	buf_add_text(&b, "],\"object\":\"list\"}");
	free(usable);
	blob = blob_copy(buf_str(&b));
	buf_clear(&b);
	return blob;
}

void
models_handle_list(struct conn *c, const struct http_request *r, enum caller caller)
{
	bool healthy_only;

	if (read_healthy_only(c, r, &healthy_only))
		reply_kept(
		    c, &conn_http(c)->models->list[healthy_only], healthy_only, false, make_list);
}

/* An object as it is, or without the members that only admins may see. */
static void
add_params(struct buf *b, struct str object)
{
	struct str key, value;

	buf_add_char(b, '{');
	while (json_next_member(&object, &key, &value)) {
		if (entry_admin_only(key))
			continue;
		json_add_comma(b);
		buf_add_char(b, '"');
		buf_add_str(b, key);
		buf_add_text(b, "\":");
		buf_add_str(b, value);
	}
	buf_add_char(b, '}');
}

static void
add_info(struct buf *b, const struct deployment *d, bool admin)
{
	struct str rest = d->info, key, value;

	json_add_comma(b);
	if (admin) {
		buf_add_str(b, d->info);
		return;
	}
	buf_add_char(b, '{');
	while (json_next_member(&rest, &key, &value)) {
		json_add_comma(b);
		buf_add_char(b, '"');
		buf_add_str(b, key);
		buf_add_text(b, "\":");
		if (str_is(key, "litellm_params"))
			add_params(b, value);
		else
			buf_add_str(b, value);
	}
	buf_add_char(b, '}');
}

static struct blob *
finish_info(struct buf *b)
{
	struct blob *blob;

	buf_add_text(b, "]}");
	blob = blob_copy(buf_str(b));
	buf_clear(b);
	return blob;
}

static struct blob *
make_info(struct http *h, bool healthy_only, bool admin)
{
	struct groups *g = &h->models->groups;
	struct buf b = BUF_INIT(SIZE_MAX);
	bool *usable = NULL;

	groups_update(g, h->fleet);
	if (healthy_only)
		usable = usable_groups(h);
	buf_add_text(&b, "{\"data\":[");
	for (size_t i = 0; i < fleet_size(h->fleet); i++)
		if (usable == NULL || usable[g->first[i]])
			add_info(&b, fleet_at(h->fleet, i), admin);
	free(usable);
	return finish_info(&b);
}

void
models_handle_info(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct http *h = conn_http(c);
	bool admin = caller == CALLER_ADMIN, healthy_only;
	struct buf id = BUF_INIT(SIZE_MAX), b = BUF_INIT(SIZE_MAX);

	if (!read_healthy_only(c, r, &healthy_only))
		return;
	if (params_get(r->query, "litellm_model_id", &id)) {
		const struct deployment *d = fleet_find_id(h->fleet, buf_str(&id));

		if (d) {
			buf_add_text(&b, "{\"data\":[");
			add_info(&b, d, admin);
			route_reply_json(c, 200, finish_info(&b));
		} else {
			route_reply_json(c, 400,
			    route_error(
				"Model id = ", buf_str(&id), " not found on litellm proxy"));
		}
	} else {
		reply_kept(
		    c, &h->models->info[admin][healthy_only], healthy_only, admin, make_info);
	}
	buf_clear(&id);
}

/* Which deployments the pages are of, and in which order. Texts may be NULL: not asked for. */
struct wanted {
	char *model, *id, *search, *access_group;
	char *sort, *order;
	bool wildcards, no_auto_routers;
};

struct row {
	const struct deployment *d;
	size_t at; /* in the order of the config */
	bool falling;
};

static bool
is_in_access_group(const struct deployment *d, const char *group)
{
	struct str groups = json_member(json_member(d->info, "model_info"), "access_groups"), item;
	struct buf text = BUF_INIT(SIZE_MAX / 2);
	bool found = false;

	while (!found && json_next_element(&groups, &item)) {
		buf_reset(&text);
		found = json_read_text(item, &text) && str_is(buf_str(&text), group);
	}
	buf_clear(&text);
	return found;
}

static bool
is_wanted(const struct deployment *d, const struct wanted *w)
{
	return (w->model == NULL || strcmp(w->model, d->model_name) == 0) &&
	       (w->id == NULL || strcmp(w->id, d->id) == 0) &&
	       (w->search == NULL || strcasestr(d->model_name, w->search) != NULL) &&
	       (w->access_group == NULL || is_in_access_group(d, w->access_group)) &&
	       (!w->wildcards || strchr(d->model_name, '*') != NULL) &&
	       (!w->no_auto_routers || strncmp(d->model, "auto_router/", 12) != 0);
}

static int
in_order(const struct row *x, const struct row *y, int rises)
{
	if (rises == 0) /* as Python sorts, falling too */
		return x->at < y->at ? -1 : 1;
	return x->falling ? -rises : rises;
}

static int
by_name(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return in_order(x, y, strcasecmp(x->d->model_name, y->d->model_name));
}

/* What is free or has no known price comes last when rising, and when falling too. */
static int
by_costs(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int64_t costs[2];

	for (int i = 0; i < 2; i++) {
		const struct deployment *d = i == 0 ? x->d : y->d;

		costs[i] = (d->price_in > 0 ? d->price_in : 0) + (d->price_out > 0 ? d->price_out : 0);
		if (costs[i] == 0)
			costs[i] = x->falling ? -1 : INT64_MAX;
	}
	return in_order(x, y, (costs[0] > costs[1]) - (costs[0] < costs[1]));
}

/* Nothing here has the times and the place in a database that LiteLLM sorts by: that leaves the
 * order. */
static void
sort_rows(struct row *rows, size_t n, const char *by)
{
	if (by && strcmp(by, "model_name") == 0)
		qsort(rows, n, sizeof(*rows), by_name);
	else if (by && strcmp(by, "costs") == 0)
		qsort(rows, n, sizeof(*rows), by_costs);
}

static char *
text_or_null(struct validation *v, const char *name)
{
	char *text = validation_text(v, name);

	if (text && *text == '\0') {
		free(text);
		text = NULL;
	}
	return text;
}

static void
read_wanted(struct validation *v, struct wanted *w)
{
	w->model = text_or_null(v, "model");
	w->id = text_or_null(v, "modelId");
	w->search = text_or_null(v, "search");
	w->access_group = text_or_null(v, "access_group");
	w->sort = text_or_null(v, "sortBy");
	w->order = text_or_null(v, "sortOrder");
	w->wildcards = validation_bool(v, "wildcard_only");
	w->no_auto_routers = validation_bool(v, "exclude_auto_routers");
}

static void
clear_wanted(struct wanted *w)
{
	free(w->model);
	free(w->id);
	free(w->search);
	free(w->access_group);
	free(w->sort);
	free(w->order);
}

/* LiteLLM looks at the order only where there is something to sort by. */
static bool
refuse_order(struct conn *c, const struct wanted *w)
{
	struct buf b = BUF_INIT(SIZE_MAX), said = BUF_INIT(SIZE_MAX);

	if (w->sort == NULL || w->order == NULL || strcasecmp(w->order, "asc") == 0 ||
	    strcasecmp(w->order, "desc") == 0)
		return false;
	buf_addf(&said, "Invalid sortOrder: %s. Must be 'asc' or 'desc'", w->order);
	buf_add_text(&b, "{\"detail\":");
	json_add_string(&b, buf_str(&said));
	buf_add_char(&b, '}');
	route_reply_json(c, 400, blob_of_buf(&b));
	buf_clear(&said);
	return true;
}

void
models_handle_pages(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct http *h = conn_http(c);
	struct buf b = BUF_INIT(SIZE_MAX);
	struct wanted w = { 0 };
	struct row *rows = NULL;
	struct validation v;
	int64_t page, size, total = 0;
	bool falling;

	validation_init(&v, r->query);
	page = validation_int(&v, "page", 1, 1, INT32_MAX);
	size = validation_int(&v, "size", PAGE_SIZE, 1, PAGE_MAX);
	read_wanted(&v, &w);
	if (validation_refused(c, &v) || refuse_order(c, &w))
		goto out;
	falling = w.order && strcasecmp(w.order, "desc") == 0;
	rows = xcalloc(fleet_size(h->fleet) + 1, sizeof(*rows));
	for (size_t i = 0; i < fleet_size(h->fleet); i++)
		if (is_wanted(fleet_at(h->fleet, i), &w))
			rows[total++] = (struct row){ fleet_at(h->fleet, i), i, falling };
	sort_rows(rows, (size_t)total, w.sort);
	buf_add_text(&b, "{\"data\":[");
	for (int64_t i = (page - 1) * size; i < page * size && i < total; i++)
		add_info(&b, rows[i].d, caller == CALLER_ADMIN);
	buf_addf(&b,
	    "],\"total_count\":%lld,\"current_page\":%lld,\"total_pages\":%lld,\"size\":%lld}",
	    (long long)total, (long long)page, (long long)((total + size - 1) / size),
	    (long long)size);
	route_reply_json(c, 200, blob_copy(buf_str(&b)));
out:
	free(rows);
	clear_wanted(&w);
	buf_clear(&b);
	validation_clear(&v);
}
