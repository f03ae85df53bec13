/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be shown of a deployment: the fields of its /health entry and its element of
 * /v1/model/info, in LiteLLM's order. No secret, header or prompt is in it, also where one stands
 * in a place that is no secret's (a password in a URL, a key repeated in another parameter).
 */
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "shared/json.h"
#include "shared/secret.h"
#include "supervisor/config/pytext.h"
#include "supervisor/config/reading.h"

#define SECRETS_MAX (4 * READING_KVS_MAX)
#define MASKED_MIN 8

struct masks {
	struct str v[SECRETS_MAX];
	size_t n;
};

/*
 * What people write for servers that need no key ("ollama", "localhost") is an ordinary word of the
 * other fields; a real key is longer and has digits.
 */
static void
add_mask(struct masks *m, struct str value)
{
	bool digit = false;

	for (size_t i = 0; i < value.n; i++)
		digit |= isdigit((unsigned char)value.p[i]) != 0;
	if (m->n < SECRETS_MAX && value.n >= MASKED_MIN && digit)
		m->v[m->n++] = value;
}

static void
add_masks(struct masks *m, const struct params *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (param_is_secret(p->v[i].name) && node_is_str(p->v[i].value))
			add_mask(m, p->v[i].value->text);
}

static void
collect(struct masks *m, const struct reading *r)
{
	m->n = 0;
	add_masks(m, &r->configured);
	add_masks(m, &r->asked);
	for (size_t i = 0; i < r->secrets.n; i++)
		add_mask(m, r->secrets.v[i].value);
	for (size_t i = 0; i < r->headers.n; i++)
		if (param_is_secret(r->headers.v[i].key))
			add_mask(m, r->headers.v[i].value);
}

/* Secrets are rarely there: looking first keeps the usual case without a copy. */
static bool
holds_secret(const struct masks *m, struct str text)
{
	for (size_t i = 0; i < m->n; i++)
		if (memmem(text.p, text.n, m->v[i].p, m->v[i].n))
			return true;
	return false;
}

static void
add_masked(struct buf *b, const struct masks *m, struct str text)
{
	const struct secret *secrets[SECRETS_MAX];

	if (!holds_secret(m, text)) {
		buf_add_str(b, text);
		return;
	}
	for (size_t i = 0; i < m->n; i++)
		secrets[i] = secret_new(m->v[i]);
	secret_mask_text(b, text, secrets, m->n);
	for (size_t i = 0; i < m->n; i++)
		secret_free((struct secret *)secrets[i]);
}

/* `user:password@` of a URL and the values of its secret parameters. */
static void
add_url(struct buf *b, struct str url)
{
	const char *end = url.p + url.n, *host = memmem(url.p, url.n, "://", 3), *p, *at = NULL;
	const char *query = memchr(url.p, '?', url.n);

	if (host == NULL) {
		buf_add_str(b, url);
		return;
	}
	host += 3;
	for (p = host; p < end && *p != '/' && *p != '?' && *p != '#'; p++)
		if (*p == '@')
			at = p;
	buf_add(b, url.p, (size_t)(host - url.p));
	if (at) {
		buf_add_text(b, "*****");
		host = at;
	}
	if (query == NULL || query < host)
		query = end;
	buf_add(b, host, (size_t)(query - host));
	for (p = query; p < end;) {
		const char *next = p + 1, *equals = NULL;

		while (next < end && *next != '&') {
			if (*next == '=' && equals == NULL)
				equals = next;
			next++;
		}
		if (equals && param_is_secret((struct str){ p + 1, (size_t)(equals - p - 1) })) {
			buf_add(b, p, (size_t)(equals + 1 - p));
			buf_add_text(b, "*****");
		} else {
			buf_add(b, p, (size_t)(next - p));
		}
		p = next;
	}
}

/* One value as JSON, with nothing secret in it. `row` may be NULL. */
static void
add_value(
    struct buf *b, const struct masks *m, const struct node *value, const struct param_row *row)
{
	struct buf text = BUF_INIT(READING_TEXT_MAX), shown = BUF_INIT(READING_TEXT_MAX);
	int64_t number;

