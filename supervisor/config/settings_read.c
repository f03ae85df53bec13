/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of a config; LiteLLM's own keys mean here what they mean there. */
#include "supervisor/config/settings_read.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shared/log.h"
#include "shared/secret.h"
#include "supervisor/config/otlp_settings.h"
#include "supervisor/config/pytext.h"
#include "supervisor/config/reading.h"
#include "supervisor/config/redis_settings.h"
#include "supervisor/config/suggest.h"

#define TEXT_MAX ((size_t)4 << 20)
#define PATH_MAX_LEN 256
#define QUOTED_MAX 64
#define OURS "llmhealth"
#define KEYS "llmhealth.keys"

static const struct {
	enum setting id;
	const char *variable;
} variables[] = {
	{ SETTING_MASTER_KEY, "LITELLM_MASTER_KEY" },
	{ SETTING_PERMIT_UNSET_KEY, "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY" },
	{ SETTING_HC_INTERVAL, "DEFAULT_HEALTH_CHECK_INTERVAL" },
	{ SETTING_REDIS_LITELLM_TTL, "DEFAULT_SHARED_HEALTH_CHECK_TTL" },
	{ SETTING_SSL_VERIFY, "SSL_VERIFY" },
	{ SETTING_SSL_CERTIFICATE, "SSL_CERTIFICATE" },
	{ SETTING_DATABASE_URL, "DATABASE_URL" },
};

/* The value at "a.b.c", or NULL. A null is as if absent. */
static const struct node *
node_at(const struct node *root, const char *path)
{
	char part[PATH_MAX_LEN];

	while (root && *path) {
		size_t n = strcspn(path, ".");

		snprintf(part, sizeof(part), "%.*s", (int)n, path);
		root = node_get_set(root, part);
		path += n + (path[n] == '.');
	}
	return root;
}

static bool
add_scalar(struct buf *b, const struct node *node)
{
	switch (node->type) {
	case NODE_BOOL:
		buf_add_text(b, node->num ? "true" : "false");
		return true;
	case NODE_STR:
	case NODE_INT:
		buf_add_str(b, node->text);
		return true;
	case NODE_FLOAT:
		pytext_float(b, node->real);
		if (b->len > 2 && memcmp(b->data + b->len - 2, ".0", 2) == 0)
			b->data[b->len -= 2] = '\0';
		return true;
	default:
		return false;
	}
}

static bool
add_list(struct buf *b, const struct node *node)
{
	if (node_is_str(node)) {
		buf_add_str(b, node->text);
		return true;
	}
	if (node->type != NODE_LIST)
		return false;
	for (size_t i = 0; i < node->n; i++) {
		if (!node_is_str(node->items[i]) ||
		    memchr(node->items[i]->text.p, '\n', node->items[i]->text.n))
			return false;
		if (i > 0)
			buf_add_char(b, '\n');
		buf_add_str(b, node->items[i]->text);
	}
	return true;
}

static bool
may_be_quoted(const struct node *node, enum setting id)
{
	return !node->from_env && setting_row(id)->type != SETTING_TYPE_SECRET && node->type != NODE_LIST &&
	       node->type != NODE_MAP;
}

static void
read_node(struct settings *s, enum setting id, const struct node *node, struct problems *problems)
{
	const struct setting_row *row = setting_row(id);
	struct buf text = BUF_INIT(TEXT_MAX), expected = BUF_INIT(1024);
	bool is_text = row->type == SETTING_TYPE_TEXT || row->type == SETTING_TYPE_LIST ||
		       row->type == SETTING_TYPE_SECRET;
	bool ok = row->type == SETTING_TYPE_LIST ? add_list(&text, node) : add_scalar(&text, node);

	/* 0.5 seconds of request_timeout are LiteLLM's right; here it is whole seconds, rounded up.
	 */
	if (ok && id == SETTING_REQUEST_TIMEOUT && node->type == NODE_FLOAT && node->real > 0 &&
	    node->real < 86400) {
		buf_reset(&text);
		buf_add_int(
		    &text, (int64_t)node->real + ((double)(int64_t)node->real < node->real));
	}
	if (ok && setting_row(id)->type == SETTING_TYPE_SECRET && !node_is_str(node))
		ok = false;
	if (ok && settings_set(s, id, buf_str(&text), NULL) == 0)
		goto out;
	setting_expected(&expected, id);
	if (!is_text && ok && text.len <= QUOTED_MAX && may_be_quoted(node, id))
		problem_error(problems, node->mark, "%s is \"%s\", expected %s", row->path,
		    buf_text(&text), buf_text(&expected));
	else
		problem_error(problems, node->mark, "%s is %s, expected %s", row->path,
		    node_type_name(node), buf_text(&expected));
out:
	if (text.data)
		secret_wipe(text.data, text.cap);
	buf_clear(&text);
	buf_clear(&expected);
}

