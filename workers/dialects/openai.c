/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenAI dialect, which most providers speak: chat completions, text completions, embeddings,
 * the responses of its newer API and the list of batches. This file asks, openai_judge.c judges.
 * What differs between them (path, joining, auth, names, constants) is in their rows; what is asked
 * is what LiteLLM's health check asks.
 */
#include "workers/dialects/openai.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/json.h"
#include "shared/provider.h"
#include "workers/auth/credential.h"
#include "workers/auth/schemes.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/words.h"

/* LiteLLM's check picks one of the first two for a chat; the prompt is for all other modes. */
static const char *const greetings[] = { "Hey how's it going?", "What's 1 + 1?" };
#define DEFAULT_PROMPT "test from litellm"
#define USER_AGENT "llmhealth/" PACKAGE_VERSION

static int
refuse(const struct target *t, struct result *why, const char *ours)
{
	words_config(t, reason_status(REASON_CONFIG), NULL, str_of(ours), why);
	return ERR_INVALID;
}

/* OpenAI's reasoning models take their limit under another name. */
static const char *
token_name(const struct target *t)
{
	const char *m = t->model;

	if (t->provider->token_param == NULL)
		return NULL;
	if (strcmp(t->provider->name, "openai") == 0 &&
	    ((m[0] == 'o' && m[1] >= '1' && m[1] <= '9' && (m[2] == '\0' || m[2] == '-')) ||
		(strstr(m, "gpt-5") && strstr(m, "gpt-5-chat") == NULL)))
		return "max_completion_tokens";
	return t->provider->token_param;
}

/* The model's name as three providers want it; all others take it as it is configured. */
static void
add_model(struct buf *b, const struct target *t, const struct provider_call *call)
{
	const char *name = t->model, *dot = strchr(name, '.'),
		   *dot2 = dot ? strchr(dot + 1, '.') : NULL, *slash;
	struct buf text = BUF_INIT(REQUEST_MAX_URL);

	if (strstr(call->path, "{chat}")) {
		/* `chat/ID/name`: the ID is in the path */
		for (int i = 0; i < 2 && (slash = strchr(name, '/')) != NULL; i++)
			name = slash + 1;
		buf_add_text(&text, name);
	} else if (strcmp(t->provider->name, "clarifai") == 0 && dot2) {
		/* `user.app.model` */
		buf_addf(&text, "https://clarifai.com/%.*s/%.*s/models/%s", (int)(dot - name), name,
		    (int)(dot2 - dot - 1), dot + 1, dot2 + 1);
	} else if (strcmp(t->provider->name, "fireworks_ai") == 0 &&
		   call->shape != SHAPE_EMBEDDING && strncmp(name, "accounts/", 9) != 0 &&
		   strchr(name, '#') == NULL) {
		buf_addf(&text, "accounts/fireworks/models/%s", name);
	} else {
		buf_add_text(&text, name);
	}
	json_add_string(b, buf_str(&text));
	buf_clear(&text);
}

static bool
has_member(const char *object, const char *key)
{
	struct str name, value;
	size_t at = 0;

	if (*object == '\0')
		return false;
	while (answer_member(str_of(object), &at, &name, &value))
		if (str_is(name, key))
			return true;
	return false;
}

/* A member of ours, unless the config sets it itself. */
static bool
member(struct buf *b, const struct target *t, const char *key)
{
	if (has_member(t->extra_body, key))
		return false;
	json_add_key(b, key);
	return true;
}

static void
add_messages(struct buf *b, const struct target *t, const char *text)
{
	if (!member(b, t, "messages"))
		return;
	buf_add_text(b, "[{\"role\":\"user\",\"content\":");
	json_add_string(b, str_of(text));
	buf_add_text(b, "}]");
}

static void
add_members(struct buf *b, const char *object)
{
	struct str key, value;
	size_t at = 0;

	while (*object && answer_member(str_of(object), &at, &key, &value)) {
		json_add_comma(b);
		buf_add_char(b, '"');
		buf_add_str(b, key);
		buf_add(b, "\":", 2);
		buf_add_str(b, value);
	}
}

/* The row's own members, those left out that the config sets. */
static void
add_row_members(struct buf *b, const struct target *t, const char *extra)
{
	struct buf object = BUF_INIT(1024);
	struct str key, value;
	size_t at = 0;

	if (*extra == '\0')
		return;
	buf_addf(&object, "{%s}", extra);
	while (answer_member(buf_str(&object), &at, &key, &value)) {
		char name[64];

		if (key.n >= sizeof(name))
			continue;
		memcpy(name, key.p, key.n);
		name[key.n] = '\0';
		if (member(b, t, name))
			buf_add_str(b, value);
	}
	buf_clear(&object);
}