	if (row && row->type == PARAM_WHOLE && node_whole(value, &number) == 0) {
		buf_add_int(b, number);
	} else if (row && row->type == PARAM_SECONDS && value->type == NODE_INT) {
		pytext_float(b, strtod(value->text.p, NULL));
	} else if (value->type == NODE_STR) {
		add_url(&text, value->text);
		add_masked(&shown, m, buf_str(&text));
		json_add_string(b, buf_str(&shown));
	} else {
		/* Masking inside JSON could cut an escape in two. */
		pytext_compact(&text, value);
		if (holds_secret(m, buf_str(&text)) || !buf_ok(&text))
			buf_add_text(b, "\"*****\"");
		else
			buf_add_str(b, buf_str(&text));
	}
	if (text.data)
		secret_wipe(text.data, text.cap);
	buf_clear(&text);
	buf_clear(&shown);
}

struct entry {
	struct kv_list list;
	const struct reading *r;
	const struct masks *masks;
};

static void
show(struct entry *e, struct str name, const struct node *value, const struct param_row *row)
{
	struct buf b = BUF_INIT(READING_TEXT_MAX);

	add_value(&b, e->masks, value, row);
	kv_set(&e->list, name, reading_keep(e->r, &b));
}

static bool
shows(const struct param_row *row)
{
	return row && (row->flags & PARAM_SHOWN);
}

/* Declared parameters in LiteLLM's order, then the rest as in the config, then what the check
 * added. */
static void
make_entry(struct reading *r, const struct masks *m)
{
	struct entry e = { .r = r, .masks = m };
	const struct param_row *row;

	for (size_t i = 0; (row = param_row_at(i)) != NULL; i++) {
		const struct node *value = params_get(&r->asked, row->name);

		if (shows(row) && value && params_get(&r->configured, row->name))
			show(&e, str_of(row->name), value, row);
		if (strcmp(row->name, PARAM_LAST_ORDERED) == 0)
			break;
	}
	for (size_t i = 0; i < r->configured.n; i++) {
		struct str name = r->configured.v[i].name;

		row = param_find(name);
		if (shows(row))
			show(&e, name, params_get(&r->asked, row->name), row);
	}
	for (size_t i = 0; i < r->asked.n; i++) {
		row = param_find(r->asked.v[i].name);
		if (shows(row) && !r->asked.v[i].credential)
			show(&e, r->asked.v[i].name, r->asked.v[i].value, row);
	}
	r->d->front.display = reading_kvs(r, &e.list);
}

static void
add_info_param(struct buf *b, const struct masks *m, const struct param *p)
{
	const struct param_row *row = param_find(p->name);

	if (param_is_secret(p->name) || (row && (row->flags & PARAM_HIDDEN)) ||
	    p->value->type == NODE_MAP)
		return;
	json_add_comma(b);
	json_add_string(b, p->name);
	buf_add_char(b, ':');
	add_value(b, m, p->value, row);
}

static bool
is_one_of(struct str name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(name, names[i]))
			return true;
	return false;
}

static const char *const switches[] = { "allow_client_keepalive_override", "use_in_pass_through",
	"use_litellm_proxy", "use_xai_oauth", "merge_reasoning_content_in_choices" };

/* Declared parameters, LiteLLM's switches, the model, then the rest as in the config. */
static void
add_info_params(struct buf *b, const struct reading *r, const struct masks *m)
{
	const struct param_row *row;
	bool done[PARAMS_MAX] = { false };
	bool last = false;

	buf_add_char(b, '{');
	for (size_t k = 0; k < r->configured.n; k++)
		done[k] = is_one_of(r->configured.v[k].name, switches, ARRAY_LEN(switches));
	for (size_t i = 0; !last && (row = param_row_at(i)) != NULL; i++) {
		last = strcmp(row->name, PARAM_LAST_ORDERED) == 0;
		for (size_t k = 0; last && k < ARRAY_LEN(switches); k++) {
			json_add_key(b, switches[k]);
			buf_add_text(b, node_says_true(params_get(&r->configured, switches[k]))
					    ? "true"
					    : "false");
		}
		for (size_t k = 0; k < r->configured.n; k++)
			if (!done[k] && str_is(r->configured.v[k].name, row->name)) {
				add_info_param(b, m, &r->configured.v[k]);
				done[k] = true;
			}
	}
	for (size_t k = 0; k < r->configured.n; k++)
		if (!done[k])
			add_info_param(b, m, &r->configured.v[k]);
	buf_add_char(b, '}');
}

