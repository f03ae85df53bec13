/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker needs to ask one deployment: where, with which key, and what is sent beside the
 * probe's own question. A key from the environment goes only to the provider whose variable it is.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/json.h"
#include "shared/secret.h"
#include "supervisor/config/model_facts.h"
#include "supervisor/config/pytext.h"
#include "supervisor/config/reading.h"

#define TIMEOUT_MS 60000
#define MAX_TOKENS 16
#define HEADERS_MAX 48
#define NAME_MAX_LEN 128

static const char *
param_text(void *arg, const char *name)
{
	const struct reading *r = arg;
	const struct node *node = params_get(&r->asked, name);

	if (node && (node->type == NODE_STR || node->type == NODE_INT) && node->text.n > 0)
		return node->text.p;
	for (size_t i = 0; i < r->params.n; i++)
		if (str_is(r->params.v[i].key, name))
			return r->params.v[i].value.p;
	return NULL;
}

/* Whether the word is one of those in a list by blanks. */
static bool
listed(const char *list, struct str word)
{
	for (; *list; list += strcspn(list, " ")) {
		list += strspn(list, " ");
		if (strcspn(list, " ") == word.n && memcmp(list, word.p, word.n) == 0)
			return word.n > 0;
	}
	return false;
}

/* A value as a parameter's text: a text as it is, a mapping as JSON, the rest as YAML would have
 * it. */
static struct str
value_text(const struct reading *r, const struct node *value)
{
	struct buf b = BUF_INIT(READING_TEXT_MAX);

	if (value->type == NODE_STR)
		return value->text;
	if (value->type == NODE_BOOL)
		return value->num ? STR("true") : STR("false");
	if (value->type == NODE_MAP || value->type == NODE_LIST)
		pytext_compact(&b, value);
	else
		pytext_str(&b, value);
	return reading_keep(r, &b);
}

static void
read_params(struct reading *r)
{
	static const char *const not_theirs[] = { "api_base", "base_url", "model",
		"custom_llm_provider", "litellm_credential_name", "litellm_trace_id",
		"budget_duration" };

	for (size_t i = 0; i < r->asked.n; i++) {
		const struct param *p = &r->asked.v[i];
		const struct param_row *row = param_find(p->name);
		bool wanted = (row && row->type == PARAM_TEXT) ||
			      listed(r->provider->params, p->name) ||
			      str_is(p->name, "drop_params");

		for (size_t k = 0; k < ARRAY_LEN(not_theirs); k++)
			wanted = wanted && !str_is(p->name, not_theirs[k]);
		if (param_is_secret(p->name)) {
			struct str value = value_text(r, p->value);

			if (value.n > 0)
				kv_set(&r->secrets, p->name, value);
		} else if (wanted) {
			kv_set(&r->params, p->name, value_text(r, p->value));
		}
	}
}

/* Parameters that LiteLLM takes from the environment where the deployment has none. */
static void
read_env_params(struct reading *r)
{
	static const struct {
		const char *name, *variables;
	} rows[] = {
		{ "organization", "OPENAI_ORGANIZATION OPENAI_ORG_ID" },
		{ "api_version", "AZURE_API_VERSION" },
		{ "aws_region_name", "AWS_REGION_NAME AWS_REGION AWS_DEFAULT_REGION" },
		{ "vertex_project", "VERTEXAI_PROJECT" },
		{ "vertex_location", "VERTEXAI_LOCATION" },
	};
	char name[NAME_MAX_LEN];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!listed(r->provider->params, str_of(rows[i].name)) ||
		    param_text(r, rows[i].name))
			continue;
		for (const char *v = rows[i].variables; *v; v += strspn(v, " ")) {
			size_t n = strcspn(v, " ");
			const char *value;

			snprintf(name, sizeof(name), "%.*s", (int)n, v);
			value = reading_env(r, name);
			v += n;
			if (value) {
				kv_set(&r->params, str_of(rows[i].name),
				    arena_copy(r->ctx->arena, str_of(value)));
				break;
			}
		}
	}
}

