/* SPDX-License-Identifier: Apache-2.0 */
/* Reading test_connection's body: LiteLLM's rules of what is taken, and ours of what may meet. */
#include "supervisor/front/http/test_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shared/json.h"
#include "shared/json_read.h"
#include "shared/mode.h"
#include "shared/provider.h"
#include "shared/secret.h"
#include "shared/secret_name.h"
#include "supervisor/front/http/test_base.h"

#define MAX_BODY (1u << 20)
#define MAX_PARAMS 64
#define MAX_HEADERS 32
#define ERROR_MAX 4096
#define SUPPORTED "See modes here: https://docs.litellm.ai/docs/proxy/health"

/* Of the model's and the probe's, not of the connection. */
static const char *const harmless[] = { "model", "mode", "timeout", "stream_timeout",
	"request_timeout", "max_retries", "num_retries", "max_tokens", "max_completion_tokens",
	"temperature", "rpm", "tpm", "stream", "base_model", "drop_params", "tags", "weight",
	"metadata", TEST_CREDENTIAL };
/* Of the caller's own parameters: what LiteLLM shows. */
static const char *const shown[] = { "api_base", "api_version", "vertex_project", "vertex_location",
	"region_name", "aws_region_name", "aws_bedrock_runtime_endpoint", "watsonx_region_name",
	"custom_llm_provider", "tpm", "rpm", "model", "mode_error", "base_model" };
/* What a caller may not set: it would say where the request ends, or to whom it goes. */
static const char *const forbidden[] = { "host", "content-length", "transfer-encoding",
	"connection", "expect", "upgrade", "te", "trailer" };

struct test_request {
	struct buf body; /* the whole object, in one form */
	struct str params, info;
	enum test_outcome outcome;
	int status;
	struct buf error, loc;
	const char *type;
	const struct deployment *base;
	char *base_id;
	struct buf shown;
	struct msg_test m;
	struct kv values[MAX_PARAMS], secrets[MAX_PARAMS], headers[MAX_HEADERS];
	size_t n_values, n_secrets, n_headers;
	char **texts; /* owned; no more than the body has values, and a few */
	size_t n_texts, cap_texts;
};

static bool
is_one_of(struct str s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(s, list[i]))
			return true;
	return false;
}

static int
end(struct test_request *t, enum test_outcome outcome, int status, const char *text)
{
	t->outcome = outcome;
	t->status = status;
	buf_reset(&t->error);
	buf_add_text(&t->error, text);
	return ERR_INVALID;
}

static int
invalid(struct test_request *t, const char *type, const char *loc, const char *text)
{
	t->type = type;
	buf_add_text(&t->loc, loc);
	return end(t, TEST_INVALID, 422, text);
}

static struct str
keep(struct test_request *t, struct buf *b)
{
	struct str s = { NULL, b->len };

	if (t->n_texts == t->cap_texts) {
		t->cap_texts = t->cap_texts ? 2 * t->cap_texts : 32;
		t->texts = xrealloc(t->texts, t->cap_texts * sizeof(*t->texts));
	}
	s.p = t->texts[t->n_texts++] = buf_take(b);
	return s;
}

/* The text of a value: of a string, or a number or boolean as it is. Empty for anything else. */
static struct str
value_text(struct test_request *t, struct str value)
{
	struct buf b = BUF_INIT(MAX_BODY);

	if (value.n == 0 || *value.p == '{' || *value.p == '[' || str_is(value, "null"))
		return STR("");
	if (!json_read_text(value, &b)) {
		buf_reset(&b);
		buf_add_str(&b, value);
	}
	return keep(t, &b);
}

static struct str
param_text(struct test_request *t, const char *key)
{
	return value_text(t, json_read_member(t->params, key));
}

static bool
is_object(struct str value)
{
	return value.n > 0 && *value.p == '{';
}

static bool
is_set(struct str value)
{
	return value.n > 0 && !str_is(value, "null");
}

