/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/headers.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "workers/dialects/words.h"

#define USER_AGENT "llmhealth/" PACKAGE_VERSION

int
headers_refuse(const struct target *t, struct result *why, const char *ours)
{
	words_config(t, reason_status(REASON_CONFIG), NULL, str_of(ours), why);
	return ERR_INVALID;
}

bool
headers_configured(const struct target *t, struct str name)
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
	return headers_refuse(t, why, text);
}

int
headers_add_own(const struct target *t, struct request *req, struct str name, struct str value,
    struct result *why)
{
	return headers_configured(t, name) ? 0 : add_header(t, req, name, value, why);
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
		words_exception_of(&theirs, t);
		buf_add_text(&theirs,
		    " - Missing credentials. Please pass an `api_key`, `workload_identity`, "
		    "`admin_api_key`, or set the `OPENAI_API_KEY` or `OPENAI_ADMIN_KEY` "
		    "environment variable.");
		words_config(t, 500, buf_text(&theirs), buf_str(&ours), why);
	} else {
		buf_add_text(&theirs, "litellm.AuthenticationError: AuthenticationError: ");
		words_exception_of(&theirs, t);
		buf_addf(&theirs, " - %s", buf_text(&ours));
		words_config(t, 401, buf_text(&theirs), buf_str(&ours), why);
	}
	buf_clear(&ours);
	buf_clear(&theirs);
	return ERR_INVALID;
}

/* Snowflake's programmatic access tokens are marked in the key, as LiteLLM has it: "pat/TOKEN". */
static bool
is_snowflake_pat(const struct target *t)
{
	return strcmp(t->provider->name, "snowflake") == 0 &&
	       str_starts(secret_reveal(target_secret(t, "api_key")), "pat/");
}

int
headers_add_key(const struct target *t, const struct provider_call *call, struct str name,
    const char *scheme, struct request *req, struct result *why)
{
	const struct provider *p = t->provider;
	struct str key = secret_reveal(target_secret(t, "api_key"));
	struct buf value = BUF_INIT((size_t)32 << 10);
	int err;

	if (headers_configured(t, name))
		return 0;
	if (key.n == 0) {
		if (p->without_key == KEY_REQUIRED)
			return missing_key(t, call, why);
		if (p->without_key == KEY_OPTIONAL)
			return 0;
		key = str_of(p->placeholder);
	}
	if (is_snowflake_pat(t))
		key = (struct str){ key.p + 4, key.n - 4 };
	if (scheme && *scheme)
		buf_addf(&value, "%s ", scheme);
	buf_add_str(&value, key);
	if (!buf_ok(&value))
		err = headers_refuse(t, why, "the key is longer than any key is");
	else if ((err = request_add_header(req, name, buf_str(&value))) < 0)
		err = headers_refuse(t, why, "the key holds a line break or a NUL byte");
	secret_wipe(value.data, value.len);
	buf_clear(&value);
	return err;
}

int
headers_add_token(const struct target *t, struct request *req, struct str token, struct result *why)
{
	struct buf value = BUF_INIT((size_t)32 << 10);
	int err = 0;

	if (headers_configured(t, STR("Authorization")))
		return 0;
	buf_add_text(&value, "Bearer ");
	buf_add_str(&value, token);
	if (!buf_ok(&value) || request_add_header(req, STR("Authorization"), buf_str(&value)) < 0)
		err = headers_refuse(t, why, "the key or token is too long or holds a line break");
	if (value.data)
		secret_wipe(value.data, value.len);
	buf_clear(&value);
	return err;
}

static int
headers_add_row(const struct target *t, struct request *req, struct result *why)
{
	for (const char *line = t->provider->headers; *line;) {
		size_t n = strcspn(line, "\n"), name = strcspn(line, ":");
		struct str value = { line + name + 2, n - name - 2 };
		char text[128];
		int err = 0;

		snprintf(text, sizeof(text), "%.*s", (int)name, line);
		if (is_snowflake_pat(t) && str_is(value, "KEYPAIR_JWT"))
			value = STR("PROGRAMMATIC_ACCESS_TOKEN");
		/* What the call has said already stays. */
		if (request_header(req, text).n == 0)
			err = headers_add_own(t, req, (struct str){ line, name }, value, why);
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

int
headers_add_config(const struct target *t, struct request *req, struct result *why)
{
	int err;

	for (size_t i = 0; i < t->n_headers; i++) {
		if (of_the_transfer(t->headers[i].key))
			return headers_refuse(t, why,
			    "extra_headers may not set Content-Length, Transfer-Encoding, "
			    "Connection or Expect");
		if ((err = add_header(
			 t, req, str_of(t->headers[i].key), str_of(t->headers[i].value), why)) < 0)
			return err;
	}
	return 0;
}

static struct str
accepted(const struct provider_call *call)
{
	switch (call->accept) {
	case ACCEPT_JSON:
		return STR("application/json");
	case ACCEPT_BYTES:
		return STR("application/octet-stream");
	case ACCEPT_ANY:
		break;
	}
	return STR("*/*");
}

int
headers_add(const struct target *t, const struct provider_call *call, struct str type,
    struct request *req, struct result *why)
{
	const char *organization = target_param(t, "organization");
	struct str name =
	    t->provider->auth_header ? str_of(t->provider->auth_header) : STR("Authorization");
	int err;

	if (name.n == 13 && strncasecmp(name.p, "authorization", 13) == 0)
		name = STR("Authorization");
	if (!(call->flags & CALL_NO_AUTH) &&
	    (err = headers_add_key(t, call, name, t->provider->auth_scheme, req, why)) < 0)
		return err;
	if ((type.n > 0 && (err = headers_add_own(t, req, STR("Content-Type"), type, why)) < 0) ||
	    (request_header(req, "Accept").n == 0 &&
		(err = headers_add_own(t, req, STR("Accept"), accepted(call), why)) < 0) ||
	    (err = headers_add_own(t, req, STR("User-Agent"), STR(USER_AGENT), why)) < 0)
		return err;
	if (call->client == CLIENT_SDK && organization && *organization &&
	    (err = headers_add_own(t, req, STR("OpenAI-Organization"), str_of(organization), why)) <
		0)
		return err;
	if (call->flags & CALL_HEADERS && (err = headers_add_row(t, req, why)) < 0)
		return err;
	return headers_add_config(t, req, why);
}