/* What the probe says in a mode, where it is not always the same. */
static void
read_probe_params(struct reading *r)
{
	const struct node *voice = reading_info(r, "health_check_voice");
	const struct node *base_model = reading_info(r, "base_model");
	const char *prompt = reading_env(r, "DEFAULT_HEALTH_CHECK_PROMPT");

	if (r->mode == MODE_AUDIO_SPEECH)
		kv_set(&r->params, STR("voice"),
		    voice && node_is_str(voice) ? voice->text : STR("alloy"));
	if (prompt)
		kv_set(&r->params, STR("prompt"), arena_copy(r->ctx->arena, str_of(prompt)));
	if (base_model && node_is_str(base_model) && listed(r->provider->params, STR("base_model")))
		kv_set(&r->params, STR("base_model"), base_model->text);
}

/* Secrets by the names of their parameters: "AWS_ACCESS_KEY_ID+AWS_SECRET_ACCESS_KEY" are two. */
static void
take_variables(struct reading *r, const char *names)
{
	char name[NAME_MAX_LEN], key[NAME_MAX_LEN];

	for (const char *p = names; *p; p += strspn(p, "+/")) {
		size_t n = strcspn(p, "+/");
		const char *value;

		snprintf(name, sizeof(name), "%.*s", (int)n, p);
		p += n;
		value = reading_env(r, name);
		if (value == NULL)
			continue;
		for (size_t i = 0; i <= strlen(name); i++)
			key[i] = (char)tolower((unsigned char)name[i]);
		kv_set(&r->secrets, arena_copy(r->ctx->arena, str_of(key)),
		    arena_copy(r->ctx->arena, str_of(value)));
	}
}

/* Whether the config itself has what the provider is signed in with, beside an api_key. */
static bool
has_credentials(const struct reading *r)
{
	static const char *const ways[] = { "aws_profile_name", "aws_role_name", "aws_session_name",
		"azure_ad_token_provider" };

	for (size_t i = 0; i < r->secrets.n; i++)
		if (listed(r->provider->params, r->secrets.v[i].key))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		if (params_get(&r->asked, ways[i]))
			return true;
	return false;
}

/* LiteLLM's words for OpenAI itself; for others without the variables that are not theirs. */
static void
add_keyless_error(struct buf *b, const struct reading *r, const char *variable)
{
	const struct provider_call *call = provider_call(r->provider, (enum mode)r->mode);
	bool sdk = call && call->client == CLIENT_SDK;
	const char *name = r->provider->name;

	if (strcmp(name, "openai") == 0 && sdk) {
		buf_add_text(b,
		    "litellm.InternalServerError: InternalServerError: OpenAIException - Missing "
		    "credentials. "
		    "Please pass an `api_key`, `workload_identity`, `admin_api_key`, or set the "
		    "`OPENAI_API_KEY` or `OPENAI_ADMIN_KEY` environment variable.");
		return;
	}
	buf_addf(b, "litellm.%s: %s%c%sException - Missing credentials. Please pass an `api_key`",
	    sdk ? "InternalServerError" : "AuthenticationError", sdk ? "InternalServerError: " : "",
	    toupper((unsigned char)name[0]), name + 1);
	if (*variable)
		buf_addf(b, ", or set the `%s` environment variable", variable);
	buf_add_char(b, '.');
}

/* The variable that api_key names and that is not set, or NULL. */
static const char *
unset_key(const struct reading *r)
{
	const struct node *key = node_get(r->litellm_params, "api_key");

	return key && key->type == NODE_NULL && key->from_env ? key->env_name : NULL;
}

static void
refuse_keyless(struct reading *r, const char *variable)
{
	const struct node *key = node_get(r->litellm_params, "api_key");
	const char *named = unset_key(r);
	struct buf shown = BUF_INIT(1024), why = BUF_INIT(1024);

	add_keyless_error(&shown, r, variable);
	if (named) {
		buf_addf(&why, "api_key is os.environ/%s, which is not set", named);
		/* The one that the config names is the one to be set. */
		r->d->key_variable = arena_copy(r->ctx->arena, str_of(named));
	} else
		buf_add_text(&why, "no api_key is given");
	if (*variable && (named == NULL || strcmp(named, variable) != 0))
		buf_addf(&why, ", and %s is not set", variable);
	reading_refuse(r, key ? key : r->litellm_params,
	    str_starts(buf_str(&shown), "litellm.Auth") ? 401 : 500, buf_text(&shown), "%s",
	    buf_text(&why));
	buf_clear(&shown);
	buf_clear(&why);
}