static int
read_body(struct test_request *t, struct str body)
{
	static const char *const parts[] = { "litellm_params", "model_info" };
	size_t at = 0;
	char loc[64];

	if (body.n == 0)
		body = STR("{}");
	if (json_read(body, &t->body, &at) < 0) {
		snprintf(loc, sizeof(loc), "[\"body\",%zu]", at);
		return invalid(t, "json_invalid", loc, "JSON decode error");
	}
	if (!is_object(buf_str(&t->body)))
		return invalid(t, "dict_type", "[\"body\"]", "Input should be a valid dictionary");
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct str value = json_read_member(buf_str(&t->body), parts[i]);

		snprintf(loc, sizeof(loc), "[\"body\",\"%s\"]", parts[i]);
		if (is_set(value) && !is_object(value))
			return invalid(t, "dict_type", loc, "Input should be a valid dictionary");
		*(i == 0 ? &t->params : &t->info) = is_set(value) ? value : STR("{}");
	}
	/* In one form a text that begins so looks so, wherever it stands. */
	if (memmem(t->body.data, t->body.len, "\"os.environ/", 12))
		return end(t, TEST_REFUSED, 400,
		    "Environment variable references are not permitted in request parameters.");
	return 0;
}

static const char *
python_type(struct str value)
{
	if (*value.p == '{')
		return "dict";
	if (*value.p == '[')
		return "list";
	if (*value.p == 't' || *value.p == 'f')
		return "bool";
	return memchr(value.p, '.', value.n) || memchr(value.p, 'e', value.n) ? "float" : "int";
}

/* The names that LiteLLM's framework lists, in its order. */
static int
read_mode(struct test_request *t)
{
	static const char literal[] =
	    "Input should be 'chat', 'completion', 'embedding', 'audio_speech', "
	    "'audio_transcription', 'image_generation', 'image_edit', 'video_generation', 'batch', "
	    "'rerank', 'realtime', 'responses', 'anthropic_messages', 'ocr', 'evaluation' or "
	    "'decisions'";
	struct str value = json_read_member(buf_str(&t->body), "mode"), text;
	struct str of_params = json_read_member(t->params, "mode");
	char error[256];
	int mode;

	t->m.mode = MODE_COUNT;
	text = value_text(t, value);
	if (is_set(value) &&
	    (*value.p != '"' || (mode_parse(text) < 0 && !str_is(text, "evaluation"))))
		return invalid(t, "literal_error", "[\"body\",\"mode\"]", literal);
	if (is_set(of_params) && *of_params.p != '"') {
		snprintf(error, sizeof(error), "litellm_params.mode must be a string, got %s",
		    python_type(of_params));
		return end(t, TEST_REFUSED, 400, error);
	}
	if (!is_set(value))
		text = value_text(t, of_params);
	if (text.n == 0)
		text = value_text(t, json_read_member(t->info, "mode"));
	if (text.n == 0)
		return 0;
	mode = mode_parse(text);
	if (mode < 0) {
		snprintf(error, sizeof(error), "Mode %.*s not supported. " SUPPORTED,
		    text.n > 64 ? 64 : (int)text.n, text.p);
		return end(t, TEST_ERROR, 200, error);
	}
	t->m.mode = (uint32_t)mode;
	return 0;
}

/* Whether any parameter says where or with what to ask. */
static bool
has_connection(const struct test_request *t)
{
	struct str rest = t->params, key, value;

	while (json_next_member(&rest, &key, &value))
		if (!is_one_of(key, harmless, ARRAY_LEN(harmless)) && is_set(value))
			return true;
	return false;
}

/* By id, by group, by litellm_params.model, by wildcard: the first that there is. */
static void
find_base(struct test_request *t, const struct fleet *f, const struct groups *g, struct str model)
{
	struct str id = value_text(t, json_read_member(t->info, "id"));

	t->base = test_base_find(f, g, id, model);
	if (t->base)
		t->base_id = xstrdup(t->base->id);
}