/* `shown`: in the order in which LiteLLM shows it, which is not that in which it is sent. */
static void
add_body(struct buf *b, const struct target *t, const struct provider_call *call, uint32_t variant,
    bool shown)
{
	const char *prompt = target_param(t, "prompt");
	const char *tokens = t->max_tokens >= 0 ? token_name(t) : NULL;
	bool greets =
	    t->mode == MODE_CHAT || t->mode == MODE_BATCH || t->mode == MODE_ANTHROPIC_MESSAGES;
	bool messages_first = call->shape == SHAPE_CHAT && call->client == CLIENT_SDK && !shown;
	const char *text;

	if (call->shape == SHAPE_BATCHES) {
		/* A list is asked for: nothing is sent. */
		if (shown)
			buf_add(b, "{}", 2);
		return;
	}
	if (prompt == NULL)
		prompt = DEFAULT_PROMPT;
	text = greets ? greetings[variant % ARRAY_LEN(greetings)] : prompt;
	buf_add_char(b, '{');
	if (messages_first)
		add_messages(b, t, text);
	if (call->shape == SHAPE_EMBEDDING_TEXT && member(b, t, "text")) {
		buf_add_char(b, '[');
		json_add_string(b, str_of(prompt));
		buf_add_char(b, ']');
	}
	/* Perplexity's presets are no models. */
	if (call->shape == SHAPE_RESPONSES && strncmp(t->model, "preset/", 7) == 0) {
		if (member(b, t, "preset"))
			json_add_string(b, str_of(t->model + 7));
	} else if (member(b, t, "model"))
		add_model(b, t, call);
	if (call->shape == SHAPE_CHAT && !messages_first)
		add_messages(b, t, text);
	if (call->shape == SHAPE_TEXT && member(b, t, "prompt"))
		json_add_string(b, str_of(text));
	if (call->shape == SHAPE_EMBEDDING && member(b, t, "input")) {
		buf_add_char(b, '[');
		json_add_string(b, str_of(prompt));
		buf_add_char(b, ']');
	}
	if (call->shape == SHAPE_RESPONSES && member(b, t, "input"))
		json_add_string(b, str_of(prompt));
	if (tokens && (call->shape == SHAPE_CHAT || call->shape == SHAPE_TEXT) &&
	    member(b, t, tokens))
		buf_add_int(b, t->max_tokens);
	add_row_members(b, t, call->extra);
	add_members(b, t->extra_body);
	if (shown && call->client == CLIENT_SDK) {
		json_add_key(b, "extra_body");
		buf_add(b, "{}", 2);
	}
	buf_add_char(b, '}');
}

static bool
configured_header(const struct target *t, struct str name)
{
	for (size_t i = 0; i < t->n_headers; i++)
		if (strlen(t->headers[i].key) == name.n &&
		    strncasecmp(t->headers[i].key, name.p, name.n) == 0)
			return true;
	return false;
}

static int
add_header(const struct target *t, struct request *req, struct str name, struct str value,
    struct result *why)
{
	char text[160];

	if (request_add_header(req, name, value) == 0)
		return 0;
	snprintf(text, sizeof(text),
	    "the header `%.*s` cannot be sent: a name is letters, digits and dashes, "
	    "a value has no line break",
	    (int)(name.n < 64 ? name.n : 64), name.p);
	return refuse(t, why, text);
}

/* A header of ours, unless the config sets it itself. */
static int
add_own_header(const struct target *t, struct request *req, struct str name, struct str value,
    struct result *why)
{
	return configured_header(t, name) ? 0 : add_header(t, req, name, value, why);
}

static int
missing_key(const struct target *t, const struct provider_call *call, struct result *why)
{
	struct buf ours = BUF_INIT(1024), theirs = BUF_INIT(1024);
	char name[128];

	buf_addf(&ours, "no key for %s: set api_key", t->provider->name);
	if (provider_key_name(t->provider, t->mode, 0, name, sizeof(name)))
		buf_addf(&ours, " or the environment variable %s", name);
	if (call->client == CLIENT_SDK) {
		buf_add_text(&theirs, "litellm.InternalServerError: InternalServerError: ");
		words_exception_of(&theirs, t->provider);
		buf_add_text(&theirs,
		    " - Missing credentials. Please pass an `api_key`, `workload_identity`, "
		    "`admin_api_key`, or set the `OPENAI_API_KEY` or `OPENAI_ADMIN_KEY` "
		    "environment variable.");
		words_config(t, 500, buf_text(&theirs), buf_str(&ours), why);
	} else {
		buf_add_text(&theirs, "litellm.AuthenticationError: AuthenticationError: ");
		words_exception_of(&theirs, t->provider);
		buf_addf(&theirs, " - %s", buf_text(&ours));
		words_config(t, 401, buf_text(&theirs), buf_str(&ours), why);
	}
	buf_clear(&ours);
	buf_clear(&theirs);
	return ERR_INVALID;
}

