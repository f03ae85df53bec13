/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LiteLLM knows Redis from cache_params (with `cache: true`), from coordination_redis, from the
 * router's redis_*, each completed by REDIS_* variables. The first of them that is there counts.
 */
#include "supervisor/config/redis_settings.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/json.h"
#include "shared/json_read.h"
#include "shared/redis_address.h"
#include "shared/secret.h"

/* Where a key of LiteLLM's goes; NULL where that section or the environment has none. */
static const struct {
	enum setting id;
	const char *key, *router, *variable;
} sources[] = {
	{ SETTING_REDIS_URL, "url", "redis_url", "REDIS_URL" },
	{ SETTING_REDIS_HOST, "host", "redis_host", "REDIS_HOST" },
	{ SETTING_REDIS_PORT, "port", "redis_port", "REDIS_PORT" },
	{ SETTING_REDIS_USERNAME, "username", "redis_username", "REDIS_USERNAME" },
	{ SETTING_REDIS_PASSWORD, "password", "redis_password", "REDIS_PASSWORD" },
	{ SETTING_REDIS_DATABASE, "db", "redis_db", "REDIS_DB" },
	{ SETTING_REDIS_TLS, "ssl", "redis_ssl", "REDIS_SSL" },
	{ SETTING_REDIS_SOCKET, "unix_socket_path", NULL, "REDIS_UNIX_SOCKET_PATH" },
	{ SETTING_REDIS_CA, "ssl_ca_certs", NULL, "REDIS_SSL_CA_CERTS" },
	{ SETTING_REDIS_CERT, "ssl_certfile", NULL, "REDIS_SSL_CERTFILE" },
	{ SETTING_REDIS_KEY, "ssl_keyfile", NULL, "REDIS_SSL_KEYFILE" },
	{ SETTING_REDIS_SERVICE, "service_name", NULL, "REDIS_SERVICE_NAME" },
	{ SETTING_REDIS_SENTINEL_PASSWORD, "sentinel_password", NULL, "REDIS_SENTINEL_PASSWORD" },
};

static const struct {
	enum setting id;
	const char *key;
} lists[] = {
	{ SETTING_REDIS_CLUSTER, "redis_startup_nodes" },
	{ SETTING_REDIS_CLUSTER, "startup_nodes" },
	{ SETTING_REDIS_SENTINELS, "sentinel_nodes" },
};

#define REDIS_PORT 6379
#define SENTINEL_PORT 26379
#define ADDRESSES_TEXT_MAX 32768

/* URLs. */

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Percent-decoded. */
static int
take(struct str from, char *to, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < from.n; i++) {
		char c = from.p[i];

		if (c == '%') {
			if (i + 2 >= from.n || hex(from.p[i + 1]) < 0 || hex(from.p[i + 2]) < 0)
				return ERR_SYNTAX;
			c = (char)(hex(from.p[i + 1]) << 4 | hex(from.p[i + 2]));
			i += 2;
		}
		if (c == '\0' || n + 1 >= size)
			return ERR_SYNTAX;
		to[n++] = c;
	}
	to[n] = '\0';
	return 0;
}

static int
take_number(struct str s, int max, int *value)
{
	int n = 0;

	if (s.n == 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return ERR_SYNTAX;
		n = n * 10 + (s.p[i] - '0');
		if (n > max)
			return ERR_SYNTAX;
	}
	*value = n;
	return 0;
}

/* Up to the first of these characters; *rest is what follows, from it on. */
static struct str
until(struct str s, const char *stop, struct str *rest)
{
	size_t n = 0;

	while (n < s.n && strchr(stop, s.p[n]) == NULL)
		n++;
	*rest = (struct str){ s.p + n, s.n - n };
	return (struct str){ s.p, n };
}

static int
take_user(struct str *s, struct redis_url *url)
{
	const char *at = memrchr(s->p, '@', s->n);
	struct str info, rest, user;

	if (at == NULL)
		return 0;
	info = (struct str){ s->p, (size_t)(at - s->p) };
	*s = (struct str){ at + 1, s->n - info.n - 1 };
	user = until(info, ":", &rest);
	if (rest.n > 0 &&
	    take((struct str){ rest.p + 1, rest.n - 1 }, url->password, sizeof(url->password)) < 0)
		return ERR_SYNTAX;
	return take(user, url->username, sizeof(url->username));
}