/* Of a group the model of its deployment; a copy, because a reload may end it. */
static struct str
asked_model(struct test_request *t, struct str model)
{
	struct buf b = BUF_INIT(MAX_BODY);

	if (t->base == NULL || (model.n > 0 && !str_is(model, t->base->model_name)))
		return model;
	buf_add_text(&b, t->base->model);
	return keep(t, &b);
}

static void
default_mode(struct test_request *t)
{
	int mode = t->base ? mode_parse(str_of(t->base->mode)) : -1;

	if (t->m.mode == MODE_COUNT)
		t->m.mode = mode < 0 ? MODE_CHAT : (uint32_t)mode;
}

static void
add_shown(struct buf *b, struct str key, struct str value)
{
	if (b->len > 0)
		buf_add_char(b, ',');
	json_add_string(b, key);
	buf_add_char(b, ':');
	buf_add_str(b, value);
}

/* A deployment as it is, or with another mode or model; with its own base and key. */
static int
of_deployment(struct test_request *t, struct str model)
{
	const struct deployment *d = t->base;
	bool other = model.n > 0 && !str_is(model, d->model) && !str_is(model, d->model_name);
	const struct provider *provider;
	struct str bare;

	t->m.handle = d->handle;
	if (d->problem_reason != REASON_OK)
		return end(t, TEST_ERROR, 200, d->problem);
	if (d->depends.n > 0)
		return end(t, TEST_ERROR, 200,
		    "litellm.BadRequestError: this is a strategy router: it asks no provider itself");
	if (other) {
		buf_reset(&t->error);
		if (provider_resolve(model, STR(""), STR(""), &provider, &bare, &t->error) < 0) {
			t->outcome = TEST_ERROR;
			return ERR_INVALID;
		}
		if (!str_is(str_of(provider->name), d->provider ? d->provider : ""))
			return end(t, TEST_ERROR, 200,
			    "litellm.BadRequestError: the model is of another provider than the "
			    "deployment whose key would be used");
		t->m.model = bare;
	}
	for (size_t i = 0; i < d->display.n; i++) {
		struct kv kv = d->display.v[i];
		struct str given = json_read_member(t->params, "model");

		add_shown(&t->shown, kv.key, other && str_is(kv.key, "model") ? given : kv.value);
	}
	return 0;
}

/*
 * With the credential that the request names: as a deployment that uses it, so that it goes where the
 * configuration sends it and nowhere else.
 */
static int
of_credential(struct test_request *t, const struct fleet *f, struct str model, struct str name)
{
	const struct deployment *d;
	const struct provider *provider;
	struct str bare;

	default_mode(t);
	buf_reset(&t->error);
	if (provider_resolve(asked_model(t, model), STR(""), STR(""), &provider, &bare, &t->error) < 0) {
		t->outcome = TEST_ERROR;
		return ERR_INVALID;
	}
	d = test_base_of_credential(f, name, provider->name);
	if (d == NULL)
		return end(t, TEST_ERROR, 200,
		    "no deployment of this provider uses that litellm_credential_name, and a "
		    "credential is only sent where the configuration sends it");
	t->m.handle = d->handle;
	t->m.model = bare;
	return 0;
}

static bool
is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] >= 0x7f ||
		    strchr("\"(),/:;<=>?@[\\]{}", s.p[i]))
			return false;
	return s.n > 0;
}

static bool
holds_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

static int
read_headers(struct test_request *t, struct str object)
{
	struct str key, value;

	while (json_next_member(&object, &key, &value)) {
		struct str text;

		if (!is_set(value))
			continue;
		if (t->n_headers == MAX_HEADERS)
			return end(t, TEST_REFUSED, 400, "too many headers");
		text = value_text(t, value);
		for (size_t i = 0; i < ARRAY_LEN(forbidden); i++)
			if (key.n == strlen(forbidden[i]) &&
			    strncasecmp(key.p, forbidden[i], key.n) == 0)
				return end(t, TEST_REFUSED, 400,
				    "a header that may not be set in a request");
		if (!is_token(key) || holds_control(text) || *value.p != '"')
			return end(t, TEST_REFUSED, 400, "a header is not valid");
		t->headers[t->n_headers++] = (struct kv){ key, text };
	}
	return 0;
}