static void
read_variables(struct settings *s, const struct node *root, const struct environ *env,
    struct problems *problems)
{
	struct mark whole = { root->mark.file, 0, 0 };

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const char *value = environ_get(env, variables[i].variable);
		struct buf expected = BUF_INIT(1024);

		if (value == NULL || *value == '\0' || s->given[variables[i].id])
			continue;
		if (settings_set(s, variables[i].id, str_of(value), &expected) < 0)
			problem_error(problems, whole, "the variable %s is not valid, expected %s",
			    variables[i].variable, buf_text(&expected));
		buf_clear(&expected);
	}
}

/* $STATE_DIRECTORY is systemd's: several directories by colons, the first is ours. */
static void
read_state_directory(struct settings *s, const struct environ *env)
{
	const char *directory = environ_get(env, "STATE_DIRECTORY");
	struct buf path = BUF_INIT(8192);

	if (directory && *directory && !s->given[SETTING_STATE_FILE]) {
		buf_addf(&path, "%.*s/state", (int)strcspn(directory, ":"), directory);
		if (settings_set(s, SETTING_STATE_FILE, buf_str(&path), NULL) == 0)
			s->given[SETTING_STATE_FILE] = false;
	}
	buf_clear(&path);
}

/*
 * LiteLLM's containers had a second listener for its health routes alone: one more address; where the
 * default address is in its way, it takes its place.
 */
static void
read_separate_listener(struct settings *s, const struct node *root, const struct environ *env,
    struct problems *problems)
{
	const char *on = environ_get(env, "SEPARATE_HEALTH_APP");
	const char *port = environ_get(env, "SEPARATE_HEALTH_PORT");
	struct mark whole = { root->mark.file, 0, 0 };
	struct buf list = BUF_INIT(TEXT_MAX);
	long number;
	char *end;

	if (on == NULL || (strcmp(on, "1") != 0 && strcasecmp(on, "true") != 0))
		return;
	if (port == NULL || *port == '\0')
		port = "4001";
	number = strtol(port, &end, 10);
	if (*end != '\0' || *port < '0' || *port > '9' || number < 1 || number > 65535) {
		problem_error(problems, whole,
		    "the variable SEPARATE_HEALTH_PORT is not valid, expected a port from 1 to 65535");
		return;
	}
	if (s->given[SETTING_LISTEN] || number != 4001)
		buf_addf(&list, "%s\n", s->text[SETTING_LISTEN]);
	buf_addf(&list, LISTEN_HEALTH "0.0.0.0:%ld", number);
	if (settings_set(s, SETTING_LISTEN, buf_str(&list), NULL) < 0)
		problem_error(problems, whole,
		    "SEPARATE_HEALTH_APP adds one address too many to llmhealth.listen");
	buf_clear(&list);
}

