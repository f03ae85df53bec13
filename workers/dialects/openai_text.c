/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of the routes that take a text and give one, or its vector. */
#include "workers/dialects/openai.h"

#include <string.h>

#include "shared/json.h"
#include "workers/dialects/body.h"

/* Where OpenAI's models are served. */
static bool
serves_openai(const struct provider *p)
{
	return strcmp(p->name, "openai") == 0 || strcmp(p->name, "azure") == 0 ||
	       strcmp(p->name, "azure_ai") == 0;
}

/* OpenAI's reasoning models take their limit under another name. */
static const char *
token_name(const struct target *t)
{
	const char *m = t->model;

	if (t->provider->token_param == NULL)
		return NULL;
	if (serves_openai(t->provider) &&
	    (strncmp(m, "o_series/", 9) == 0 || strncmp(m, "gpt5_series/", 12) == 0 ||
		(m[0] == 'o' && m[1] >= '1' && m[1] <= '9' && (m[2] == '\0' || m[2] == '-')) ||
		(strstr(m, "gpt-5") && strstr(m, "gpt-5-chat") == NULL)))
		return "max_completion_tokens";
	return t->provider->token_param;
}

/* What /responses is asked; a chat that is carried over it asks as a chat does. */
static void
add_responses(struct buf *b, const struct target *t, uint32_t variant)
{
	if (target_param(t, "bridged") == NULL && t->mode != MODE_ANTHROPIC_MESSAGES) {
		body_text(b, t, "input", str_of(body_prompt(t)));
		return;
	}
	if (body_member(b, t, "input")) {
		buf_add_text(b, "[{\"type\":\"message\",\"role\":\"user\",\"content\":[{"
				"\"type\":\"input_text\",\"text\":");
		json_add_string(b, str_of(body_greeting(variant)));
		buf_add_text(b, "}]}]");
	}
	if (t->max_tokens >= 0 && body_member(b, t, "max_output_tokens"))
		buf_add_int(b, t->max_tokens);
}

/* Perplexity's presets are no models. */
static void
add_model(struct buf *b, const struct target *t, const struct provider_call *call)
{
	if (call->shape == SHAPE_RESPONSES && strncmp(t->model, "preset/", 7) == 0)
		body_text(b, t, "preset", str_of(t->model + 7));
	else if (body_member(b, t, "model"))
		openai_add_model(b, t, call);
}

void
openai_text_body(struct buf *b, const struct target *t, const struct provider_call *call,
    uint32_t variant, bool shown)
{
	const char *tokens = t->max_tokens >= 0 ? token_name(t) : NULL;
	bool greets =
	    t->mode == MODE_CHAT || t->mode == MODE_BATCH || t->mode == MODE_ANTHROPIC_MESSAGES;
	const char *text = greets ? body_greeting(variant) : body_prompt(t);
	bool messages_first = call->shape == SHAPE_MESSAGES ||
			      (call->shape == SHAPE_CHAT && call->client == CLIENT_SDK && !shown);

	buf_add_char(b, '{');
	if (messages_first)
		body_messages(b, t, text);
	if (call->shape == SHAPE_EMBEDDING_TEXT)
		body_list(b, t, "text", str_of(body_prompt(t)));
	add_model(b, t, call);
	if (call->shape == SHAPE_CHAT && !messages_first)
		body_messages(b, t, text);
	if (call->shape == SHAPE_TEXT)
		body_text(b, t, "prompt", str_of(text));
	if (call->shape == SHAPE_EMBEDDING)
		body_list(b, t, "input", str_of(body_prompt(t)));
	if (call->shape == SHAPE_RESPONSES)
		add_responses(b, t, variant);
	if (call->shape == SHAPE_MESSAGES && body_member(b, t, "max_tokens"))
		buf_add_int(b, t->max_tokens >= 0 ? t->max_tokens : 16); /* it must be there */
	if (tokens && (call->shape == SHAPE_CHAT || call->shape == SHAPE_TEXT) &&
	    body_member(b, t, tokens))
		buf_add_int(b, t->max_tokens);
	body_add_row(b, t, call->extra);
	body_add_config(b, t);
	if (shown && call->client == CLIENT_SDK) {
		json_add_key(b, "extra_body");
		buf_add(b, "{}", 2);
	}
	buf_add_char(b, '}');
}
