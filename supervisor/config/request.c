/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is sent to one deployment beside the probe's own question, and the limits of the probe:
 * headers, further members of the body, tokens, timeouts. LiteLLM's rules.
 */
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "shared/json.h"
#include "shared/model_facts.h"
#include "supervisor/config/pytext.h"
#include "supervisor/config/reading.h"

#define TIMEOUT_MS 60000
#define MAX_TOKENS 16
#define HEADERS_MAX 48

static bool
header_name_ok(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!isalnum((unsigned char)name.p[i]) &&
		    strchr("!#$%&'*+-.^_`|~", name.p[i]) == NULL)
			return false;
	return name.n > 0;
}

static bool
header_value_ok(struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] == '\r' || value.p[i] == '\n' || value.p[i] == '\0')
			return false;
	return true;
}

static void
add_header(struct reading *r, const struct pair *pair)
{
	struct buf text = BUF_INIT(READING_TEXT_MAX);
	struct str name, value;

	pytext_str(&text, pair->key);
	name = reading_keep(r, &text);
	pytext_str(&text, pair->value);
	value = reading_keep(r, &text);
	if (!header_name_ok(name)) {
		reading_refuse(r, pair->key, 400, NULL,
		    "a header's name has a character that HTTP does not allow");
		return;
	}
	if (!header_value_ok(value)) {
		reading_refuse(r, pair->value, 400, NULL,
		    "the value of header %.*s holds a line break or NUL", (int)name.n, name.p);
		return;
	}
	/* One header, whatever its letters' case: the later one counts. */
	for (size_t i = 0; i < r->headers.n; i++)
		if (r->headers.v[i].key.n == name.n &&
		    strncasecmp(r->headers.v[i].key.p, name.p, name.n) == 0) {
			r->headers.v[i] = (struct kv){ name, value };
			return;
		}
	if (r->headers.n == HEADERS_MAX)
		reading_refuse(r, pair->key, 400, NULL, "more than %d headers", HEADERS_MAX);
	else
		r->headers.v[r->headers.n++] = (struct kv){ name, value };
}

static void
read_headers(struct reading *r)
{
	static const char *const names[] = { "headers", "extra_headers" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct node *map = params_get(&r->asked, names[i]);

		if (map && map->type != NODE_MAP)
			reading_refuse(r, map, 400, NULL, "%s is %s, expected a mapping", names[i],
			    node_type_name(map));
		for (size_t k = 0; map && map->type == NODE_MAP && k < map->n; k++)
			if (map->pairs[k].value->type != NODE_NULL)
				add_header(r, &map->pairs[k]);
	}
}

static bool
dropped(const struct reading *r, struct str name)
{
	const struct node *list = params_get(&r->asked, "additional_drop_params");

	for (size_t i = 0; list && list->type == NODE_LIST && i < list->n; i++)
		if (node_is_str(list->items[i]) && str_eq(list->items[i]->text, name))
			return true;
	return false;
}

static void
add_member(struct buf *b, struct str name, const struct node *value)
{
	json_add_comma(b);
	json_add_string(b, name);
	buf_add_char(b, ':');
	pytext_compact(b, value);
}

static void
read_body(struct reading *r)
{
	const struct node *effort = reading_info(r, "health_check_reasoning_effort");
	const struct node *extra = params_get(&r->asked, "extra_body");
	struct buf b = BUF_INIT(READING_TEXT_MAX);
	struct params body = { .n = 0 };

	for (size_t i = 0; i < r->asked.n; i++) {
		struct str name = r->asked.v[i].name;

		if (param_is_sent(name) && !names_list_has(r->provider->params, name) &&
		    !dropped(r, name) && !(r->mode == MODE_AUDIO_SPEECH && str_is(name, "voice")))
			params_set(&body, name, r->asked.v[i].value);
	}
	if (effort && (r->mode == MODE_CHAT || r->mode == MODE_COMPLETION) &&
	    !dropped(r, STR("reasoning_effort")))
		params_set(&body, STR("reasoning_effort"), effort);
	if (extra && extra->type != NODE_MAP)
		reading_refuse(r, extra, 400, NULL, "extra_body is %s, expected a mapping",
		    node_type_name(extra));
	for (size_t i = 0; extra && extra->type == NODE_MAP && i < extra->n; i++)
		if (node_is_str(extra->pairs[i].key))
			params_set(&body, extra->pairs[i].key->text, extra->pairs[i].value);
	buf_add_char(&b, '{');
	for (size_t i = 0; i < body.n; i++)
		add_member(&b, body.v[i].name, body.v[i].value);
	buf_add_char(&b, '}');
	if (!buf_ok(&b))
		reading_refuse(r, r->litellm_params, 400, NULL,
		    "the request's parameters are larger than 1 MB");
	if (body.n > 0)
		r->d->target.extra_body = reading_keep(r, &b);
	buf_clear(&b);
}

