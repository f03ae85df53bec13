/* SPDX-License-Identifier: Apache-2.0 */
/* Cohere's /v2/chat: docs.cohere.com/reference/chat, …/chat-stream. Messages and tools are OpenAI's. */
#include "workers/dialects/chat_family.h"

#include "shared/json.h"
#include "shared/provider.h"

static void
add_message(struct chat_ask *a, struct str message)
{
	struct str role = chat_role(a, message), key, value;
	struct buf *b = a->body;

	if (role.n == 0 ||
	    !chat_only(a, message, "messages", "role content tool_calls tool_call_id"))
		return;
	buf_addf(b, "{\"role\":\"%.*s\"", (int)role.n, role.p);
	while (json_next_member(&message, &key, &value))
		if (chat_among("content tool_calls tool_call_id", key) && !str_is(value, "null")) {
			buf_addf(b, ",\"%.*s\":", (int)key.n, key.p);
			buf_add_str(b, value);
		}
	buf_add_char(b, '}');
}

static void
add_format(struct chat_ask *a)
{
	struct str schema;

	if (*chat_format(a, &schema) != 'j')
		return;
	json_add_key(a->body, "response_format");
	buf_add_text(a->body, "{\"type\":\"json_object\"");
	if (schema.n > 0) {
		buf_add_text(a->body, ",\"json_schema\":");
		buf_add_str(a->body, schema);
	}
	buf_add_char(a->body, '}');
}

static void
ask(struct chat_ask *a)
{
	struct str rest = chat_member(a, "messages"), message, name;
	const char *choice = chat_tool_choice(a, &name);
	struct buf *b = a->body;

	buf_add_char(b, '{');
	json_add_key(b, "model");
	json_add_string(b, str_of(a->t->model));
	json_add_key(b, "messages");
	buf_add_char(b, '[');
	while (a->why->len == 0 && json_next_element(&rest, &message)) {
		json_add_comma(b);
		add_message(a, message);
	}
	buf_add_char(b, ']');
	chat_copy_limit(a, "max_tokens");
	chat_copy(a, "temperature", "temperature");
	chat_copy(a, "top_p", "p");
	chat_copy(a, "top_k", "k");
	chat_copy(a, "seed", "seed");
	chat_copy(a, "frequency_penalty", "frequency_penalty");
	chat_copy(a, "presence_penalty", "presence_penalty");
	chat_copy_stop(a, "stop_sequences");
	add_format(a);
	chat_copy_tools(a);
	if (*choice == 'n' || *choice == 'r') {
		json_add_key(b, "tool_choice");
		buf_add_text(b, *choice == 'n' ? "\"NONE\"" : "\"REQUIRED\"");
	} else if (*choice == 'f') {
		chat_refuse(a, "`tool_choice` of one function cannot be carried over to %s",
		    a->t->provider->name);
	}
	json_add_key(b, "stream");
	buf_add_text(b, a->stream ? "true" : "false");
	chat_add_others(a);
	buf_add_char(b, '}');
}

static void
set_end(struct chat *c, struct str part)
{
	struct str usage = chat_at(chat_at(part, "usage"), "tokens");
	struct str reason = chat_inner(chat_at(part, "finish_reason"));

	chat_usage(c, chat_number(chat_at(usage, "input_tokens")),
	    chat_number(chat_at(usage, "output_tokens")));
	if (str_is(reason, "ERROR") || str_is(reason, "TIMEOUT"))
		chat_fail(c, "the answer ends with the reason %.*s", (int)reason.n, reason.p);
	else if (reason.n > 0)
		chat_finish_as(c, reason,
		    "MAX_TOKENS=length TOOL_CALL=tool_calls ERROR_TOXIC=content_filter");
}

static void
whole(struct chat *c, struct str json)
{
	struct str message = chat_at(json, "message"), rest = chat_at(message, "content"), part;
	struct str calls = chat_at(message, "tool_calls"), function;

	if (message.n == 0 || *message.p != '{') {
		chat_fail(c, "the answer has no object `message`");
		return;
	}
	chat_think(c, chat_inner(chat_at(message, "tool_plan")));
	while (rest.n > 0 && json_next_element(&rest, &part)) {
		chat_say(c, chat_inner(chat_at(part, "text")));
		chat_think(c, chat_inner(chat_at(part, "thinking")));
	}
	while (calls.n > 0 && json_next_element(&calls, &part)) {
		function = chat_at(part, "function");
		chat_call(c, chat_at(part, "id"), chat_at(function, "name"),
		    chat_inner(chat_at(function, "arguments")));
	}
	set_end(c, json);
}

static void
event(struct chat *c, struct str name, struct str json)
{
	struct str type = chat_inner(chat_at(json, "type")), delta = chat_at(json, "delta");
	struct str message = chat_at(delta, "message"), part;

	(void)name;
	if (str_is(type, "content-delta")) {
		part = chat_at(message, "content");
		chat_say(c, chat_inner(chat_at(part, "text")));
		chat_think(c, chat_inner(chat_at(part, "thinking")));
	} else if (str_is(type, "tool-plan-delta")) {
		chat_think(c, chat_inner(chat_at(message, "tool_plan")));
	} else if (str_is(type, "tool-call-start") || str_is(type, "tool-call-delta")) {
		struct str calls = chat_at(message, "tool_calls"), function;

		function = chat_at(calls, "function");
		part = chat_inner(chat_at(function, "arguments"));
		if (str_is(type, "tool-call-start"))
			chat_call(c, chat_at(calls, "id"), chat_at(function, "name"), part);
		else
			chat_call_more(c, part);
	} else if (str_is(type, "message-end")) {
		set_end(c, delta);
	}
}

const struct chat_family chat_cohere = {
	.name = "cohere",
	.takes = "temperature top_p top_k seed frequency_penalty presence_penalty stop "
		 "response_format tool_choice !p !k !stop_sequences",
	.ask = ask,
	.whole = whole,
	.event = event,
};