static int
take_host(struct str s, struct redis_url *url)
{
	struct str host, port;

	if (s.n > 0 && s.p[0] == '[') {
		s = (struct str){ s.p + 1, s.n - 1 };
		host = until(s, "]", &port);
		if (port.n == 0)
			return ERR_SYNTAX;
		port = (struct str){ port.p + 1, port.n - 1 };
		if (port.n > 0 && port.p[0] != ':')
			return ERR_SYNTAX;
	} else {
		host = until(s, ":", &port);
	}
	if (port.n > 0 &&
	    take_number((struct str){ port.p + 1, port.n - 1 }, 65535, &url->port) < 0)
		return ERR_SYNTAX;
	return host.n > 0 && url->port != 0 ? take(host, url->host, sizeof(url->host)) : ERR_SYNTAX;
}

int
redis_url_parse(struct str text, struct redis_url *url)
{
	struct str rest = text, authority, path, query;
	bool local = str_starts(text, "unix://");
	size_t scheme;

	memset(url, 0, sizeof(*url));
	url->port = url->database = -1;
	url->tls = str_starts(text, "rediss://");
	if (!url->tls && !local && !str_starts(text, "redis://"))
		return ERR_SYNTAX;
	scheme = local ? 7 : url->tls ? 9 : 8;
	rest = (struct str){ text.p + scheme, text.n - scheme };
	authority = until(rest, "?", &query);
	if (local) {
		if (take_user(&authority, url) < 0 || authority.n == 0)
			return ERR_SYNTAX;
		if (take(authority, url->socket, sizeof(url->socket)) < 0)
			return ERR_SYNTAX;
		path = STR("");
	} else {
		struct str host = authority;

		/* A password may hold a slash: the path begins behind the user. */
		if (take_user(&host, url) < 0)
			return ERR_SYNTAX;
		host = until(host, "/", &path);
		if (take_host(host, url) < 0)
			return ERR_SYNTAX;
		if (path.n > 1 &&
		    take_number((struct str){ path.p + 1, path.n - 1 }, 65535, &url->database) < 0)
			return ERR_SYNTAX;
	}
	/* redis-py's other parameters are about its own client. */
	if (str_starts(query, "?db=")) {
		struct str more, db = until((struct str){ query.p + 4, query.n - 4 }, "&", &more);

		return take_number(db, 65535, &url->database);
	}
	return 0;
}

/* Reading. */

static void
set_text(struct settings *s, enum setting id, const char *text)
{
	if (*text && !s->given[id] && settings_set(s, id, str_of(text), NULL) < 0)
		abort(); /* no longer than the row takes: the URL's parts are bounded so */
}

static void
set_number(struct settings *s, enum setting id, int number)
{
	char text[16];

	if (number < 0)
		return;
	snprintf(text, sizeof(text), "%d", number);
	set_text(s, id, text);
}

static void
split_url(struct settings *s, struct mark mark, struct problems *problems)
{
	struct redis_url url;

	if (s->text[SETTING_REDIS_URL][0] == '\0')
		return;
	if (redis_url_parse(str_of(s->text[SETTING_REDIS_URL]), &url) < 0) {
		/* Not quoted: there may be a password in it. */
		problem_error(problems, mark,
		    "the URL of Redis is not understood, expected redis://, rediss:// or unix:// "
		    "with "
		    "user:password@host:port/database");
		return;
	}
	set_text(s, SETTING_REDIS_HOST, url.host);
	set_text(s, SETTING_REDIS_SOCKET, url.socket);
	set_text(s, SETTING_REDIS_USERNAME, url.username);
	set_text(s, SETTING_REDIS_PASSWORD, url.password);
	set_number(s, SETTING_REDIS_PORT, url.port);
	set_number(s, SETTING_REDIS_DATABASE, url.database);
	if (url.tls)
		set_text(s, SETTING_REDIS_TLS, "true");
	secret_wipe(&url, sizeof(url));
}

/* One key of LiteLLM's, unless our own section says it. */
static void
set_node(struct settings *s, enum setting id, const struct node *node, const char *path,
    struct problems *problems)
{
	struct buf expected = BUF_INIT(1024);
	char number[24];
	struct str value;