/* Every parameter where the dialects look for it. */
static int
read_params(struct test_request *t)
{
	struct str rest = t->params, key, value, text;
	int rc = 0;

	while (rc == 0 && json_next_member(&rest, &key, &value)) {
		if (is_one_of(key, shown, ARRAY_LEN(shown)) && is_set(value))
			add_shown(&t->shown, key, value);
		if (!is_set(value) || is_one_of(key, harmless, ARRAY_LEN(harmless)))
			continue;
		if (str_is(key, "extra_headers") || str_is(key, "headers")) {
			rc = is_object(value) ? read_headers(t, value)
					      : end(t, TEST_REFUSED, 400, "headers must be an object");
			continue;
		}
		if (t->n_values == MAX_PARAMS || t->n_secrets == MAX_PARAMS)
			return end(t, TEST_REFUSED, 400, "too many parameters");
		text = value_text(t, value);
		if (text.n == 0 || memchr(text.p, '\0', text.n))
			continue;
		if (secret_name(key))
			t->secrets[t->n_secrets++] = (struct kv){ key, text };
		else if (!str_is(key, "api_base") && !str_is(key, "base_url"))
			t->values[t->n_values++] = (struct kv){ key, text };
	}
	return rc;
}

static const char *
lookup_param(void *arg, const char *name)
{
	const struct test_request *t = arg;

	for (size_t i = 0; i < t->n_values; i++)
		if (str_is(t->values[i].key, name))
			return t->values[i].value.p;
	return NULL;
}

static const char *
no_variable(void *arg, const char *name)
{
	return NULL;
}

static int
find_url(struct test_request *t, const struct provider *provider, struct str bare, struct str given)
{
	const struct provider_call *call = provider_call(provider, (enum mode)t->m.mode);
	struct buf base = BUF_INIT(16384), url = BUF_INIT(65536), why = BUF_INIT(ERROR_MAX);
	int rc = 0;

	if (provider_refuses(provider, (enum mode)t->m.mode, &why) ||
	    provider_base(provider, (enum mode)t->m.mode, given, no_variable, lookup_param, t,
		&base, &why) < 0)
		rc = end(t, TEST_ERROR, 200, buf_text(&why));
	else if (call && provider_url(call, buf_str(&base), bare, &url) == ERR_INVALID)
		rc = end(t, TEST_ERROR, 200,
		    "api_base is no URL that can be asked, expected http://HOST or https://HOST");
	else
		t->m.api_base = keep(t, &base);
	buf_clear(&base);
	buf_clear(&url);
	buf_clear(&why);
	return rc;
}

/* Nothing but what the caller gave. */
static int
of_caller(struct test_request *t, struct str model)
{
	struct str base = param_text(t, "api_base"), custom = param_text(t, "custom_llm_provider");
	const struct provider *provider;
	struct str bare;
	int rc;

	t->m.own = true;
	if (base.n == 0)
		base = param_text(t, "base_url");
	model = asked_model(t, model);
	if (is_set(json_read_member(t->params, TEST_CREDENTIAL)))
		return end(t, TEST_ERROR, 200,
		    "litellm_credential_name beside a connection of the caller's own: a configured "
		    "credential is never used with that");
	default_mode(t);
	buf_reset(&t->error);
	if (provider_resolve(model, custom, base, &provider, &bare, &t->error) < 0) {
		t->outcome = TEST_ERROR;
		return ERR_INVALID;
	}
	rc = read_params(t);
	if (rc < 0)
		return rc;
	if (t->n_secrets == 0 && t->n_headers == 0 && provider->without_key == KEY_REQUIRED)
		return end(t, TEST_ERROR, 200,
		    "litellm.AuthenticationError: no api_key is in the request, and a configured "
		    "one is never used with a caller's own connection");
	if (t->n_secrets == 0 && provider->without_key == KEY_PLACEHOLDER)
		t->secrets[t->n_secrets++] = (struct kv){ STR("api_key"),
			str_of(provider->placeholder) };
	t->m.provider = str_of(provider->name);
	t->m.model = bare;
	t->m.params = (struct kvs){ t->values, t->n_values };
	t->m.secrets = (struct kvs){ t->secrets, t->n_secrets };
	t->m.headers = (struct kvs){ t->headers, t->n_headers };
	return find_url(t, provider, bare, base);
}

