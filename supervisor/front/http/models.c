/* SPDX-License-Identifier: Apache-2.0 */
/* The configured models: groups for OpenAI's list, deployments for LiteLLM's. Both are kept as
 * sent. */
#include "supervisor/front/http/models.h"

#include <stdlib.h>

#include "shared/clock.h"
#include "shared/json.h"
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

/* Whether the deployment is one of those that were asked for; each may be NULL. */
static bool
is_wanted(const struct deployment *d, const char *model, const char *id, const char *search)
{
	return (model == NULL || strcmp(model, d->model_name) == 0) &&
	       (id == NULL || strcmp(id, d->id) == 0) &&
	       (search == NULL || strcasestr(d->model_name, search) != NULL);
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

void
models_handle_pages(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct http *h = conn_http(c);
	struct buf b = BUF_INIT(SIZE_MAX);
	struct validation v;
	int64_t page, size, total = 0;
	char *model, *id, *search;

	validation_init(&v, r->query);
	page = validation_int(&v, "page", 1, 1, INT32_MAX);
	size = validation_int(&v, "size", PAGE_SIZE, 1, PAGE_MAX);
	model = text_or_null(&v, "model");
	id = text_or_null(&v, "modelId");
	search = text_or_null(&v, "search");
	if (validation_refused(c, &v))
		goto out;
	buf_add_text(&b, "{\"data\":[");
	for (size_t i = 0; i < fleet_size(h->fleet); i++) {
		const struct deployment *d = fleet_at(h->fleet, i);

		if (!is_wanted(d, model, id, search))
			continue;
		if (total >= (page - 1) * size && total < page * size)
			add_info(&b, d, caller == CALLER_ADMIN);
		total++;
	}
	buf_addf(&b,
	    "],\"total_count\":%lld,\"current_page\":%lld,\"total_pages\":%lld,\"size\":%lld}",
	    (long long)total, (long long)page, (long long)((total + size - 1) / size),
	    (long long)size);
	route_reply_json(c, 200, blob_copy(buf_str(&b)));
out:
	free(model);
	free(id);
	free(search);
	buf_clear(&b);
	validation_clear(&v);
}