	if (s->given[id])
		return;
	switch (node->type) {
	case NODE_STR:
	case NODE_INT:
		value = node->text;
		break;
	case NODE_BOOL:
		snprintf(number, sizeof(number), "%s", node->num ? "true" : "false");
		value = str_of(number);
		break;
	default:
		value = (struct str){ NULL, 0 };
		break;
	}
	/* LiteLLM takes an empty text as none. */
	if (value.p && value.n == 0)
		return;
	if (value.p == NULL || settings_set(s, id, value, &expected) < 0) {
		if (value.p == NULL)
			setting_expected(&expected, id);
		problem_error(problems, node->mark, "%s is %s, expected %s", path,
		    node_type_name(node), buf_text(&expected));
	}
	buf_clear(&expected);
}

/* Lists of nodes. */

/* Appends "host:port" in a line of its own. */
static int
add_address(struct buf *b, struct str host, struct str port, uint16_t default_port)
{
	struct buf text = BUF_INIT(512);
	struct redis_address a;
	int rc;

	if (port.n > 0 && memchr(host.p, ':', host.n) && host.p[0] != '[')
		buf_addf(&text, "[%.*s]", (int)host.n, host.p);
	else
		buf_add_str(&text, host);
	if (port.n > 0)
		buf_addf(&text, ":%.*s", (int)port.n, port.p);
	rc = host.n == 0 || host.n > 255 || port.n > 5
		 ? ERR_SYNTAX
		 : redis_address_parse(buf_str(&text), default_port, &a);
	if (rc == 0) {
		if (b->len > 0)
			buf_add_char(b, '\n');
		buf_addf(b, strchr(a.host, ':') ? "[%s]:%u" : "%s:%u", a.host, a.port);
	}
	buf_clear(&text);
	return rc;
}

/* The text of a string; a number as it is. */
static struct str
plain(struct str json, struct buf *b)
{
	buf_reset(b);
	if (!json_read_text(json, b))
		buf_add_str(b, json);
	return buf_str(b);
}

/* `[{"host":"a","port":1}]`, `[["a",1]]`, `["a:1"]`: what LiteLLM has in its variables, and lists of ours. */
static int
add_json(struct buf *out, struct str text, uint16_t port)
{
	struct buf json = BUF_INIT(ADDRESSES_TEXT_MAX), h = BUF_INIT(512), p = BUF_INIT(512);
	struct str rest, item, host, number;
	int rc = json_read(text, &json, NULL);

	if (rc == 0 && (json.len < 2 || json.data[0] != '['))
		rc = ERR_SYNTAX;
	rest = buf_str(&json);
	while (rc == 0 && json_next_element(&rest, &item)) {
		if (item.p[0] == '{') {
			host = json_read_member(item, "host");
			number = json_read_member(item, "port");
		} else if (item.p[0] == '[') {
			if (!json_next_element(&item, &host))
				host = STR("");
			if (host.n == 0 || !json_next_element(&item, &number))
				number = STR("");
		} else {
			host = item;
			number = STR("");
		}
		rc = host.n == 0 || host.p[0] != '"'
			 ? ERR_SYNTAX
			 : add_address(out, plain(host, &h), plain(number, &p), port);
	}
	buf_clear(&json);
	buf_clear(&h);
	buf_clear(&p);
	return rc;
}

static int
add_node(struct buf *out, const struct node *node, uint16_t port)
{
	const struct node *host = node, *number = NULL;

	if (node->type == NODE_MAP) {
		host = node_get_set(node, "host");
		number = node_get_set(node, "port");
	} else if (node->type == NODE_LIST) {
		host = node->n > 0 ? node->items[0] : NULL;
		number = node->n > 1 ? node->items[1] : NULL;
	}
	if (host == NULL || !node_is_str(host) ||
	    (number && number->type != NODE_INT && !node_is_str(number)))
		return ERR_SYNTAX;
	return add_address(out, host->text, number ? number->text : STR(""), port);
}

static void
set_nodes(struct settings *s, enum setting id, const struct node *node, const char *path,
    struct problems *problems)
{
	uint16_t port = id == SETTING_REDIS_SENTINELS ? SENTINEL_PORT : REDIS_PORT;
	struct buf list = BUF_INIT(ADDRESSES_TEXT_MAX);
	int rc = 0;