/* A number of tokens in model_info; -1 when it is not there. */
static int64_t
tokens_of(struct reading *r, const char *key)
{
	const struct node *node = reading_info(r, key);
	int64_t n = -1;

	if (node && (node_whole(node, &n) < 0 || n < 1)) {
		reading_refuse(r, node, 400, NULL, "%s is %s, expected a whole number above 0", key,
		    node->type == NODE_INT ? "below 1" : node_type_name(node));
		return -1;
	}
	return n;
}

static int64_t
env_number(struct reading *r, const char *name)
{
	const char *text = reading_env(r, name);
	char *end;
	long long n = text ? strtoll(text, &end, 10) : -1;

	return text && *end == '\0' && n > 0 ? n : -1;
}

/* LiteLLM's order; reasoning is judged by the configured model. */
static int64_t
probe_tokens(struct reading *r)
{
	bool reasons = !r->wildcard && model_reasons(STR(""), r->d->front.model);
	int64_t both = tokens_of(r, "health_check_max_tokens");
	int64_t yes = tokens_of(r, "health_check_max_tokens_reasoning");
	int64_t no = tokens_of(r, "health_check_max_tokens_non_reasoning");
	int64_t env = env_number(r, "BACKGROUND_HEALTH_CHECK_MAX_TOKENS");
	int64_t env_reasoning = env_number(r, "BACKGROUND_HEALTH_CHECK_MAX_TOKENS_REASONING");

	if (both > 0)
		return both;
	if (!r->wildcard && (reasons ? yes : no) > 0)
		return reasons ? yes : no;
	if (reasons && env_reasoning > 0)
		return env_reasoning;
	if (env > 0)
		return env;
	return r->wildcard ? -1 : MAX_TOKENS;
}

static void
read_tokens(struct reading *r)
{
	const struct node *supports = reading_info(r, "health_check_supports_max_tokens");
	const struct node *own = params_get(&r->asked, "max_tokens");
	bool sent = supports ? node_says_true(supports) : mode_takes_max_tokens((enum mode)r->mode);
	int64_t tokens = sent ? probe_tokens(r) : -1;

	if (own == NULL)
		own = params_get(&r->asked, "max_completion_tokens");
	if (tokens < 0 && own && (!sent || r->wildcard) && node_whole(own, &tokens) < 0)
		tokens = -1;
	if (sent && tokens < 0 && memchr(r->bare.p, '*', r->bare.n))
		tokens = MAX_TOKENS; /* of the model that is found */
	if (dropped(r, STR("max_tokens")) || r->provider->token_param == NULL)
		tokens = -1;
	r->d->target.max_tokens = tokens;
}

/* For chats that are sent by hand: what LiteLLM adds to a request that says nothing of it. */
static void
keep_limits(struct reading *r)
{
	static const struct {
		const char *name;
		struct str own;
	} limits[] = { { "max_tokens", STR("own_max_tokens") },
		{ "max_completion_tokens", STR("own_max_completion_tokens") } };

	if (r->mode != MODE_CHAT)
		return;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		const struct node *node = params_get(&r->configured, limits[i].name);
		struct buf text = BUF_INIT(32);
		int64_t n;

		if (node && node_whole(node, &n) == 0 && n > 0) {
			buf_add_int(&text, n);
			kv_set(&r->params, limits[i].own, reading_keep(r, &text));
		}
		buf_clear(&text);
	}
}

static void
read_timeouts(struct reading *r)
{
	const struct node *whole = reading_info(r, "health_check_timeout");
	const struct node *own = params_get(&r->asked, "timeout");
	const struct settings *s = r->ctx->settings;
	int64_t ms = 0;

	if (whole && node_milliseconds(whole, &ms) < 0)
		reading_refuse(r, whole, 400, NULL,
		    "health_check_timeout is %s, expected seconds from 0 to 86400",
		    node_type_name(whole));
	if (ms == 0) {
		ms = env_number(r, "HEALTH_CHECK_TIMEOUT_SECONDS");
		ms = ms > 0 && ms <= 86400 ? ms * 1000 : TIMEOUT_MS;
	}
	r->d->target.timeout_ms = (uint64_t)ms;
	r->d->front.timeout_ms = (uint64_t)ms;
	ms = s->given[SETTING_REQUEST_TIMEOUT] ? s->num[SETTING_REQUEST_TIMEOUT] * 1000 : 0;
	if (own && node_milliseconds(own, &ms) < 0)
		ms = 0;
	r->d->target.attempt_timeout_ms = (uint64_t)ms;
}

void
request_read(struct reading *r)
{
	read_headers(r);
	read_body(r);
	read_tokens(r);
	keep_limits(r);
	read_timeouts(r);
}
