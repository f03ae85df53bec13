/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dialects whose body is OpenAI's build a chat around the members that the config brings; the
 * caller's members come in the same way. The others make URL and headers, and a family the body.
 */
#include "workers/dialects/chat.h"

#include <stdio.h>
#include <string.h>

#include "shared/json.h"
#include "shared/json_read.h"
#include "workers/dialects/azure.h"
#include "workers/dialects/bedrock.h"
#include "workers/dialects/chat_family.h"
#include "workers/dialects/free.h"
#include "workers/dialects/headers.h"
#include "workers/dialects/vertex.h"

/* Those that send such members as they are; some have other routes too, by the model. */
static const struct {
	const char *name;
	bool looks; /* only where the URL says so */
} takers[] = {
	{ "openai", false },
	{ "azure", true },
	{ "azure_ai", true },
	{ "huggingface", true },
};

#define NO_ROUTE \
	"a chat cannot be sent by hand to this deployment of %s: its interface neither takes " \
	"OpenAI's chat completions as they are, nor are they translated for it"

/* What the deployment speaks; a probe that costs nothing has put its own in the place of it. */
const struct dialect *
chat_dialect(const struct target *t)
{
	return free_is(t) ? dialect_find(str_of(t->provider->dialect)) : t->dialect;
}

/* How the target is asked. */
struct way {
	bool asked;			   /* at all */
	bool looks;			   /* only where the URL says so */
	const struct chat_family *family;  /* NULL: as it is */
	const char *tail, *stream_tail;	   /* as a family's */
};

static struct way
vertex_way(const struct target *t)
{
	switch (vertex_family(t)) {
	case GEMINI:
	case GEMINI_ENDPOINT:
		return (struct way){ .asked = true, .family = &chat_gemini };
	case CLAUDE:
		return (struct way){ .asked = true, .family = &chat_anthropic_vertex };
	case OPENAPI:
	case OPENAPI_GLOBAL:
		return (struct way){ .asked = true };
	case MISTRAL:
	case AI21:
		return (struct way){
			.asked = true, .tail = ":rawPredict", .stream_tail = ":streamRawPredict"
		};
	default:
		return (struct way){ .asked = false };
	}
}

static struct way
way_of(const struct target *t)
{
	static const struct {
		const char *name;
		const struct chat_family *family;
	} families[] = {
		{ "anthropic", &chat_anthropic },
		{ "gemini", &chat_gemini },
		{ "ollama_chat", &chat_ollama },
		{ "cohere_v2", &chat_cohere },
	};
	const struct dialect *d = chat_dialect(t);

	if (d == NULL)
		return (struct way){ .asked = false };
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		if (strcmp(d->name, families[i].name) == 0)
			/* Cohere's older interface is another one. */
			return (struct way){ .asked = strncmp(t->model, "v1/", 3) != 0 ||
						      families[i].family != &chat_cohere,
				.family = families[i].family };
	if (strcmp(d->name, "vertex") == 0)
		return vertex_way(t);
	if (strcmp(d->name, "bedrock") == 0) {
		enum bedrock_family family = bedrock_route(t).family;

		return (struct way){ .asked = family == BEDROCK_CONVERSE ||
					      family == BEDROCK_ANTHROPIC,
			.family = family == BEDROCK_CONVERSE ? &chat_converse
							     : &chat_anthropic_bedrock };
	}
	if (strcmp(d->name, "azure_ai") == 0 && azure_ai_is_claude(t))
		return (struct way){ .asked = true, .family = &chat_anthropic };
	for (size_t i = 0; i < ARRAY_LEN(takers); i++)
		if (strcmp(d->name, takers[i].name) == 0)
			return (struct way){ .asked = true, .looks = takers[i].looks };
	return (struct way){ .asked = false };
}

bool
chat_takes(const struct target *t, struct buf *why)
{
	const struct provider_call *call = provider_call(t->provider, MODE_CHAT);

	if (t->mode != MODE_CHAT) {
		if (why)
			buf_addf(why,
			    "this deployment's mode is %s: only chats can be sent to a deployment "
			    "by hand",
			    mode_name(t->mode));
	} else if (strchr(t->model, '*')) {
		if (why)
			buf_add_text(why, "this deployment is a wildcard: it names no model that "
					  "could be asked");
	} else if (call == NULL || call->shape != SHAPE_CHAT || target_param(t, "bridged") ||
		   !way_of(t).asked) {
		if (why)
			buf_addf(why, NO_ROUTE, t->provider->name);
	} else {
		return true;
	}
	return false;
}

