/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anthropic's messages: docs.anthropic.com/en/api/messages, …/messages-streaming, …/errors; at
 * Google docs.anthropic.com/en/api/claude-on-vertex-ai, at Amazon the same behind InvokeModel
 * (docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html).
 */
#include "workers/dialects/chat_family.h"

#include <string.h>

#include "shared/json.h"

/* What LiteLLM sends where nobody says how many. */
#define USUAL_TOKENS 4096

static void
add_part(struct chat_ask *a, struct buf *b, const struct chat_part *p)
{
	switch (p->kind) {
	case CHAT_PART_TEXT:
		buf_add_text(b, "{\"type\":\"text\",\"text\":");
		buf_add_str(b, p->text);
		break;
	case CHAT_PART_IMAGE:
		buf_add_text(b, "{\"type\":\"image\",\"source\":{\"type\":");
		if (p->media.n > 0) {
			buf_add_text(b, "\"base64\",\"media_type\":\"");
			buf_add_str(b, p->media);
			buf_add_text(b, "\",\"data\":\"");
		} else {
			buf_add_text(b, "\"url\",\"url\":\"");
		}
		buf_add_str(b, p->data);
		buf_add_text(b, "\"}");
		break;
	case CHAT_PART_CALL:
		buf_add_text(b, "{\"type\":\"tool_use\",\"id\":");
		buf_add_str(b, p->id);
		buf_add_text(b, ",\"name\":");
		buf_add_str(b, p->name);
		buf_add_text(b, ",\"input\":");
		buf_add_str(b, p->args);
		break;
	case CHAT_PART_RESULT:
		buf_add_text(b, "{\"type\":\"tool_result\",\"tool_use_id\":");
		buf_add_str(b, p->id);
		buf_add_text(b, ",\"content\":");
		buf_add_str(b, p->text);
		break;
	}
	buf_add_char(b, '}');
}

static void
add_tools(struct chat_ask *a)
{
	struct str rest = chat_member(a, "tools"), name, description, parameters;
	struct buf *b = a->body;
	bool any = false;

	while (chat_next_tool(a, &rest, &name, &description, &parameters)) {
		if (!any)
			json_add_key(b, "tools");
		buf_add_text(b, any ? ",{\"name\":" : "[{\"name\":");
		any = true;
		chat_add_function(b, name, description);
		buf_add_text(b, ",\"input_schema\":");
		if (parameters.n > 0)
			buf_add_str(b, parameters);
		else
			buf_add_text(b, "{\"type\":\"object\",\"properties\":{}}");
		buf_add_char(b, '}');
	}
	if (any)
		buf_add_char(b, ']');
}

static void
add_choice(struct chat_ask *a)
{
	struct str name, parallel = chat_member(a, "parallel_tool_calls");
	const char *choice = chat_tool_choice(a, &name);
	struct buf *b = a->body;

	if (*choice == '\0' && parallel.n == 0)
		return;
	json_add_key(b, "tool_choice");
	if (*choice == 'f') {
		buf_add_text(b, "{\"type\":\"tool\",\"name\":");
		buf_add_str(b, name);
	} else {
		buf_addf(b, "{\"type\":\"%s\"",
		    *choice == 'n'   ? "none"
		    : *choice == 'r' ? "any"
				     : "auto");
	}
	if (parallel.n > 0 && *choice != 'n')
		buf_addf(b, ",\"disable_parallel_tool_use\":%s",
		    str_is(parallel, "false") ? "true" : "false");
	buf_add_char(b, '}');
}

static void
ask(struct chat_ask *a)
{
	static const struct chat_turns turns = { "{\"role\":\"user\",\"content\":[",
		"{\"role\":\"assistant\",\"content\":[", add_part };
	struct buf *b = a->body, system = BUF_INIT(SIZE_MAX / 2);
	struct str user = chat_member(a, "user");

	buf_add_char(b, '{');
	if (a->family->version) {
		json_add_key(b, "anthropic_version");
		json_add_string(b, str_of(a->family->version));
	} else {
		json_add_key(b, "model");
		json_add_string(b, str_of(a->t->model));
	}
	json_add_key(b, "messages");
	chat_add_turns(a, &system, &turns);
	if (system.len > 0) {
		json_add_key(b, "system");
		buf_addf(b, "[%s]", buf_text(&system));
	}
	json_add_key(b, "max_tokens");
	buf_add_int(b, a->max_tokens >= 0 ? a->max_tokens : USUAL_TOKENS);
	chat_copy(a, "temperature", "temperature");
	chat_copy(a, "top_p", "top_p");
	chat_copy(a, "thinking", "thinking");
	chat_copy_stop(a, "stop_sequences");
	add_tools(a);
	add_choice(a);
	if (user.n > 0) {
		json_add_key(b, "metadata");
		buf_add_text(b, "{\"user_id\":");
		buf_add_str(b, user);
		buf_add_char(b, '}');
	}
	/* Amazon says it in the URL. */
	if (a->stream && a->family->framing == CHAT_EVENTS) {
		json_add_key(b, "stream");
		buf_add_text(b, "true");
	}
	chat_add_others(a);
	buf_add_char(b, '}');
	buf_clear(&system);
}

