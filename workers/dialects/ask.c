/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shared/json.h"
#include "workers/auth/credential.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/body.h"
#include "workers/dialects/headers.h"

/* What LiteLLM translates for each provider; none of them says whether the model answers. */
static const char *const openai_params[] = { "temperature", "top_p", "n", "stop", "seed", "user",
	"frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs",
	"response_format", "tools", "tool_choice", "parallel_tool_calls", "functions",
	"function_call", "reasoning_effort", "thinking", "modalities", "audio", "prediction",
	"service_tier", "store", "metadata", "verbosity", "web_search_options", "dimensions",
	"encoding_format", "quality", "size", "style" };

int
ask_refuse(struct asking *a, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return headers_refuse(a->t, a->why, text);
}

int
ask_begin(struct asking *a, const struct target *t, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	struct buf text = BUF_INIT(512);
	int err = 0;

	*a = (struct asking){ t, ctx, provider_call(t->provider, t->mode), req, why };
	if (provider_refuses(t->provider, t->mode, &text))
		err = ask_refuse(a, "%s", buf_text(&text));
	else
		req->method = a->call->method;
	buf_clear(&text);
	return err;
}

const char *
ask_text(const struct asking *a)
{
	enum mode mode = a->t->mode;

	return mode == MODE_CHAT || mode == MODE_BATCH || mode == MODE_ANTHROPIC_MESSAGES
		   ? body_greeting(a->ctx->variant)
		   : body_prompt(a->t);
}

const char *
ask_param(const struct asking *a, const char *name, const char *otherwise)
{
	const char *value = target_param(a->t, name);

	return value && *value ? value : otherwise;
}

bool
ask_generates(const struct target *t)
{
	const char *probe = target_param(t, "probe");

	return probe && strcmp(probe, "generate") == 0;
}

int
ask_url(struct asking *a, const char *base, enum provider_join join, const char *path)
{
	struct provider_call call = *a->call;
	int err;

	call.join = join;
	call.path = path;
	call.flags &= ~CALL_BASE_IS_URL;
	if (base == NULL)
		base = a->t->api_base;
	err = provider_url(&call, str_of(base), str_of(""), &a->req->url);
	if (err == ERR_INVALID)
		return ask_refuse(
		    a, "api_base `%.200s` is not a URL with http:// or https:// and a host", base);
	return err < 0 ? ask_refuse(a, "the URL would be too long") : 0;
}

void
ask_encode(struct buf *b, struct str s, const char *kept)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    (c != '\0' && (strchr("-._~", c) || strchr(kept, c)))) {
			buf_add_char(b, (char)c);
		} else {
			buf_add_char(b, '%');
			buf_add_char(b, hex[c >> 4]);
			buf_add_char(b, hex[c & 15]);
		}
	}
}

int
ask_header(struct asking *a, const char *name, const char *value)
{
	return headers_add_own(a->t, a->req, str_of(name), str_of(value), a->why);
}

static int
add_bearer(struct asking *a, struct str token)
{
	struct buf value = BUF_INIT((size_t)32 << 10);
	int err = 0;

	if (headers_configured(a->t, STR("Authorization")))
		return 0;
	buf_add_text(&value, "Bearer ");
	buf_add_str(&value, token);
	if (!buf_ok(&value) ||
	    request_add_header(a->req, STR("Authorization"), buf_str(&value)) < 0)
		err = ask_refuse(a, "the key or token is too long or holds a line break");
	if (value.data)
		secret_wipe(value.data, value.len);
	buf_clear(&value);
	return err;
}

int
ask_headers(struct asking *a, enum ask_auth auth, struct str type)
{
	struct provider_call call = *a->call;
	struct str key = secret_reveal(target_secret(a->t, "api_key")), token;
	int err = 0;

	if (auth != ASK_KEY)
		call.flags |= CALL_NO_AUTH;
	token = auth == ASK_SIGNED   ? key
		: a->ctx->credential ? secret_reveal(a->ctx->credential->token)
				     : STR("");
	if (auth == ASK_TOKEN && token.n == 0)
		return ask_refuse(a, "there is no token to ask %s with", a->t->provider->name);
	if ((auth == ASK_TOKEN || auth == ASK_SIGNED) && token.n > 0)
		err = add_bearer(a, token);
	return err < 0 ? err : headers_add(a->t, &call, type, a->req, a->why);
}

void
ask_json(struct buf *b, const char *pattern, ...)
{
	va_list ap;

	va_start(ap, pattern);
	for (const char *p = pattern; *p; p++) {
		if (*p == '\'') {
			buf_add_char(b, '"');
			continue;
		}
		if (*p != '%') {
			buf_add_char(b, *p);
			continue;
		}
		switch (*++p) {
		case 's':
			json_add_string(b, str_of(va_arg(ap, const char *)));
			break;
		case 'd':
			buf_add_int(b, va_arg(ap, int64_t));
			break;
		case 'r':
			buf_add_text(b, va_arg(ap, const char *));
			break;
		default:
			buf_add_char(b, '%');
			break;
		}
	}
	va_end(ap);
}

static bool
left_out(struct str key, bool openai)
{
	for (size_t i = 0; !openai && i < ARRAY_LEN(openai_params); i++)
		if (str_is(key, openai_params[i]))
			return true;
	return false;
}

static bool
config_sets(const struct target *t, struct str key, bool openai)
{
	struct str name, value;
	size_t at = 0;

	while (answer_member(str_of(t->extra_body), &at, &name, &value))
		if (str_eq(name, key))
			return !left_out(key, openai);
	return false;
}

static void
add_member(struct buf *b, struct str key, struct str value)
{
	json_add_comma(b);
	buf_add_char(b, '"');
	buf_add_str(b, key);
	buf_add(b, "\":", 2);
	buf_add_str(b, value);
}

void
ask_add_params(struct asking *a, bool openai)
{
	struct buf merged = BUF_INIT(REQUEST_MAX_BODY);
	struct str key, value;
	size_t at = 0;

	if (*a->t->extra_body == '\0' || a->req->body.len == 0)
		return;
	buf_add_char(&merged, '{');
	while (answer_member(buf_str(&a->req->body), &at, &key, &value))
		if (!config_sets(a->t, key, openai))
			add_member(&merged, key, value);
	at = 0;
	while (answer_member(str_of(a->t->extra_body), &at, &key, &value))
		if (!left_out(key, openai))
			add_member(&merged, key, value);
	buf_add_char(&merged, '}');
	buf_reset(&a->req->body);
	buf_add_str(&a->req->body, buf_str(&merged));
	if (!buf_ok(&merged))
		a->req->body.failed = true;
	buf_clear(&merged);
}

int
ask_end(struct asking *a)
{
	struct request *req = a->req;

	buf_add_str(&req->shown_base, buf_str(&req->url));
	if (req->shown_body.len == 0) {
		if (req->body.len > 0 && req->body.data[0] == '{')
			buf_add_str(&req->shown_body, buf_str(&req->body));
		else
			buf_add(&req->shown_body, "{}", 2);
	}
	if (!buf_ok(&req->url) || !buf_ok(&req->body) || !buf_ok(&req->shown_body) ||
	    !buf_ok(&req->shown_base))
		return ask_refuse(a, "the request would be too large");
	return 0;
}
