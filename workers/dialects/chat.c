/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dialects whose body is OpenAI's build a chat around the members that the config brings; the
 * caller's members come in the same way.
 */
#include "workers/dialects/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/json.h"
#include "shared/json_read.h"
#include "workers/dialects/free.h"
#include "workers/dialects/headers.h"

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
	"a chat cannot be sent by hand to this deployment of %s: only where the provider's route " \
	"takes OpenAI's chat completions as they are"

static bool
looks(const struct dialect *d)
{
	for (size_t i = 0; i < ARRAY_LEN(takers); i++)
		if (strcmp(d->name, takers[i].name) == 0)
			return takers[i].looks;
	return false;
}

/* What the deployment speaks; a probe that costs nothing has put its own in the place of it. */
static const struct dialect *
dialect_of(const struct target *t)
{
	return free_is(t) ? dialect_find(str_of(t->provider->dialect)) : t->dialect;
}

bool
chat_takes(const struct target *t, struct buf *why)
{
	const struct provider_call *call = provider_call(t->provider, MODE_CHAT);
	const struct dialect *d = dialect_of(t);
	bool taken = false;

	for (size_t i = 0; d && i < ARRAY_LEN(takers); i++)
		taken = taken || strcmp(d->name, takers[i].name) == 0;
	if (t->mode != MODE_CHAT) {
		if (why)
			buf_addf(why,
			    "this deployment's mode is %s: only chats can be sent to a deployment "
			    "by "
			    "hand",
			    mode_name(t->mode));
	} else if (strchr(t->model, '*')) {
		if (why)
			buf_add_text(why, "this deployment is a wildcard: it names no model that "
					  "could be asked");
	} else if (!taken || call == NULL || call->shape != SHAPE_CHAT ||
		   target_param(t, "bridged")) {
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
	const struct dialect *d = dialect_of(t);

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

int
chat_build(const struct target *t, struct str body, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	struct buf caller = BUF_INIT(SIZE_MAX / 2), merged = BUF_INIT(SIZE_MAX / 2);
	struct target *c = NULL;
	int err = ERR_INVALID;

	if (json_read(body, &caller, NULL) < 0 || caller.data[0] != '{') {
		err = headers_refuse(t, why, "the request's body is not a JSON object");
		goto out;
	}
	merge(&merged, buf_str(&caller), t->extra_body);
	c = target_copy(t, MODE_CHAT, NULL);
	free(c->extra_body);
	c->extra_body = buf_take(&merged);
	c->max_tokens = -1;
	c->dialect = dialect_of(t);
	err = c->dialect->build(c, ctx, req, why);
	if (err == 0 && looks(c->dialect) && !strstr(buf_text(&req->url), "/chat/completions")) {
		char text[256];

		snprintf(text, sizeof(text), NO_ROUTE, t->provider->name);
		err = headers_refuse(t, why, text);
		why->exception_status = 501;
	}
out:
	target_free(c);
	buf_clear(&caller);
	buf_clear(&merged);
	return err;
}
