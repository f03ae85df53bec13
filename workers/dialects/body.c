/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/dialects/body.h"

#include <string.h>

#include "shared/json.h"
#include "workers/dialects/answer.h"
#include "workers/dialects/dialect.h"

static const char *const greetings[BODY_GREETINGS] = { "Hey how's it going?", "What's 1 + 1?" };

const char *
body_greeting(uint32_t variant)
{
	return greetings[variant % BODY_GREETINGS];
}

const char *
body_prompt(const struct target *t)
{
	const char *prompt = target_param(t, "prompt");

	return prompt ? prompt : "test from litellm";
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

bool
body_member(struct buf *b, const struct target *t, const char *key)
{
	if (has_member(t->extra_body, key))
		return false;
	json_add_key(b, key);
	return true;
}

void
body_text(struct buf *b, const struct target *t, const char *key, struct str value)
{
	if (body_member(b, t, key))
		json_add_string(b, value);
}

void
body_list(struct buf *b, const struct target *t, const char *key, struct str value)
{
	if (!body_member(b, t, key))
		return;
	buf_add_char(b, '[');
	json_add_string(b, value);
	buf_add_char(b, ']');
}

void
body_messages(struct buf *b, const struct target *t, const char *text)
{
	if (!body_member(b, t, "messages"))
		return;
	buf_add_text(b, "[{\"role\":\"user\",\"content\":");
	json_add_string(b, str_of(text));
	buf_add_text(b, "}]");
}

void
body_add_row(struct buf *b, const struct target *t, const char *members)
{
	struct buf object = BUF_INIT(8192);
	struct str key, value;
	size_t at = 0;

	if (*members == '\0')
		return;
	buf_addf(&object, "{%s}", members);
	while (answer_member(buf_str(&object), &at, &key, &value)) {
		char name[64];

		if (key.n >= sizeof(name))
			continue;
		memcpy(name, key.p, key.n);
		name[key.n] = '\0';
		if (body_member(b, t, name))
			buf_add_str(b, value);
	}
	buf_clear(&object);
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
body_add_config(struct buf *b, const struct target *t)
{
	struct str key, value;
	size_t at = 0;

	while (*t->extra_body && answer_member(str_of(t->extra_body), &at, &key, &value))
		add_member(b, key, value);
}

/*
 * What a gateway's callers send and LiteLLM translates for each provider. None of it says whether
 * the model answers, and a provider that checks its parameters would refuse the probe for it.
 */
static const struct {
	const char *name;
	bool common; /* others have it too, by that name */
} openai_params[] = {
	{ "audio", true },
	{ "dimensions", true },
	{ "encoding_format", true },
	{ "frequency_penalty", false },
	{ "function_call", false },
	{ "functions", false },
	{ "logit_bias", false },
	{ "logprobs", false },
	{ "max_completion_tokens", false },
	{ "metadata", true },
	{ "modalities", false },
	{ "n", false },
	{ "parallel_tool_calls", false },
	{ "prediction", false },
	{ "presence_penalty", false },
	{ "quality", true },
	{ "reasoning_effort", false },
	{ "response_format", false },
	{ "seed", false },
	{ "service_tier", true },
	{ "size", true },
	{ "stop", true },
	{ "store", false },
	{ "stream_options", false },
	{ "style", true },
	{ "temperature", true },
	{ "thinking", true },
	{ "tool_choice", true },
	{ "tools", true },
	{ "top_logprobs", false },
	{ "top_p", true },
	{ "user", false },
	{ "verbosity", false },
	{ "web_search_options", false },
};

/* Whether OpenAI's dialect has that parameter; `alone`: and no other. */
static bool
is_openais(struct str key, bool alone)
{
	for (size_t i = 0; i < ARRAY_LEN(openai_params); i++)
		if (str_is(key, openai_params[i].name))
			return !(alone && openai_params[i].common);
	return false;
}

bool
body_is_openais(struct str key)
{
	return is_openais(key, false);
}

void
body_add_renamed(struct buf *b, const struct target *t, const struct body_name *names, size_t n)
{
	struct buf list = BUF_INIT(REQUEST_MAX_BODY);
	struct str key, value;
	size_t at = 0;

	while (*t->extra_body && answer_member(str_of(t->extra_body), &at, &key, &value)) {
		bool sent = !is_openais(key, true);

		for (size_t i = 0; i < n; i++)
			if (str_is(key, names[i].theirs)) {
				sent = names[i].own != NULL;
				key = str_of(names[i].own);
				break;
			}
		if (!sent)
			continue;
		/* OpenAI takes one text for a list of one. */
		if (str_is(key, "stop_sequences") && value.n > 0 && value.p[0] == '"') {
			buf_reset(&list);
			buf_addf(&list, "[%.*s]", (int)value.n, value.p);
			value = buf_str(&list);
		}
		add_member(b, key, value);
	}
	buf_clear(&list);
}

static bool
config_sets(const struct target *t, struct str key)
{
	struct str name, value;
	size_t at = 0;

	while (answer_member(str_of(t->extra_body), &at, &name, &value))
		if (str_eq(name, key))
			return true;
	return false;
}

void
body_merge_config(struct buf *body, const struct target *t, bool openai)
{
	struct buf merged = BUF_INIT(body->max);
	struct str key, value;
	size_t at = 0;

	if (*t->extra_body == '\0' || body->len == 0)
		return;
	buf_add_char(&merged, '{');
	while (answer_member(buf_str(body), &at, &key, &value))
		if (!config_sets(t, key) || (!openai && is_openais(key, false)))
			add_member(&merged, key, value);
	at = 0;
	while (answer_member(str_of(t->extra_body), &at, &key, &value))
		if (openai || !is_openais(key, false))
			add_member(&merged, key, value);
	buf_add_char(&merged, '}');
	buf_reset(body);
	buf_add_str(body, buf_str(&merged));
	if (!buf_ok(&merged))
		body->failed = true;
	buf_clear(&merged);
}