static int
add_auth(const struct target *t, const struct provider_call *call, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	const struct provider *p = t->provider;
	struct str key = ctx->credential ? secret_reveal(ctx->credential->token)
					 : secret_reveal(target_secret(t, "api_key"));
	struct str name = p->auth_header ? str_of(p->auth_header) : STR("Authorization");
	struct buf value = BUF_INIT((size_t)32 << 10);
	int err;

	if (call->flags & CALL_NO_AUTH)
		return 0;
	if (name.n == 13 && strncasecmp(name.p, "authorization", 13) == 0)
		name = STR("Authorization");
	if (configured_header(t, name))
		return 0;
	if (key.n == 0) {
		if (p->without_key == KEY_REQUIRED)
			return missing_key(t, call, why);
		if (p->without_key == KEY_OPTIONAL)
			return 0;
		key = str_of(p->placeholder);
	}
	if (p->auth_scheme && *p->auth_scheme)
		buf_addf(&value, "%s ", p->auth_scheme);
	buf_add_str(&value, key);
	if (!buf_ok(&value))
		err = refuse(t, why, "the key is longer than any key is");
	else if ((err = request_add_header(req, name, buf_str(&value))) < 0)
		err = refuse(t, why, "the key holds a line break or a NUL byte");
	secret_wipe(value.data, value.len);
	buf_clear(&value);
	return err;
}

static int
add_row_headers(const struct target *t, struct request *req, struct result *why)
{
	for (const char *line = t->provider->headers; *line;) {
		size_t n = strcspn(line, "\n"), name = strcspn(line, ":");
		int err = add_own_header(t, req, (struct str){ line, name },
		    (struct str){ line + name + 2, n - name - 2 }, why);

		if (err < 0)
			return err;
		line += n + (line[n] == '\n');
	}
	return 0;
}

/* What the transfer itself decides; from a config they could only end a body early. */
static bool
of_the_transfer(const char *name)
{
	return strcasecmp(name, "content-length") == 0 ||
	       strcasecmp(name, "transfer-encoding") == 0 || strcasecmp(name, "connection") == 0 ||
	       strcasecmp(name, "expect") == 0;
}

static int
add_headers(const struct target *t, const struct provider_call *call,
    const struct build_context *ctx, struct request *req, struct result *why)
{
	const char *organization = target_param(t, "organization");
	int err;

	if ((err = add_auth(t, call, ctx, req, why)) < 0 ||
	    (call->shape != SHAPE_BATCHES && (err = add_own_header(t, req, STR("Content-Type"),
						  STR("application/json"), why)) < 0) ||
	    (err = add_own_header(t, req, STR("Accept"),
		 call->accept == ACCEPT_JSON ? STR("application/json") : STR("*/*"), why)) < 0 ||
	    (err = add_own_header(t, req, STR("User-Agent"), STR(USER_AGENT), why)) < 0)
		return err;
	if (call->client == CLIENT_SDK && organization && *organization &&
	    (err = add_own_header(t, req, STR("OpenAI-Organization"), str_of(organization), why)) <
		0)
		return err;
	if (call->flags & CALL_HEADERS && (err = add_row_headers(t, req, why)) < 0)
		return err;
	for (size_t i = 0; i < t->n_headers; i++) {
		if (of_the_transfer(t->headers[i].key))
			return refuse(t, why,
			    "extra_headers may not set Content-Length, Transfer-Encoding, "
			    "Connection or Expect");
		if ((err = add_header(
			 t, req, str_of(t->headers[i].key), str_of(t->headers[i].value), why)) < 0)
			return err;
	}
	return 0;
}

static int
openai_build(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why)
{
	const struct provider_call *call = provider_call(t->provider, t->mode);
	struct buf refusal = BUF_INIT(512);
	char text[512];
	int err;

	if (provider_refuses(t->provider, t->mode, &refusal)) {
		err = refuse(t, why, buf_text(&refusal));
		buf_clear(&refusal);
		return err;
	}
	req->method = call->method;
	err = provider_url(call, str_of(t->api_base), str_of(t->model), &req->url);
	if (err < 0) {
		snprintf(text, sizeof(text),
		    "api_base `%.200s` is not a URL with http:// or https:// and a host",
		    t->api_base);
		return refuse(t, why, text);
	}
	if ((err = add_headers(t, call, ctx, req, why)) < 0)
		return err;
	add_body(&req->body, t, call, ctx->variant, false);
	add_body(&req->shown_body, t, call, ctx->variant, true);
	if (call->client == CLIENT_SDK) {
		buf_add_text(&req->shown_base, t->api_base);
		if (req->shown_base.len > 0 && req->shown_base.data[req->shown_base.len - 1] != '/')
			buf_add_char(&req->shown_base, '/');
	} else {
		buf_add_str(&req->shown_base, buf_str(&req->url));
	}
	if (!buf_ok(&req->url) || !buf_ok(&req->body) || !buf_ok(&req->shown_body) ||
	    !buf_ok(&req->shown_base))
		return refuse(t, why, "the request would be too large");
	return 0;
}

/* Providers of this dialect whose key may be a token that is fetched. */
static const struct auth_scheme *
openai_scheme(const struct target *t)
{
	if (strcmp(t->provider->name, "databricks") == 0)
		return auth_databricks(t);
	if (strcmp(t->provider->name, "snowflake") == 0)
		return auth_snowflake(t);
	return NULL;
}

const struct dialect dialect_openai = {
	.name = "openai",
	.scheme = openai_scheme,
	.build = openai_build,
	.judge = openai_judge,
	.stable = true,
	.variants = ARRAY_LEN(greetings),
};
