/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shared/json.h"
#include "workers/auth/credential.h"
#include "workers/dialects/body.h"
#include "workers/dialects/headers.h"

#define MAX_PATH 1024

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

	*a = (struct asking){ .t = t, .ctx = ctx, .req = req, .why = why };
	if (provider_refuses(t->provider, t->mode, &text)) {
		err = ask_refuse(a, "%s", buf_text(&text));
	} else {
		a->call = *provider_call(t->provider, t->mode);
		req->method = a->call.method;
	}
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

/* The URL of that call; a host without a path is asked for "/", as it goes over the wire. */
static int
add_url(struct asking *a, const struct provider_call *call, const char *base, const char *model)
{
	struct buf *url = &a->req->url;
	int err = provider_url(call, str_of(base), str_of(model), url);

	if (err == ERR_INVALID)
		return ask_refuse(
		    a, "api_base `%.200s` is not a URL with http:// or https:// and a host", base);
	if (err < 0)
		return ask_refuse(a, "the URL would be too long");
	if (strpbrk(strstr(buf_text(url), "://") + 3, "/?") == NULL)
		buf_add_char(url, '/');
	return 0;
}

int
ask_path(struct asking *a, const char *base, enum provider_join join, const char *path)
{
	struct provider_call call = a->call;

	call.join = join;
	call.path = path;
	call.flags &= ~CALL_BASE_IS_URL;
	return add_url(a, &call, base ? base : a->t->api_base, "");
}

/* Fills the path's {parameter}s; {model} and {chat} are the table's own. */
static int
fill_path(struct asking *a, const char *path, struct buf *out)
{
	while (*path) {
		size_t n = strcspn(path, "{"), end;
		char name[64];

		buf_add(out, path, n);
		path += n;
		end = strcspn(path, "}");
		if (*path == '\0' || path[end] == '\0' || end >= sizeof(name))
			break;
		snprintf(name, sizeof(name), "%.*s", (int)end - 1, path + 1);
		path += end + 1;
		if (strcmp(name, "model") == 0 || strcmp(name, "chat") == 0)
			buf_addf(out, "{%s}", name);
		else if (*ask_param(a, name, "") == '\0')
			return ask_refuse(
			    a, "%s needs the parameter `%s`", a->t->provider->name, name);
		else
			ask_encode(out, str_of(ask_param(a, name, "")), "");
	}
	return buf_ok(out) ? 0 : ask_refuse(a, "a parameter is longer than a URL may be");
}

int
ask_url(struct asking *a, const char *base)
{
	struct provider_call call = a->call;
	struct buf path = BUF_INIT(MAX_PATH);
	int err = fill_path(a, call.path, &path);

	call.path = buf_text(&path);
	if (err == 0)
		err = add_url(a, &call, base ? base : a->t->api_base, a->t->model);
	buf_clear(&path);
	return err;
}

int
ask_header(struct asking *a, const char *name, const char *value)
{
	return headers_add_own(a->t, a->req, str_of(name), str_of(value), a->why);
}

int
ask_headers(struct asking *a, enum ask_auth auth, struct str type)
{
	struct provider_call call = a->call;
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
		err = headers_add_token(a->t, a->req, token, a->why);
	return err < 0 ? err : headers_add(a->t, &call, type, a->req, a->why);
}

int
ask_begin_json(struct asking *a, const struct target *t, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	int err;

	if ((err = ask_begin(a, t, ctx, req, why)) < 0 || (err = ask_url(a, NULL)) < 0)
		return err;
	return ask_headers(a, ASK_KEY, STR("application/json"));
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

void
ask_add_params(struct asking *a, bool openai)
{
	body_merge_config(&a->req->body, a->t, openai);
}

int
ask_get(struct asking *a, const char *base, enum provider_join join, const char *path)
{
	int err;

	a->req->method = a->call.method = "GET";
	if ((err = ask_path(a, base, join, path)) < 0 ||
	    (err = ask_headers(a, ASK_KEY, STR(""))) < 0)
		return err;
	return ask_end(a);
}

void
ask_show_base(struct asking *a)
{
	struct buf *shown = &a->req->shown_base;

	buf_add_text(shown, a->t->api_base);
	if (shown->len > 0 && shown->data[shown->len - 1] != '/')
		buf_add_char(shown, '/');
}

int
ask_end(struct asking *a)
{
	struct request *req = a->req;

	if (req->shown_base.len == 0)
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