static void
read_key(struct reading *r)
{
	const struct node *configured = params_get(&r->asked, "api_key");
	char variable[NAME_MAX_LEN] = "";
	const char *value;

	if (configured && node_is_str(configured) && configured->text.n > 0) {
		r->d->key_set = true;
		if (configured->from_env && configured->env_name)
			r->d->key_variable =
			    arena_copy(r->ctx->arena, str_of(configured->env_name));
		return;
	}
	value = provider_key(
	    r->provider, (enum mode)r->mode, reading_env, r, variable, sizeof(variable));
	r->d->key_variable = arena_copy(r->ctx->arena, str_of(variable));
	if (value == NULL && unset_key(r))
		r->d->key_variable = arena_copy(r->ctx->arena, str_of(unset_key(r)));
	if (has_credentials(r)) {
		r->d->key_set = true;
	} else if (value) {
		r->d->key_set = true;
		if (strpbrk(variable, "+/"))
			take_variables(r, variable);
		else
			kv_set(&r->secrets,
			    strstr(variable, "AD_TOKEN") ? STR("azure_ad_token") : STR("api_key"),
			    arena_copy(r->ctx->arena, str_of(value)));
		kv_set(&r->params, STR("key_variable"), r->d->key_variable);
		if (strncmp(variable, "AWS_", 4) == 0 && reading_env(r, "AWS_SESSION_TOKEN"))
			take_variables(r, "AWS_SESSION_TOKEN");
	} else if (r->provider->without_key == KEY_PLACEHOLDER) {
		kv_set(&r->secrets, STR("api_key"), str_of(r->provider->placeholder));
	} else if (r->provider->without_key == KEY_REQUIRED) {
		refuse_keyless(r, variable);
	}
}