static void
add_info_model(struct buf *b, const struct reading *r, const struct masks *m)
{
	static const char *const own[] = { "id", "db_model", "member_auto_router",
		"health_check_params" };

	buf_add_text(b, "{\"id\":");
	json_add_string(b, r->d->front.id);
	buf_add_text(b, ",\"db_model\":false,\"member_auto_router\":false");
	for (size_t i = 0; r->model_info && i < r->model_info->n; i++) {
		const struct pair *pair = &r->model_info->pairs[i];

		if (!node_is_str(pair->key) || pair->value->type == NODE_NULL ||
		    param_is_secret(pair->key->text) ||
		    is_one_of(pair->key->text, own, ARRAY_LEN(own)))
			continue;
		json_add_comma(b);
		json_add_string(b, pair->key->text);
		buf_add_char(b, ':');
		add_value(b, m, pair->value, NULL);
	}
	buf_add_text(b, ",\"pricing_overrides\":[]");
	json_add_key(b, "key");
	json_add_string(b, r->d->front.model);
	if (r->provider) {
		json_add_key(b, "litellm_provider");
		json_add_string(b, str_of(r->provider->name));
	}
	if (reading_info(r, "mode") == NULL) {
		json_add_key(b, "mode");
		json_add_string(b, r->d->front.mode);
	}
	buf_add_char(b, '}');
}

static void
make_info(struct reading *r, const struct masks *m)
{
	struct buf b = BUF_INIT(READING_TEXT_MAX);

	buf_add_text(&b, "{\"model_name\":");
	json_add_string(&b, r->d->front.model_name);
	json_add_key(&b, "litellm_params");
	add_info_params(&b, r, m);
	json_add_key(&b, "model_info");
	add_info_model(&b, r, m);
	buf_add_char(&b, '}');
	if (!buf_ok(&b)) {
		buf_reset(&b);
		buf_add_text(&b, "{}");
		reading_refuse(r, r->element, 400, NULL, "what is shown of it is larger than 1 MB");
	}
	r->d->front.info = reading_keep(r, &b);
}

/* scheme://host:port of the base, in lower case, without a user: the cap for one host goes by it.
 */
static void
make_host(struct reading *r)
{
	struct str url = r->d->target.api_base;
	const char *end = url.p + url.n, *host = memmem(url.p, url.n, "://", 3), *stop;
	struct buf b = BUF_INIT(READING_TEXT_MAX);
	bool port = false;

	if (host == NULL)
		return;
	host += 3;
	for (stop = host; stop < end && *stop != '/' && *stop != '?' && *stop != '#'; stop++)
		if (*stop == '@')
			host = stop + 1;
	for (const char *p = stop; p > host && p[-1] != ']'; p--)
		port |= p[-1] == ':';
	for (const char *p = url.p; *p != ':'; p++)
		buf_add_char(&b, (char)tolower((unsigned char)*p));
	buf_add_text(&b, "://");
	for (const char *p = host; p < stop; p++)
		buf_add_char(&b, (char)tolower((unsigned char)*p));
	if (!port)
		buf_add_text(
		    &b, strncasecmp(url.p, "https", 5) == 0 || strncasecmp(url.p, "wss", 3) == 0
			    ? ":443"
			    : ":80");
	r->d->front.host = reading_keep(r, &b);
}

void
display_read(struct reading *r)
{
	struct masks m;

	collect(&m, r);
	make_entry(r, &m);
	make_info(r, &m);
	make_host(r);
}
