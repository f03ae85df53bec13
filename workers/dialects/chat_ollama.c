/* SPDX-License-Identifier: Apache-2.0 */
/* Ollama's /api/chat: github.com/ollama/ollama/blob/main/docs/api.md. */
#include "workers/dialects/chat_family.h"

#include "shared/json.h"
#include "shared/provider.h"

static void
add_images(struct chat_ask *a, struct str content)
{
	struct str part;
	struct chat_part p;
	bool any = false;

	if (content.n == 0 || *content.p != '[')
		return;
	while (a->why->len == 0 && json_next_element(&content, &part)) {
		if (!str_is(chat_at(part, "type"), "\"image_url\"") ||
		    !chat_read_image(a, part, &p))
			continue;
		if (p.media.n == 0)
			chat_refuse_url(a);
		buf_add_text(a->body, any ? ",\"" : ",\"images\":[\"");
		buf_add_str(a->body, p.data);
		buf_add_char(a->body, '"');
		any = true;
	}
	if (any)
		buf_add_char(a->body, ']');
}

/* The content without its pictures, which stand beside it. */
static void
add_content(struct chat_ask *a, struct str content, bool images)
{
	struct buf texts = BUF_INIT(SIZE_MAX / 2);
	struct str rest = content, part;

	json_add_key(a->body, "content");
	if (images && content.n > 0 && *content.p == '[') {
		buf_add_char(&texts, '[');
		while (json_next_element(&rest, &part))
			if (!str_is(chat_at(part, "type"), "\"image_url\"")) {
				json_add_comma(&texts);
				buf_add_str(&texts, part);
			}
		buf_add_char(&texts, ']');
		content = buf_str(&texts);
	}
	chat_add_words(a, a->body, content);
	buf_clear(&texts);
}

static void
add_calls(struct chat_ask *a, struct str calls)
{
	struct str call, function;

	if (calls.n == 0)
		return;
	json_add_key(a->body, "tool_calls");
	buf_add_char(a->body, '[');
	while (a->why->len == 0 && json_next_element(&calls, &call)) {
		function = chat_at(call, "function");
		json_add_comma(a->body);
		if (chat_inner(chat_at(function, "name")).n == 0)
			chat_refuse(a, "`messages.tool_calls` has a call without name");
		buf_add_text(a->body, "{\"function\":{\"name\":");
		buf_add_str(a->body, chat_at(function, "name"));
		buf_add_text(a->body, ",\"arguments\":");
		chat_add_arguments(a, a->body, chat_at(function, "arguments"));
		buf_add_text(a->body, "}}");
	}
	buf_add_char(a->body, ']');
}

static void
add_message(struct chat_ask *a, struct str message)
{
	struct str role = chat_role(a, message), content;
	bool user = str_is(role, "user");

	/* A tool's result has no id here: they stand in the order of the calls. */
	if (role.n == 0 ||
	    !chat_only(a, message, "messages", "role content tool_calls tool_call_id name"))
		return;
	content = chat_at(message, "content");
	buf_addf(a->body, "{\"role\":\"%.*s\"", (int)role.n, role.p);
	add_content(a, content, user);
	if (user)
		add_images(a, content);
	add_calls(a, chat_at(message, "tool_calls"));
	buf_add_char(a->body, '}');
}

static void
add_format(struct chat_ask *a)
{
	struct str schema;

	if (*chat_format(a, &schema) != 'j')
		return;
	json_add_key(a->body, "format");
	if (schema.n > 0)
		buf_add_str(a->body, schema);
	else
		buf_add_text(a->body, "\"json\"");
}

static void
ask(struct chat_ask *a)
{
	struct str rest = chat_member(a, "messages"), message, choice;
	const char *chosen = chat_tool_choice(a, &choice);
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
	if (*chosen && *chosen != 'a')
		chat_refuse(a, "`tool_choice` other than auto cannot be carried over to %s",
		    a->t->provider->name);
	chat_copy_tools(a);
	add_format(a);
	json_add_key(b, "stream");
	buf_add_text(b, a->stream ? "true" : "false");
	chat_copy(a, "think", "think");
	chat_copy(a, "keep_alive", "keep_alive");
	json_add_key(b, "options");
	buf_add_char(b, '{');
	chat_copy_limit(a, "num_predict");
	chat_copy(a, "temperature", "temperature");
	chat_copy(a, "top_p", "top_p");
	chat_copy(a, "seed", "seed");
	chat_copy_stop(a, "stop");
	chat_add_others(a);
	buf_add_text(b, "}}");
}

static void
take(struct chat *c, struct str json)
{
	struct str message = chat_at(json, "message"), error = chat_inner(chat_at(json, "error"));
	struct str calls = chat_at(message, "tool_calls"), call, function;

	if (error.n > 0 || message.n == 0 || *message.p != '{') {
		chat_fail(c, "%s%.*s", error.n ? "the answer is an error: " : "there is no `message`",
		    (int)(error.n < 2000 ? error.n : 2000), error.p);
		return;
	}
	chat_think(c, chat_inner(chat_at(message, "thinking")));
	chat_say(c, chat_inner(chat_at(message, "content")));
	while (calls.n > 0 && json_next_element(&calls, &call)) {
		function = chat_at(call, "function");
		chat_call_object(c, chat_at(call, "id"), chat_at(function, "name"),
		    chat_at(function, "arguments"));
	}
	if (str_is(chat_at(json, "done"), "true")) {
		chat_usage(c, chat_number(chat_at(json, "prompt_eval_count")),
		    chat_number(chat_at(json, "eval_count")));
		chat_finish_as(c, chat_inner(chat_at(json, "done_reason")), "length=length");
	}
}

static void
event(struct chat *c, struct str type, struct str json)
{
	(void)type;
	take(c, json);
}

const struct chat_family chat_ollama = {
	.name = "ollama",
	.framing = CHAT_LINES,
	.takes = "temperature top_p seed stop think keep_alive response_format tool_choice !options "
		 "!format",
	.ask = ask,
	.whole = take,
	.event = event,
};
