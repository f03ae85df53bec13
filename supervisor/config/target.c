/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker needs to reach one deployment: where, with which key, over what. A key from the
 * environment goes only to the provider whose variable it is.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "shared/secret.h"
#include "supervisor/config/identity.h"
#include "supervisor/config/pytext.h"
#include "supervisor/config/reading.h"
#include "supervisor/config/router.h"

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
			      names_list_has(r->provider->params, p->name) ||
			      str_is(p->name, "drop_params") ||
			      str_is(p->name, "realtime_protocol");

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

/* "arn:aws:bedrock:eu-central-1:1:…" is asked in its own region. */
static void
read_arn_region(struct reading *r)
{
	const char *arn = r->bare.n ? memmem(r->bare.p, r->bare.n, "arn:", 4) : NULL;
	struct str left = { arn, arn ? r->bare.n - (size_t)(arn - r->bare.p) : 0 };

	if (arn == NULL || !names_list_has(r->provider->params, STR("aws_region_name")) ||
	    param_text(r, "aws_region_name"))
		return;
	for (int colons = 0; left.n > 0 && colons < 3; left.p++, left.n--)
		colons += *left.p == ':';
	for (size_t n = 0; n < left.n; n++)
		if (left.p[n] == ':') {
			if (n > 0)
				kv_set(&r->params, STR("aws_region_name"),
				    arena_copy(r->ctx->arena, (struct str){ left.p, n }));
			return;
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
		if (!names_list_has(r->provider->params, str_of(rows[i].name)) ||
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
	if (base_model && node_is_str(base_model) &&
	    names_list_has(r->provider->params, STR("base_model")))
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
		if (names_list_has(r->provider->params, r->secrets.v[i].key))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		if (params_get(&r->asked, ways[i]))
			return true;
	return false;
}

/* OpenAI is the first: its words are those of its client. */
static const char *const keyless[][2] = {
#define KEYLESS(provider, words) { provider, words },
#include "supervisor/config/keyless.def"
#undef KEYLESS
};

/* LiteLLM's words; for OpenAI's client without the variables that are not the provider's. */
static void
add_keyless_error(struct buf *b, const struct reading *r, const char *variable)
{
	const struct provider_call *call = provider_call(r->provider, (enum mode)r->mode);
	bool sdk = call && call->client == CLIENT_SDK;
	const char *name = r->provider->name;

	for (size_t i = 0; i < ARRAY_LEN(keyless); i++)
		if (strcmp(name, keyless[i][0]) == 0 && (i > 0 || sdk)) {
			buf_add_text(b, keyless[i][1]);
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
	if (named)
		buf_addf(&why, "api_key is os.environ/%s, which is not set", named);
	else
		buf_add_text(&why, "no api_key is given");
	if (*variable && (named == NULL || strcmp(named, variable) != 0))
		buf_addf(&why, ", and %s is not set", variable);
	reading_refuse(r, key ? key : r->litellm_params,
	    str_starts(buf_str(&shown), "litellm.Auth") ? 401 : 500, buf_text(&shown), "%s",
	    buf_text(&why));
	buf_clear(&shown);
	buf_clear(&why);
}

/* A variable that holds something else than the provider's key. */
static const char *
secret_of_variable(const char *variable)
{
	static const char *const rows[][2] = {
		{ "WATSONX_TOKEN", "token" },
		{ "WATSONX_ZENAPIKEY", "zen_api_key" },
		{ "GIGACHAT_ACCESS_TOKEN", "token" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(variable, rows[i][0]) == 0)
			return rows[i][1];
	return strstr(variable, "AD_TOKEN") ? "azure_ad_token" : "api_key";
}

static void
read_key(struct reading *r)
{
	const struct node *configured = params_get(&r->asked, "api_key");
	char variable[NAME_MAX_LEN] = "";
	const char *value;

	if (identity_read(r)) {
		r->d->key_set = r->d->front.problem_reason == REASON_OK;
		return;
	}
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
			kv_set(&r->secrets, str_of(secret_of_variable(variable)),
			    arena_copy(r->ctx->arena, str_of(value)));
		kv_set(&r->params, STR("key_variable"), r->d->key_variable);
		if (strncmp(variable, "AWS_", 4) == 0 && reading_env(r, "AWS_SESSION_TOKEN"))
			take_variables(r, "AWS_SESSION_TOKEN");
	} else if (r->provider->without_key == KEY_REQUIRED) {
		refuse_keyless(r, variable);
	} else {
		if (unset_key(r))
			problem_warning(r->ctx->problems,
			    node_get(r->litellm_params, "api_key")->mark,
			    "api_key is os.environ/%s, which is not set; it is asked without a key",
			    unset_key(r));
		if (r->provider->without_key == KEY_PLACEHOLDER)
			kv_set(&r->secrets, STR("api_key"), str_of(r->provider->placeholder));
	}
}

static void
read_base(struct reading *r)
{
	static const char *const names[] = { "base_url", "aws_bedrock_runtime_endpoint" };
	const struct node *given = params_get(&r->asked, "api_base");
	const struct provider_call *call = provider_call(r->provider, (enum mode)r->mode);
	struct buf base = BUF_INIT(8192), why = BUF_INIT(1024), url = BUF_INIT(16384);
	struct str text = STR("");

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (given == NULL || !node_is_str(given) || given->text.n == 0)
			given = params_get(&r->asked, names[i]);
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
	if (given && call && call->flags & CALL_FIXED_BASE)
		problem_warning(r->ctx->problems, given->mark,
		    "%s is always asked at its own host: api_base is not used", r->provider->name);
	r->d->target.api_base = reading_keep(r, &base);
	buf_clear(&why);
	buf_clear(&url);
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

	t->proxy = t->api_base.n == 0 || str_starts(t->api_base, "https:") ||
			   str_starts(t->api_base, "wss:")
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
	bool refused;

	t->id = r->d->front.id;
	t->max_tokens = -1;
	t->allow_link_local = r->ctx->settings->num[SETTING_ALLOW_LINK_LOCAL] != 0;
	t->extra_body = STR("");
	if (r->provider == NULL)
		return;
	t->provider = str_of(r->provider->name);
	t->dialect = str_of(r->provider->dialect);
	t->model = arena_copy(r->ctx->arena, r->bare);
	if (router_is(r)) {
		router_read(r);
		return;
	}
	if (r->mode < 0)
		return;
	t->mode = (uint32_t)r->mode;
	refused = provider_refuses(r->provider, (enum mode)r->mode, &why);
	if (refused)
		reading_refuse(r, reading_info(r, "mode"), 400, NULL, "%s", buf_text(&why));
	buf_clear(&why);
	if (r->provider->dialect == NULL)
		return;
	read_params(r);
	read_arn_region(r);
	read_env_params(r);
	read_probe_params(r);
	probe_kind_read(r);
	read_key(r);
	if (!refused)
		read_base(r);
	request_read(r);
	read_tls(r);
	read_proxy(r);
	t->params = reading_kvs(r, &r->params);
	t->secrets = reading_kvs(r, &r->secrets);
	t->headers = reading_kvs(r, &r->headers);
	refuse_nul(r);
}
