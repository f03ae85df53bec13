/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/frame.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "shared/json.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/body.h"
#include "workers/dialects/headers.h"

#define MAX_PATH 1024

int
frame_call(const struct target *t, struct provider_call *call, struct result *why)
{
	struct buf refusal = BUF_INIT(512);
	int err = 0;

	if (provider_refuses(t->provider, t->mode, &refusal))
		err = headers_refuse(t, why, buf_text(&refusal));
	else
		*call = *provider_call(t->provider, t->mode);
	buf_clear(&refusal);
	return err;
}

void
frame_add_encoded(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (isalnum(c) || (c && strchr("-._~", c)))
			buf_add_char(b, (char)c);
		else
			buf_addf(b, "%%%02X", c);
	}
}

/* Fills the path's {parameter}s; {model} and {chat} are the table's own. */
static int
fill_path(const struct target *t, const char *path, struct buf *out, struct result *why)
{
	while (*path) {
		size_t n = strcspn(path, "{"), end;
		char name[64], text[160];
		const char *value;

		buf_add(out, path, n);
		path += n;
		end = strcspn(path, "}");
		if (*path == '\0' || path[end] == '\0' || end >= sizeof(name))
			break;
		snprintf(name, sizeof(name), "%.*s", (int)end - 1, path + 1);
		path += end + 1;
		if (strcmp(name, "model") == 0 || strcmp(name, "chat") == 0) {
			buf_addf(out, "{%s}", name);
			continue;
		}
		value = target_param(t, name);
		if (value == NULL || *value == '\0') {
			snprintf(text, sizeof(text), "%s needs the parameter `%s`",
			    t->provider->name, name);
			return headers_refuse(t, why, text);
		}
		frame_add_encoded(out, str_of(value));
	}
	return buf_ok(out) ? 0 : headers_refuse(t, why, "a parameter is longer than a URL may be");
}

int
frame_url(const struct target *t, const struct provider_call *call, struct request *req,
    struct result *why)
{
	struct provider_call filled = *call;
	struct buf path = BUF_INIT(MAX_PATH);
	char text[320];
	int err;

	req->method = call->method;
	err = fill_path(t, call->path, &path, why);
	if (err == 0) {
		filled.path = buf_text(&path);
		if (provider_url(&filled, str_of(t->api_base), str_of(t->model), &req->url) < 0) {
			snprintf(text, sizeof(text),
			    "api_base `%.200s` is not a URL with http:// or https:// and a host",
			    t->api_base);
			err = headers_refuse(t, why, text);
		}
	}
	/* As it goes over the wire. */
	if (err == 0 && strchr(strstr(buf_text(&req->url), "://") + 3, '/') == NULL &&
	    strchr(buf_text(&req->url), '?') == NULL)
		buf_add_char(&req->url, '/');
	buf_clear(&path);
	return err;
}

int
frame_json(
    const struct target *t, struct provider_call *call, struct request *req, struct result *why)
{
	int err;

	if ((err = frame_call(t, call, why)) < 0 || (err = frame_url(t, call, req, why)) < 0)
		return err;
	return headers_add(t, call, STR("application/json"), req, why);
}

int
frame_list(const struct target *t, struct provider_call *call, const char *path,
    struct request *req, struct result *why)
{
	int err;

	call->method = "GET";
	call->join = JOIN_STRIP;
	call->path = path;
	if ((err = frame_url(t, call, req, why)) < 0 ||
	    (err = headers_add(t, call, (struct str){ NULL, 0 }, req, why)) < 0)
		return err;
	return frame_end(t, req, why);
}

int
frame_end(const struct target *t, struct request *req, struct result *why)
{
	if (req->shown_base.len == 0)
		buf_add_str(&req->shown_base, buf_str(&req->url));
	if (req->shown_body.len == 0)
		buf_add_str(&req->shown_body, req->body.len > 0 ? buf_str(&req->body) : STR("{}"));
	if (!buf_ok(&req->url) || !buf_ok(&req->body) || !buf_ok(&req->shown_body) ||
	    !buf_ok(&req->shown_base))
		return headers_refuse(t, why, "the request would be too large");
	return 0;
}

/* Of a gateway's callers; a provider that checks its parameters would refuse the probe for them. */
static bool
is_openai_only(struct str key)
{
	static const char *const names[] = { "frequency_penalty", "function_call", "functions",
		"logit_bias", "logprobs", "max_completion_tokens", "modalities", "n",
		"parallel_tool_calls", "prediction", "presence_penalty", "reasoning_effort",
		"response_format", "seed", "store", "stream_options", "top_logprobs", "user",
		"verbosity", "web_search_options" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(key, names[i]))
			return true;
	return false;
}

void
frame_add_config(struct buf *b, const struct target *t, const struct frame_name *names, size_t n)
{
	struct str key, value;
	size_t at = 0;

	while (*t->extra_body && answer_member(str_of(t->extra_body), &at, &key, &value)) {
		bool sent = !is_openai_only(key);

		for (size_t i = 0; i < n; i++)
			if (str_is(key, names[i].theirs)) {
				sent = names[i].own != NULL;
				key = str_of(names[i].own);
				break;
			}
		if (!sent)
			continue;
		json_add_comma(b);
		buf_add_char(b, '"');
		buf_add_str(b, key);
		buf_add(b, "\":", 2);
		/* OpenAI takes one text for a list of one. */
		if (str_is(key, "stop_sequences") && value.n > 0 && value.p[0] == '"')
			buf_addf(b, "[%.*s]", (int)value.n, value.p);
		else
			buf_add_str(b, value);
	}
}

const char *
frame_text(const struct target *t, const struct build_context *ctx)
{
	if (t->mode == MODE_CHAT || t->mode == MODE_BATCH || t->mode == MODE_ANTHROPIC_MESSAGES)
		return body_greeting(ctx->variant);
	return body_prompt(t);
}