	/* LiteLLM takes an empty list or text as none. */
	if (s->given[id] || !node_truth(node))
		return;
	if (node->type == NODE_LIST)
		for (size_t i = 0; i < node->n && rc == 0; i++)
			rc = add_node(&list, node->items[i], port);
	else
		rc = node_is_str(node) ? add_json(&list, node->text, port) : ERR_SYNTAX;
	if (rc < 0 || settings_set(s, id, buf_str(&list), NULL) < 0)
		problem_error(problems, node->mark,
		    "%s is not understood, expected a list of at most 64 nodes, each with host and "
		    "port",
		    path);
	buf_clear(&list);
}

static void
set_variable_nodes(struct settings *s, enum setting id, const struct environ *env,
    const char *variable, struct mark whole, struct problems *problems)
{
	uint16_t port = id == SETTING_REDIS_SENTINELS ? SENTINEL_PORT : REDIS_PORT;
	struct buf list = BUF_INIT(ADDRESSES_TEXT_MAX);
	const char *value = environ_get(env, variable);

	if (value && *value && !s->given[id] &&
	    (add_json(&list, str_of(value), port) < 0 ||
		settings_set(s, id, buf_str(&list), NULL) < 0))
		problem_error(problems, whole,
		    "the variable %s is not valid, expected JSON: a list of at most 64 nodes, each "
		    "with host and port",
		    variable);
	buf_clear(&list);
}

/* Ours are "host:port". */
static void
check_nodes(const struct settings *s, enum setting id, struct mark mark, struct problems *problems)
{
	struct redis_address a;
	struct str item;

	for (size_t i = 0; settings_list_item(s, id, i, &item); i++)
		if (redis_address_parse(item, REDIS_PORT, &a) < 0)
			problem_error(problems, mark, "%s: \"%.*s\" is no address, expected host:port",
			    setting_row(id)->path, item.n < 100 ? (int)item.n : 100, item.p);
}

static void
read_section(struct settings *s, const struct node *section, const char *name, bool router,
    struct problems *problems)
{
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		const char *key = router ? sources[i].router : sources[i].key;
		const struct node *node = key ? node_get_set(section, key) : NULL;

		if (node == NULL)
			continue;
		snprintf(path, sizeof(path), "%s.%s", name, key);
		set_node(s, sources[i].id, node, path, problems);
	}
	for (size_t i = 0; !router && i < ARRAY_LEN(lists); i++) {
		const struct node *node = node_get_set(section, lists[i].key);

		if (node == NULL)
			continue;
		snprintf(path, sizeof(path), "%s.%s", name, lists[i].key);
		set_nodes(s, lists[i].id, node, path, problems);
	}
}

static void
read_variables(
    struct settings *s, const struct environ *env, struct mark whole, struct problems *problems)
{
	bool placed = s->given[SETTING_REDIS_URL] || s->given[SETTING_REDIS_HOST] ||
		      s->given[SETTING_REDIS_SOCKET] || s->given[SETTING_REDIS_CLUSTER] ||
		      s->given[SETTING_REDIS_SENTINELS];

	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		const char *value = environ_get(env, sources[i].variable);
		bool place = sources[i].id == SETTING_REDIS_URL ||
			     sources[i].id == SETTING_REDIS_HOST ||
			     sources[i].id == SETTING_REDIS_SOCKET;
		struct buf expected = BUF_INIT(1024);

		/* A variable does not send us to another server than the config names. */
		if (value && *value && !s->given[sources[i].id] && !(place && placed) &&
		    settings_set(s, sources[i].id, str_of(value), &expected) < 0)
			problem_error(problems, whole, "the variable %s is not valid, expected %s",
			    sources[i].variable, buf_text(&expected));
		buf_clear(&expected);
	}
	/* These two count beside a host that the config names, as LiteLLM has it. */
	set_variable_nodes(s, SETTING_REDIS_CLUSTER, env, "REDIS_CLUSTER_NODES", whole, problems);
	set_variable_nodes(
	    s, SETTING_REDIS_SENTINELS, env, "REDIS_SENTINEL_NODES", whole, problems);
	/* An address as URL is followed before sentinels are asked. */
	if (s->given[SETTING_REDIS_URL] &&
	    settings_set(s, SETTING_REDIS_SENTINELS, STR(""), NULL) < 0)
		abort(); /* an empty list is one */
}