/* ---- the answer ---- */

static void
set_usage(struct chat *c, struct str usage)
{
	int64_t in = chat_number(chat_at(usage, "input_tokens")) +
		     chat_number(chat_at(usage, "cache_creation_input_tokens")) +
		     chat_number(chat_at(usage, "cache_read_input_tokens"));

	chat_usage(c, in > 0 ? in : c->tokens_in, chat_number(chat_at(usage, "output_tokens")));
}

static void
set_reason(struct chat *c, struct str reason)
{
	if (reason.n > 0)
		chat_finish_as(c, chat_inner(reason),
		    "max_tokens=length model_context_window_exceeded=length tool_use=tool_calls "
		    "refusal=content_filter");
}

static void
set_model(struct chat *c, struct str model)
{
	if (chat_inner(model).n == 0)
		return;
	buf_reset(&c->model);
	buf_add_str(&c->model, model);
}

static void
whole(struct chat *c, struct str json)
{
	struct str rest = chat_at(json, "content"), block, type;

	if (rest.n == 0 || *rest.p != '[') {
		chat_fail(c, "the answer has no list `content`");
		return;
	}
	set_model(c, chat_at(json, "model"));
	while (json_next_element(&rest, &block)) {
		type = chat_inner(chat_at(block, "type"));
		if (str_is(type, "text"))
			chat_say(c, chat_inner(chat_at(block, "text")));
		else if (str_is(type, "thinking"))
			chat_think(c, chat_inner(chat_at(block, "thinking")));
		else if (str_is(type, "tool_use"))
			chat_call_object(c, chat_at(block, "id"), chat_at(block, "name"),
			    chat_at(block, "input"));
	}
	set_usage(c, chat_at(json, "usage"));
	set_reason(c, chat_at(json, "stop_reason"));
}

static void
event(struct chat *c, struct str name, struct str json)
{
	struct str type = chat_inner(chat_at(json, "type")), part, error;

	(void)name;
	if (str_is(type, "message_start")) {
		part = chat_at(json, "message");
		set_model(c, chat_at(part, "model"));
		set_usage(c, chat_at(part, "usage"));
	} else if (str_is(type, "content_block_start")) {
		part = chat_at(json, "content_block");
		type = chat_inner(chat_at(part, "type"));
		if (str_is(type, "tool_use"))
			chat_call(c, chat_at(part, "id"), chat_at(part, "name"), STR(""));
		else if (str_is(type, "text"))
			chat_say(c, chat_inner(chat_at(part, "text")));
	} else if (str_is(type, "content_block_delta")) {
		part = chat_at(json, "delta");
		type = chat_inner(chat_at(part, "type"));
		if (str_is(type, "text_delta"))
			chat_say(c, chat_inner(chat_at(part, "text")));
		else if (str_is(type, "thinking_delta"))
			chat_think(c, chat_inner(chat_at(part, "thinking")));
		else if (str_is(type, "input_json_delta"))
			chat_call_more(c, chat_inner(chat_at(part, "partial_json")));
	} else if (str_is(type, "message_delta")) {
		set_usage(c, chat_at(json, "usage"));
		set_reason(c, chat_at(chat_at(json, "delta"), "stop_reason"));
	} else if (str_is(type, "error")) {
		error = chat_inner(chat_at(chat_at(json, "error"), "message"));
		chat_fail(c, "the stream has an error: %.*s", (int)(error.n < 2000 ? error.n : 2000),
		    error.p);
	}
}

#define TAKES \
	"temperature top_p thinking stop tool_choice parallel_tool_calls user !metadata !system " \
	"!max_tokens_to_sample !stop_sequences !anthropic_version"

const struct chat_family chat_anthropic = {
	.name = "anthropic",
	.takes = TAKES,
	.ask = ask,
	.whole = whole,
	.event = event,
};

const struct chat_family chat_anthropic_vertex = {
	.name = "anthropic",
	.takes = TAKES,
	.version = "vertex-2023-10-16",
	.tail = ":rawPredict",
	.stream_tail = ":streamRawPredict",
	.ask = ask,
	.whole = whole,
	.event = event,
};

const struct chat_family chat_anthropic_bedrock = {
	.name = "anthropic",
	.framing = CHAT_AMAZON,
	.takes = TAKES,
	.version = "bedrock-2023-05-31",
	.tail = "/invoke",
	.stream_tail = "/invoke-with-response-stream",
	.ask = ask,
	.whole = whole,
	.event = event,
};