static void
read_timeout(struct test_request *t)
{
	struct str text = param_text(t, "timeout");
	double seconds = text.n > 0 ? strtod(text.p, NULL) : 0;

	t->m.timeout_ms = TEST_TIMEOUT_MS;
	if (seconds > 0 && seconds * 1000 < TEST_TIMEOUT_MS)
		t->m.timeout_ms = seconds < 0.001 ? 1 : (uint64_t)(seconds * 1000);
}

struct test_request *
test_request_new(struct str body, const struct fleet *f, const struct groups *g)
{
	struct test_request *t = xcalloc(1, sizeof(*t));
	struct str model, credential;

	buf_init(&t->body, 2 * MAX_BODY);
	buf_init(&t->error, ERROR_MAX);
	buf_init(&t->loc, 128);
	buf_init(&t->shown, MAX_BODY);
	t->m.provider = t->m.model = t->m.api_base = t->m.request = STR("");
	t->m.allow_link_local = fleet_settings(f)->num[SETTING_ALLOW_LINK_LOCAL] != 0;
	if (read_body(t, body) < 0 || read_mode(t) < 0)
		return t;
	model = param_text(t, "model");
	read_timeout(t);
	find_base(t, f, g, model);
	if (t->base == NULL && model.n == 0) {
		end(t, TEST_REFUSED, 400, "Failed to test connection: 'model'");
		return t;
	}
	/* Without a deployment there is nothing configured that could be used. */
	credential = json_read_member(t->params, TEST_CREDENTIAL);
	if (is_set(credential) && !has_connection(t)) {
		of_credential(t, f, model, credential);
		add_shown(&t->shown, STR("model"), json_read_member(t->params, "model"));
	} else if (t->base == NULL || has_connection(t)) {
		of_caller(t, model);
		if (t->shown.len == 0 && model.n > 0)
			add_shown(&t->shown, STR("model"), json_read_member(t->params, "model"));
	} else {
		of_deployment(t, model);
	}
	t->base = NULL; /* a reload may end it */
	return t;
}

void
test_request_free(struct test_request *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n_texts; i++) {
		secret_wipe(t->texts[i], strlen(t->texts[i]));
		free(t->texts[i]);
	}
	free(t->texts);
	if (t->body.data)
		secret_wipe(t->body.data, t->body.cap);
	buf_clear(&t->body);
	buf_clear(&t->error);
	buf_clear(&t->loc);
	buf_clear(&t->shown);
	free(t->base_id);
	free(t);
}

enum test_outcome
test_request_outcome(const struct test_request *t)
{
	return t->outcome;
}

const struct msg_test *
test_request_message(struct test_request *t, struct str id)
{
	t->m.request = id;
	return &t->m;
}

bool
test_request_is_own(const struct test_request *t)
{
	return t->m.own;
}

int
test_request_status(const struct test_request *t)
{
	return t->status;
}

struct str
test_request_error(const struct test_request *t)
{
	return buf_str(&t->error);
}

void
test_request_problem(const struct test_request *t, const char **type, struct str *loc,
    struct str *message)
{
	*type = t->type;
	*loc = buf_str(&t->loc);
	*message = buf_str(&t->error);
}

void
test_request_add_shown(const struct test_request *t, struct buf *b)
{
	buf_add_str(b, buf_str(&t->shown));
}

const char *
test_request_id(const struct test_request *t)
{
	return t->base_id ? t->base_id : "";
}