/* The section where LiteLLM has its server, or NULL. *used: LiteLLM uses Redis at all. */
static const struct node *
litellm_section(const struct node *root, const char **name, bool *router, bool *used)
{
	const struct node *litellm = node_get_set(root, "litellm_settings");
	const struct node *params = node_get_set(litellm, "cache_params");
	const struct node *type = node_get_set(params, "type");
	const struct node *general = node_get_set(root, "general_settings"), *found;

	*router = false;
	*used = true;
	*name = "litellm_settings.cache_params";
	if (node_get_set(litellm, "cache") && node_truth(node_get_set(litellm, "cache")) &&
	    (type == NULL || (node_is_str(type) && str_is(type->text, "redis"))))
		return params;
	*name = "general_settings.coordination_redis";
	found = node_get_set(general, "coordination_redis");
	if (found && found->type == NODE_MAP)
		return found;
	*name = "router_settings";
	*router = true;
	found = node_get_set(root, "router_settings");
	if (node_get_set(found, "redis_host") || node_get_set(found, "redis_url"))
		return found;
	*used = false;
	return NULL;
}

static void
enable(struct settings *s, bool on)
{
	if (settings_set(s, SETTING_REDIS_ENABLED, on ? STR("true") : STR("false"), NULL) < 0 ||
	    settings_set(s, SETTING_REDIS_URL, STR(""), NULL) < 0)
		abort(); /* the row's own words */
}

void
redis_settings_read(const struct node *root, const struct environ *env, struct problems *problems,
    struct settings *s)
{
	const struct node *ours = node_get_set(node_get_set(root, "llmhealth"), "redis");
	struct mark mark = ours ? ours->mark : (struct mark){ root->mark.file, 0, 0 };
	const struct node *section;
	const char *name;
	bool router, used;

	section = node_get_set(node_get_set(root, "litellm_settings"), "cache_params");
	if (node_get_set(section, "namespace"))
		set_node(s, SETTING_REDIS_NAMESPACE, node_get_set(section, "namespace"),
		    "litellm_settings.cache_params.namespace", problems);
	if (s->num[SETTING_REDIS_ENABLED] == 0) {
		enable(s, false);
		return;
	}
	check_nodes(s, SETTING_REDIS_CLUSTER, mark, problems);
	check_nodes(s, SETTING_REDIS_SENTINELS, mark, problems);
	if (!s->given[SETTING_REDIS_URL] && !s->given[SETTING_REDIS_HOST] &&
	    !s->given[SETTING_REDIS_SOCKET] && !s->given[SETTING_REDIS_CLUSTER] &&
	    !s->given[SETTING_REDIS_SENTINELS]) {
		section = litellm_section(root, &name, &router, &used);
		if (used)
			read_section(s, section, name, router, problems);
		if (used || s->num[SETTING_REDIS_ENABLED] == 1)
			read_variables(s, env, mark, problems);
		if (section && ours == NULL)
			mark = section->mark;
	}
	split_url(s, mark, problems);
	used = s->text[SETTING_REDIS_HOST][0] || s->text[SETTING_REDIS_SOCKET][0] ||
	       s->text[SETTING_REDIS_CLUSTER][0] || s->text[SETTING_REDIS_SENTINELS][0];
	if (s->text[SETTING_REDIS_SENTINELS][0] && !s->text[SETTING_REDIS_SERVICE][0] &&
	    !s->text[SETTING_REDIS_CLUSTER][0])
		problem_error(problems, mark,
		    "sentinels of Redis are named and the master is not, expected "
		    "llmhealth.redis.service, cache_params.service_name or REDIS_SERVICE_NAME");
	if (!used && s->num[SETTING_REDIS_ENABLED] == 1)
		problem_error(problems, mark,
		    "llmhealth.redis.enabled is true and no server is named, expected "
		    "llmhealth.redis.host, url, socket, cluster or sentinels, or REDIS_HOST or "
		    "REDIS_URL");
	enable(s, used);
}