static bool
is_loopback(struct str address)
{
	char host[256];
	const char *p = host;
	struct in_addr v4;
	char *colon;

	address = settings_bare_address(address, NULL);
	if (str_starts(address, "unix:"))
		return true;
	snprintf(host, sizeof(host), "%.*s", (int)address.n, address.p);
	colon = strrchr(host, ':');
	if (colon)
		*colon = '\0';
	if (*p == '[') {
		p++;
		host[strcspn(host, "]")] = '\0';
	}
	if (inet_pton(AF_INET, p, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	return strcmp(p, "localhost") == 0 || strcmp(p, "::1") == 0;
}

static void
check_listen(const struct settings *s, const struct node *root, struct problems *problems)
{
	const struct node *at = node_at(root, setting_row(SETTING_LISTEN)->path);
	const struct node *key = node_get(node_get(root, "general_settings"), "master_key");
	const struct node *keys = node_at(root, KEYS);
	struct mark mark = at ? at->mark : (struct mark){ root->mark.file, 0, 0 };
	struct str item;

	if (at && s->text[SETTING_LISTEN][0] == '\0')
		problem_error(
		    problems, mark, "llmhealth.listen is empty, expected at least one address");
	if (s->text[SETTING_MASTER_KEY][0] != '\0' || s->num[SETTING_PERMIT_UNSET_KEY] ||
	    (keys && keys->type == NODE_MAP && keys->n > 0))
		return;
	if (key && key->type == NODE_NULL && key->from_env && key->env_name)
		problem_warning(problems, key->mark,
		    "general_settings.master_key is os.environ/%s, which is not set; "
		    "whoever reaches the address may ask",
		    key->env_name);
	for (size_t i = 0; settings_list_item(s, SETTING_LISTEN, i, &item); i++)
		if (item.n > 0 && !is_loopback(item))
			/* A warning: only `serve` listens, and it refuses; its addresses may be
			 * others. */
			problem_warning(problems, mark,
			    "%.*s can be reached by others and no master key is set, expected "
			    "general_settings.master_key, "
			    "LITELLM_MASTER_KEY, a loopback address, or "
			    "general_settings.dangerously_permit_weak_or_unset_master_key: true",
			    (int)item.n, item.p);
}

#define REGION_BYTES \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static void
check_words(const struct settings *s, const struct node *root, struct problems *problems)
{
	const struct node *level = node_at(root, setting_row(SETTING_LOG_LEVEL)->path);
	const struct node *format = node_at(root, setting_row(SETTING_LOG_FORMAT)->path);
	const struct node *litellm = node_at(root, setting_row(SETTING_REDIS_LITELLM)->path);

	if (level && log_level_parse(str_of(s->text[SETTING_LOG_LEVEL])) < 0)
		problem_error(problems, level->mark,
		    "llmhealth.log.level is \"%s\", expected error, warning, notice, "
		    "info or debug",
		    s->text[SETTING_LOG_LEVEL]);
	if (format && log_format_parse(str_of(s->text[SETTING_LOG_FORMAT])) < 0)
		problem_error(problems, format->mark,
		    "llmhealth.log.format is \"%s\", expected text, json or journald",
		    s->text[SETTING_LOG_FORMAT]);
	if (s->num[SETTING_REDIS_WITNESSES] > 0 &&
	    s->num[SETTING_REDIS_QUORUM] > s->num[SETTING_REDIS_WITNESSES]) {
		const struct node *quorum = node_at(root, setting_row(SETTING_REDIS_QUORUM)->path);

		problem_error(problems, quorum ? quorum->mark : root->mark,
		    "llmhealth.redis.quorum is %lld of %lld witnesses, expected no more than there are",
		    (long long)s->num[SETTING_REDIS_QUORUM],
		    (long long)s->num[SETTING_REDIS_WITNESSES]);
	}
	if (strspn(s->text[SETTING_REGION], REGION_BYTES) != strlen(s->text[SETTING_REGION])) {
		const struct node *region = node_at(root, setting_row(SETTING_REGION)->path);

		problem_error(problems, region ? region->mark : root->mark,
		    "llmhealth.region is \"%s\", expected letters, digits, '.', '_' and '-'",
		    s->text[SETTING_REGION]);
	}
	if (litellm && !str_is(str_of(s->text[SETTING_REDIS_LITELLM]), "provide") &&
	    !str_is(str_of(s->text[SETTING_REDIS_LITELLM]), "consume") &&
	    !str_is(str_of(s->text[SETTING_REDIS_LITELLM]), "off"))
		problem_error(problems, litellm->mark,
		    "llmhealth.redis.litellm is \"%s\", expected provide, consume or off",
		    s->text[SETTING_REDIS_LITELLM]);
}

/* What LiteLLM's own client of the database takes. The URL is a secret: not a byte of it is shown. */
static void
check_database(const struct settings *s, const struct node *root, struct problems *problems)
{
	const struct node *at = node_at(root, setting_row(SETTING_DATABASE_URL)->path);
	struct str url = str_of(s->text[SETTING_DATABASE_URL]);

	if (url.n == 0 || str_starts(url, "postgresql://") || str_starts(url, "postgres://"))
		return;
	problem_warning(problems, at ? at->mark : (struct mark){ root->mark.file, 0, 0 },
	    "%s is no URL of a PostgreSQL database, expected postgresql://user:password@host:port/name; "
	    "it counts as disconnected",
	    at ? "general_settings.database_url" : "the variable DATABASE_URL");
}

/* Whether some row is this path or lies below it. */
static bool
path_is_ours(const char *path, bool *leads_on)
{
	size_t n = strlen(path);

	*leads_on = false;
	for (int i = 0; i < SETTING_COUNT; i++) {
		const char *row = setting_row((enum setting)i)->path;

		if (strcmp(row, path) == 0)
			return true;
		if (strncmp(row, path, n) == 0 && row[n] == '.') {
			*leads_on = true;
			return true;
		}
	}
	return false;
}

/* The name that was probably meant below `prefix` ("llmhealth.http"). */
static const char *
meant_below(const char *prefix, struct str key, char *name, size_t size)
{
	unsigned nearest = 3;
	size_t n = strlen(prefix);

	*name = '\0';
	for (int i = 0; i < SETTING_COUNT; i++) {
		const char *row = setting_row((enum setting)i)->path;
		struct str part;
		unsigned d;

		if (strncmp(row, prefix, n) != 0 || row[n] != '.')
			continue;
		part = (struct str){ row + n + 1, strcspn(row + n + 1, ".") };
		d = suggest_distance(key, part, 2);
		if (d < nearest && d < part.n) {
			nearest = d;
			snprintf(name, size, "%.*s", (int)part.n, part.p);
		}
	}
	return *name ? name : NULL;
}

static void
check_ours(const struct node *map, const char *prefix, struct problems *problems)
{
	char path[PATH_MAX_LEN], name[PATH_MAX_LEN];
	bool leads_on;

	if (map->type != NODE_MAP) {
		problem_error(problems, map->mark, "%s is %s, expected a mapping", prefix,
		    node_type_name(map));
		return;
	}
	for (size_t i = 0; i < map->n; i++) {
		const struct node *key = map->pairs[i].key, *value = map->pairs[i].value;

		if (node_is_str(key))
			snprintf(path, sizeof(path), "%s.%.*s", prefix,
			    key->text.n > 128 ? 128 : (int)key->text.n, key->text.p);
		if (!node_is_str(key)) {
			problem_error(problems, key->mark,
			    "a key of %s is %s, expected the name of a setting", prefix,
			    node_type_name(key));
		} else if (strcmp(path, KEYS) == 0) {
			continue; /* keys.c reads them */
		} else if (strcmp(path, OURS ".probes") == 0) {
			if (value->type != NODE_NULL)
				probe_kinds_check(value, problems);
		} else if (!path_is_ours(path, &leads_on)) {
			const char *meant = meant_below(prefix, key->text, name, sizeof(name));

			problem_error(problems, key->mark, "unknown setting %s%s%s%s", path,
			    meant ? ", did you mean \"" : ", expected one of docs/settings.md",
			    meant ? meant : "", meant ? "\"?" : "");
		} else if (leads_on && value->type != NODE_NULL) {
			check_ours(value, path, problems);
		}
	}
}

/* LiteLLM lets the router's groups win, and refuses two keys there. */
static void
read_router(struct settings *s, const struct node *root, struct problems *problems)
{
	static const char *const refused[] = { "health_check_interval",
		"health_check_concurrency" };
	const struct node *router = node_get_set(root, "router_settings"), *groups;

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		const struct node *node = node_get(router, refused[i]);

		if (node)
			problem_error(problems, node->mark,
			    "router_settings.%s stops LiteLLM at its start, expected it in "
			    "general_settings",
			    refused[i]);
	}
	groups = node_get_set(router, "background_health_check_model_groups");
	if (groups)
		read_node(s, SETTING_HC_GROUPS, groups, problems);
}

static void
check_sections(const struct node *root, struct problems *problems)
{
	static const char *const maps[] = { "general_settings", "litellm_settings",
		"router_settings" };

	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		const struct node *node = node_get_set(root, maps[i]);

		if (node && node->type != NODE_MAP)
			problem_error(problems, node->mark, "%s is %s, expected a mapping", maps[i],
			    node_type_name(node));
	}
}

void
settings_read(const struct node *root, const struct environ *env, struct problems *problems,
    struct settings *s)
{
	const struct node *ours = node_get_set(root, OURS);

	check_sections(root, problems);
	if (ours)
		check_ours(ours, OURS, problems);
	for (int i = 0; i < SETTING_COUNT; i++) {
		const struct node *node = node_at(root, setting_row((enum setting)i)->path);

		if (node)
			read_node(s, (enum setting)i, node, problems);
	}
	read_router(s, root, problems);
	read_variables(s, root, env, problems);
	read_state_directory(s, env);
	read_separate_listener(s, root, env, problems);
	redis_settings_read(root, env, problems, s);
	otlp_settings_read(root, env, problems, s);
	check_listen(s, root, problems);
	check_words(s, root, problems);
	check_database(s, root, problems);
}