const struct auth_scheme *
chat_scheme(const struct target *t)
{
	const struct dialect *d = chat_dialect(t);

	return d && d->scheme ? d->scheme(t) : NULL;
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

static bool
has(struct str object, struct str key)
{
	struct str name, value;

	while (json_next_member(&object, &name, &value))
		if (str_eq(name, key))
			return true;
	return false;
}

/* The caller's members but for the model, then those of the config that it does not bring itself.
 */
static void
merge(struct buf *b, struct str caller, const char *config)
{
	struct buf own = BUF_INIT(SIZE_MAX / 2);
	struct str rest = caller, key, value;

	buf_add_char(b, '{');
	while (json_next_member(&rest, &key, &value))
		if (!str_is(key, "model"))
			add_member(b, key, value);
	if (*config && json_read(str_of(config), &own, NULL) == 0) {
		rest = buf_str(&own);
		while (json_next_member(&rest, &key, &value))
			if (!str_is(key, "model") && !has(caller, key))
				add_member(b, key, value);
	}
	buf_add_char(b, '}');
	buf_clear(&own);
}

/* The limit that the config has for all requests, where the caller has none. */
static void
add_limit(const struct target *t, struct buf *merged)
{
	static const char *const names[] = { "max_tokens", "max_completion_tokens" };
	char own[64];

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (has(buf_str(merged), str_of(names[i])))
			return;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(own, sizeof(own), "own_%s", names[i]);
		if (target_param(t, own) == NULL)
			continue;
		merged->len--; /* the brace */
		add_member(merged, str_of(names[i]), str_of(target_param(t, own)));
		buf_add_char(merged, '}');
		return;
	}
}

static int
refuse(const struct target *t, struct result *why, int64_t status, const char *text)
{
	int err = headers_refuse(t, why, text);

	why->exception_status = status;
	return err;
}

/* Puts another end to the URL, that of a stream. */
static bool
end_url(struct buf *url, const char *tail, const char *other)
{
	size_t n = strlen(tail);

	if (url->len < n || memcmp(url->data + url->len - n, tail, n) != 0)
		return false;
	url->len -= n;
	buf_add_text(url, other);
	return buf_ok(url);
}

/* The limit that is asked for; what it says of several answers is refused. */
static void
read_common(struct chat_ask *a, struct chat *c)
{
	struct str n = chat_member(a, "n"), limit = chat_member(a, "max_completion_tokens");
	struct str options = chat_member(a, "stream_options"), messages;

	if (limit.n == 0)
		limit = chat_member(a, "max_tokens");
	a->max_tokens = limit.n > 0 ? chat_number(limit) : -1;
	if (a->max_tokens == 0)
		chat_refuse(a, "`max_tokens` is not a whole number above 0");
	if (n.n > 0 && !str_is(n, "1"))
		chat_refuse(a, "`n` cannot be carried over to %s: it gives one answer",
		    a->t->provider->name);
	if (options.n > 0 && chat_only(a, options, "stream_options", "include_usage"))
		c->usage_wanted = str_is(chat_at(options, "include_usage"), "true");
	messages = chat_member(a, "messages");
	if (messages.n < 3 || *messages.p != '[')
		chat_refuse(a, "`messages` is not a list of messages");
}

/* The dialect has made URL and headers; the body is the family's. */
static int
translate(const struct target *t, struct str caller, struct str merged, struct chat *c,
    struct request *req, struct result *why)
{
	struct buf words = BUF_INIT(4096);
	struct chat_ask a = { .t = t,
		.family = c->family,
		.chat = merged,
		.caller = caller,
		.stream = c->stream,
		.body = &req->body,
		.why = &words };
	int err = 0;

	buf_reset(&req->body);
	read_common(&a, c);
	if (words.len == 0)
		c->family->ask(&a);
	if (words.len > 0)
		err = refuse(t, why, 400, buf_text(&words));
	else if (!buf_ok(&req->body))
		err = refuse(t, why, 413, "the request is too large for this provider");
	buf_clear(&words);
	return err;
}

int
chat_build(const struct target *t, struct str body, const struct build_context *ctx,
    struct chat *chat, struct request *req, struct result *why)
{
	struct buf caller = BUF_INIT(SIZE_MAX / 2), merged = BUF_INIT(SIZE_MAX / 2);
	struct buf others = BUF_INIT(SIZE_MAX / 2);
	struct way way = way_of(t);
	struct target *c = NULL;
	char text[512];
	int err = ERR_INVALID;

	if (json_read(body, &caller, NULL) < 0 || caller.data[0] != '{') {
		err = headers_refuse(t, why, "the request's body is not a JSON object");
		goto out;
	}
	merge(&merged, buf_str(&caller), t->extra_body);
	add_limit(t, &merged);
	chat->family = way.family;
	chat->stream = str_is(json_read_member(buf_str(&merged), "stream"), "true");
	chat->created_s = ctx->now_ms / 1000;
	memcpy(chat->ctx.random, ctx->random, sizeof(ctx->random));
	buf_reset(&chat->model);
	json_add_string(&chat->model, str_of(t->model));
	if (way.family)
		way.tail = way.family->tail, way.stream_tail = way.family->stream_tail;
	else
		buf_add_str(&others, buf_str(&merged));
	c = target_copy(t, MODE_CHAT, NULL);
	target_set_extra_body(c, &others);
	c->max_tokens = -1;
	c->dialect = chat_dialect(t);
	err = c->dialect->build(c, ctx, req, why);
	if (err < 0)
		goto out;
	snprintf(text, sizeof(text), NO_ROUTE, t->provider->name);
	if ((way.looks && !strstr(buf_text(&req->url), "/chat/completions")) ||
	    (chat->stream && way.tail && !end_url(&req->url, way.tail, way.stream_tail)))
		err = refuse(t, why, 501, text);
	else if (way.family)
		err = translate(t, buf_str(&caller), buf_str(&merged), chat, req, why);
out:
	target_free(c);
	buf_clear(&caller);
	buf_clear(&merged);
	buf_clear(&others);
	return err;
}