static void
read_base(struct reading *r)
{
	const struct node *given = params_get(&r->asked, "api_base");
	const struct provider_call *call = provider_call(r->provider, (enum mode)r->mode);
	struct buf base = BUF_INIT(8192), why = BUF_INIT(1024), url = BUF_INIT(16384);
	struct str text = STR("");

	if (given == NULL || !node_is_str(given) || given->text.n == 0)
		given = params_get(&r->asked, "base_url");
	if (given && node_is_str(given))
		text = given->text;
	if (provider_base(r->provider, (enum mode)r->mode, text, reading_env, param_text, r, &base,
		&why) < 0) {
		reading_refuse(r, r->litellm_params, 400, NULL, "%s", buf_text(&why));
	} else if (call && provider_url(call, buf_str(&base), r->bare, &url) == ERR_INVALID) {
		reading_refuse(r, given ? given : r->litellm_params, 400, NULL,
		    "%s is no URL that can be asked, expected http://HOST or https://HOST",
		    given ? "api_base" : "the base from the environment");
	}
	r->d->target.api_base = reading_keep(r, &base);
	buf_clear(&why);
	buf_clear(&url);
}

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

		if (param_is_sent(name) && !listed(r->provider->params, name) &&
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
	bool reasons = !r->wildcard && model_reasons(r->d->front.model);
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
	if (dropped(r, STR("max_tokens")) || r->provider->token_param == NULL)
		tokens = -1;
	r->d->target.max_tokens = tokens;
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

static void
read_tls(struct reading *r)
{
	const struct node *own = params_get(&r->asked, "ssl_verify");
	const struct node *certificate = params_get(&r->asked, "ssl_certificate");
	const char *set = r->ctx->settings->text[SETTING_SSL_VERIFY];
	const char *client = r->ctx->settings->text[SETTING_SSL_CERTIFICATE];
	const char *system = reading_env(r, "SSL_CERT_FILE");
	struct msg_conf_target *t = &r->d->target;
	struct str verify = own ? value_text(r, own) : str_of(set);

	t->ssl_verify = true;
	if (str_is(verify, "false") || str_is(verify, "False"))
		t->ssl_verify = false;
	else if (verify.n > 0 && !str_is(verify, "true") && !str_is(verify, "True"))
		t->ca_file = arena_copy(r->ctx->arena, verify);
	else if (system)
		t->ca_file = arena_copy(r->ctx->arena, str_of(system));
	if (certificate && node_is_str(certificate))
		client = certificate->text.p;
	if (client && *client) {
		t->client_cert = arena_copy(r->ctx->arena, str_of(client));
		t->client_key = t->client_cert;
	}
}

static struct str
env_either(struct reading *r, const char *lower, const char *upper)
{
	const char *value = reading_env(r, lower);

	if (value == NULL)
		value = reading_env(r, upper);
	return value ? arena_copy(r->ctx->arena, str_of(value)) : STR("");
}

static void
read_proxy(struct reading *r)
{
	struct msg_conf_target *t = &r->d->target;

	t->proxy = str_starts(t->api_base, "https:") || str_starts(t->api_base, "wss:")
		       ? env_either(r, "https_proxy", "HTTPS_PROXY")
		       : env_either(r, "http_proxy", "HTTP_PROXY");
	if (t->proxy.n == 0)
		t->proxy = env_either(r, "all_proxy", "ALL_PROXY");
	if (t->proxy.n > 0)
		t->no_proxy = env_either(r, "no_proxy", "NO_PROXY");
}

static bool
holds_nul(struct str s)
{
	return s.n > 0 && memchr(s.p, '\0', s.n) != NULL;
}

static bool
kvs_hold_nul(struct kvs list)
{
	for (size_t i = 0; i < list.n; i++)
		if (holds_nul(list.v[i].key) || holds_nul(list.v[i].value))
			return true;
	return false;
}

/* A worker keeps texts as C does. */
static void
refuse_nul(struct reading *r)
{
#define NUL_U32(value) false
#define NUL_U64(value) false
#define NUL_I64(value) false
#define NUL_BOOL(value) false
#define NUL_STR(value) holds_nul(value)
#define NUL_KVS(value) kvs_hold_nul(value)
#define CHECK_NUL(message, type, field) \
	if (NUL_##type(r->d->target.field)) { \
		reading_refuse(r, r->litellm_params, 400, NULL, "a text holds a NUL byte"); \
		return; \
	}
	MSG_FIELDS_conf_target(CHECK_NUL, unused)
}

void
target_read(struct reading *r)
{
	struct msg_conf_target *t = &r->d->target;
	struct buf why = BUF_INIT(1024);

	t->id = r->d->front.id;
	t->max_tokens = -1;
	t->allow_link_local = r->ctx->settings->num[SETTING_ALLOW_LINK_LOCAL] != 0;
	t->extra_body = STR("");
	if (r->provider == NULL)
		return;
	t->provider = str_of(r->provider->name);
	t->dialect = str_of(r->provider->dialect);
	t->model = arena_copy(r->ctx->arena, r->bare);
	if (r->mode < 0)
		return;
	t->mode = (uint32_t)r->mode;
	if (provider_refuses(r->provider, (enum mode)r->mode, &why)) {
		reading_refuse(r, reading_info(r, "mode"), 400, NULL, "%s", buf_text(&why));
		buf_clear(&why);
		if (r->provider->dialect == NULL)
			return;
	}
	read_params(r);
	read_env_params(r);
	read_probe_params(r);
	read_key(r);
	read_base(r);
	read_headers(r);
	read_body(r);
	read_tokens(r);
	read_timeouts(r);
	read_tls(r);
	read_proxy(r);
	t->params = reading_kvs(r, &r->params);
	t->secrets = reading_kvs(r, &r->secrets);
	t->headers = reading_kvs(r, &r->headers);
	refuse_nul(r);
}
