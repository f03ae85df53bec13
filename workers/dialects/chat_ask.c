/* SPDX-License-Identifier: Apache-2.0 */
/* A caller's chat, read member by member for a family that writes it anew. */
#include "workers/dialects/chat_family.h"

#include <stdarg.h>
#include <string.h>

#include "shared/json.h"
#include "shared/json_read.h"
#include "shared/provider.h"
#include "workers/dialects/body.h"

/* OpenAI's own limit of tools; a result's name is looked for among so many. */
#define MAX_CALLS 128

void
chat_refuse(struct chat_ask *a, const char *fmt, ...)
{
	va_list ap;

	if (a->why->len > 0)
		return;
	va_start(ap, fmt);
	buf_vaddf(a->why, fmt, ap);
	va_end(ap);
}

static bool
is_null(struct str value)
{
	return value.n == 0 || str_is(value, "null");
}

struct str
chat_at(struct str json, const char *key)
{
	struct str value =
	    json.n > 0 && *json.p == '{' ? json_read_member(json, key) : STR("");

	return is_null(value) ? STR("") : value;
}

struct str
chat_member(const struct chat_ask *a, const char *key)
{
	return chat_at(a->chat, key);
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
chat_copy(struct chat_ask *a, const char *key, const char *own)
{
	struct str value = chat_member(a, key);

	if (value.n > 0)
		add_member(a->body, str_of(own), value);
}

void
chat_copy_limit(struct chat_ask *a, const char *own)
{
	if (a->max_tokens < 0)
		return;
	json_add_key(a->body, own);
	buf_add_int(a->body, a->max_tokens);
}

void
chat_copy_stop(struct chat_ask *a, const char *own)
{
	struct str stop = chat_member(a, "stop");

	if (stop.n == 0 || str_is(stop, "[]"))
		return;
	json_add_key(a->body, own);
	if (*stop.p == '"')
		buf_add_char(a->body, '[');
	buf_add_str(a->body, stop);
	if (*stop.p == '"')
		buf_add_char(a->body, ']');
}

bool
chat_among(const char *names, struct str name)
{
	while (*names) {
		size_t n = strcspn(names, " ");

		if (n == name.n && memcmp(names, name.p, n) == 0)
			return true;
		names += n + (names[n] == ' ');
	}
	return false;
}

/* Those of every chat. */
#define COMMON "model messages stream stream_options max_tokens max_completion_tokens n tools"

static bool
is_own(const struct chat_ask *a, struct str key)
{
	for (const char *p = strchr(a->family->takes, '!'); p; p = strchr(p + 1, '!'))
		if (strcspn(p + 1, " ") == key.n && memcmp(p + 1, key.p, key.n) == 0)
			return true;
	return false;
}

/* Whether a member is none of OpenAI's, so that it goes on as it is; refuses those that cannot. */
static bool
is_other(struct chat_ask *a, struct str key, struct str value)
{
	if (is_null(value) || chat_among(COMMON, key) ||
	    (key.n > 0 && *key.p != '!' && chat_among(a->family->takes, key)))
		return false;
	if (!is_own(a, key) && !body_is_openais(key))
		return true;
	/* The deployment's own are left out by its probes, too. */
	for (struct str rest = a->caller, name, v; json_next_member(&rest, &name, &v);)
		if (str_eq(name, key))
			chat_refuse(a,
			    "`%.*s` cannot be carried over to %s: it has no counterpart there",
			    (int)(key.n < 64 ? key.n : 64), key.p, a->t->provider->name);
	return false;
}

void
chat_add_others(struct chat_ask *a)
{
	struct str rest = a->chat, key, value;

	while (json_next_member(&rest, &key, &value))
		if (is_other(a, key, value))
			add_member(a->body, key, value);
}

bool
chat_has_others(struct chat_ask *a)
{
	struct str rest = a->chat, key, value;
	bool any = false;

	while (json_next_member(&rest, &key, &value))
		any = is_other(a, key, value) || any;
	return any;
}

bool
chat_only(struct chat_ask *a, struct str object, const char *where, const char *names)
{
	struct str key, value;

	if (object.n == 0 || *object.p != '{') {
		chat_refuse(a, "%s is not an object", where);
		return false;
	}
	while (json_next_member(&object, &key, &value))
		if (!chat_among(names, key) && !is_null(value) && !str_is(value, "[]") &&
		    !str_is(value, "{}")) {
			chat_refuse(a,
			    "`%s.%.*s` cannot be carried over to %s: it has no counterpart there",
			    where, (int)(key.n < 64 ? key.n : 64), key.p, a->t->provider->name);
			return false;
		}
	return true;
}

/* ---- parts ---- */

static bool
is_text(struct str value)
{
	return value.n >= 2 && *value.p == '"';
}

struct str
chat_inner(struct str value)
{
	return is_text(value) ? (struct str){ value.p + 1, value.n - 2 } : STR("");
}

bool
chat_read_image(struct chat_ask *a, struct str part, struct chat_part *p)
{
	struct str image = chat_at(part, "image_url"), url;
	const char *comma;

	if (!chat_only(a, part, "messages.content", "type image_url"))
		return false;
	if (!is_text(image) &&
	    !chat_only(a, image, "messages.content.image_url", "url detail"))
		return false;
	url = chat_inner(is_text(image) ? image : chat_at(image, "url"));
	*p = (struct chat_part){ .kind = CHAT_PART_IMAGE, .data = url };
	if (str_starts(url, "https://") || str_starts(url, "http://"))
		return true;
	comma = url.n ? memchr(url.p, ',', url.n) : NULL;
	if (!str_starts(url, "data:image/") || comma == NULL || comma - url.p < 18 ||
	    memcmp(comma - 7, ";base64", 7) != 0 || memchr(url.p, '\\', url.n)) {
		chat_refuse(a, "`messages.content.image_url` is neither a URL with http or https "
			       "nor data:image/…;base64,…");
		return false;
	}
	p->media = (struct str){ url.p + 5, (size_t)(comma - 7 - url.p - 5) };
	p->data = (struct str){ comma + 1, url.n - (size_t)(comma + 1 - url.p) };
	return true;
}

void
chat_add_words(struct chat_ask *a, struct buf *b, struct str content)
{
	struct str rest = content, part;

	buf_add_char(b, '"');
	if (is_text(content)) {
		buf_add_str(b, chat_inner(content));
	} else if (content.n > 0 && *content.p == '[') {
		while (json_next_element(&rest, &part)) {
			if (is_text(part)) {
				buf_add_str(b, chat_inner(part));
				continue;
			}
			if (!chat_only(a, part, "messages.content", "type text"))
				break;
			if (!str_is(chat_at(part, "type"), "\"text\""))
				chat_refuse(a, "`messages.content` of this role has a part that is "
					       "no text");
			buf_add_str(b, chat_inner(chat_at(part, "text")));
		}
	} else if (content.n > 0) {
		chat_refuse(a, "`messages.content` is neither a text nor a list of parts");
	}
	buf_add_char(b, '"');
}

void
chat_add_arguments(struct chat_ask *a, struct buf *b, struct str arguments)
{
	struct buf text = BUF_INIT(SIZE_MAX / 2);
	size_t at = b->len;

	if (!json_read_text(arguments, &text))
		chat_refuse(a, "`messages.tool_calls.function.arguments` is not a text");
	else if (text.len == 0)
		buf_add_text(b, "{}");
	else if (json_read(buf_str(&text), b, NULL) < 0 || b->data[at] != '{')
		chat_refuse(
		    a, "`messages.tool_calls.function.arguments` does not hold a JSON object");
	buf_clear(&text);
}

/* ---- turns ---- */

struct walk {
	struct chat_ask *a;
	const struct chat_turns *how;
	const char *open; /* the turn that is open */
	struct buf *system;
	struct str calls; /* of the last assistant's turn */
};

static void
add_part(struct walk *w, const char *open, const struct chat_part *p)
{
	struct buf *b = w->a->body;

	if (w->open != open) {
		if (w->open)
			buf_add_text(b, "]},");
		buf_add_text(b, open);
		w->open = open;
	} else {
		buf_add_char(b, ',');
	}
	w->how->part(w->a, b, p);
}

static void
add_text(struct walk *w, const char *open, struct str text)
{
	const struct chat_part p = { .kind = CHAT_PART_TEXT, .text = text };

	/* An empty one says nothing, and is refused by most. */
	if (text.n > 2)
		add_part(w, open, &p);
}

static void
add_content(struct walk *w, const char *open, struct str content)
{
	struct str rest = content, part, type;
	struct chat_part p;

	if (is_text(content)) {
		add_text(w, open, content);
		return;
	}
	if (content.n > 0 && *content.p != '[') {
		chat_refuse(w->a, "`messages.content` is neither a text nor a list of parts");
		return;
	}
	while (content.n > 0 && w->a->why->len == 0 && json_next_element(&rest, &part)) {
		type = chat_at(part, "type");
		if (str_is(type, "\"text\"")) {
			if (chat_only(w->a, part, "messages.content", "type text"))
				add_text(w, open, chat_at(part, "text"));
		} else if (str_is(type, "\"image_url\"")) {
			if (chat_read_image(w->a, part, &p))
				add_part(w, open, &p);
		} else {
			chat_refuse(w->a,
			    "`messages.content` has a part of type %.*s, expected text or "
			    "image_url",
			    (int)(type.n < 64 ? type.n : 64), type.p);
		}
	}
}

static void
add_calls(struct walk *w, struct str calls)
{
	struct str rest = calls, call, function;
	struct buf args = BUF_INIT(SIZE_MAX / 2);
	size_t n = 0;

	w->calls = calls;
	while (calls.n > 0 && w->a->why->len == 0 && json_next_element(&rest, &call)) {
		struct chat_part p = { .kind = CHAT_PART_CALL };

		function = chat_at(call, "function");
		p.id = chat_at(call, "id");
		p.name = chat_at(function, "name");
		buf_reset(&args);
		if (!is_text(p.id) || !is_text(p.name) || ++n > MAX_CALLS)
			chat_refuse(w->a, "`messages.tool_calls` has a call without id or name, or "
					  "has more than %d",
			    MAX_CALLS);
		else
			chat_add_arguments(w->a, &args, chat_at(function, "arguments"));
		p.args = buf_str(&args);
		if (w->a->why->len == 0)
			add_part(w, w->how->assistant, &p);
	}
	buf_clear(&args);
}

static void
add_result(struct walk *w, struct str message)
{
	struct chat_part p = { .kind = CHAT_PART_RESULT, .id = chat_at(message, "tool_call_id") };
	struct buf text = BUF_INIT(SIZE_MAX / 2);
	struct str rest = w->calls, call;

	p.name = chat_at(message, "name");
	while (p.name.n == 0 && w->calls.n > 0 && json_next_element(&rest, &call))
		if (str_eq(chat_at(call, "id"), p.id))
			p.name = chat_at(chat_at(call, "function"), "name");
	if (!is_text(p.id) || !is_text(p.name)) {
		chat_refuse(w->a, "a message of the role tool has no `tool_call_id` of a call before "
				  "it");
		return;
	}
	chat_add_words(w->a, &text, chat_at(message, "content"));
	p.text = buf_str(&text);
	add_part(w, w->how->user, &p);
	buf_clear(&text);
}

static void
add_message(struct walk *w, struct str message)
{
	struct str role = chat_at(message, "role"), content = chat_at(message, "content");
	struct buf text = BUF_INIT(SIZE_MAX / 2);

	if (str_is(role, "\"system\"") || str_is(role, "\"developer\"")) {
		if (chat_only(w->a, message, "messages", "role content"))
			chat_add_words(w->a, &text, content);
		if (text.len > 2) {
			if (w->system->len > 0)
				buf_add_char(w->system, ',');
			w->how->part(w->a, w->system,
			    &(struct chat_part){ .kind = CHAT_PART_TEXT, .text = buf_str(&text) });
		}
	} else if (str_is(role, "\"user\"")) {
		if (chat_only(w->a, message, "messages", "role content"))
			add_content(w, w->how->user, content);
	} else if (str_is(role, "\"assistant\"")) {
		if (chat_only(w->a, message, "messages", "role content tool_calls")) {
			add_content(w, w->how->assistant, content);
			add_calls(w, chat_at(message, "tool_calls"));
		}
	} else if (str_is(role, "\"tool\"")) {
		if (chat_only(w->a, message, "messages", "role content tool_call_id name"))
			add_result(w, message);
	} else {
		chat_refuse(w->a, "`messages.role` is %.*s, expected system, developer, user, "
				  "assistant or tool",
		    (int)(role.n < 64 ? role.n : 64), role.p);
	}
	buf_clear(&text);
}

void
chat_add_turns(struct chat_ask *a, struct buf *system, const struct chat_turns *how)
{
	struct walk w = { .a = a, .how = how, .system = system, .calls = STR("") };
	struct str rest = chat_member(a, "messages"), message;

	buf_add_char(a->body, '[');
	while (a->why->len == 0 && json_next_element(&rest, &message))
		add_message(&w, message);
	buf_add_text(a->body, w.open ? "]}]" : "]");
}

/* ---- tools ---- */

bool
chat_next_tool(struct chat_ask *a, struct str *rest, struct str *name, struct str *description,
    struct str *parameters)
{
	struct str tool, function, strict;

	if (a->why->len > 0 || rest->n == 0 || !json_next_element(rest, &tool))
		return false;
	function = chat_at(tool, "function");
	*name = chat_at(function, "name");
	if (!str_is(chat_at(tool, "type"), "\"function\"") || !is_text(*name)) {
		chat_refuse(a, "`tools` has one that is no function with a name");
		return false;
	}
	strict = chat_at(function, "strict");
	if (str_is(strict, "true"))
		chat_refuse(a, "`tools.function.strict` cannot be carried over to %s",
		    a->t->provider->name);
	*description = chat_at(function, "description");
	*parameters = chat_at(function, "parameters");
	return chat_only(a, tool, "tools", "type function") &&
	       chat_only(a, function, "tools.function", "name description parameters strict") &&
	       a->why->len == 0;
}

void
chat_copy_tools(struct chat_ask *a)
{
	struct str rest = chat_member(a, "tools"), name, description, parameters;

	while (chat_next_tool(a, &rest, &name, &description, &parameters))
		;
	chat_copy(a, "tools", "tools");
}

void
chat_add_function(struct buf *b, struct str name, struct str description)
{
	buf_add_str(b, name);
	if (description.n > 0) {
		buf_add_text(b, ",\"description\":");
		buf_add_str(b, description);
	}
}

const char *
chat_format(struct chat_ask *a, struct str *schema)
{
	struct str format = chat_member(a, "response_format");
	struct str type = chat_inner(chat_at(format, "type"));

	*schema = STR("");
	if (format.n == 0 || str_is(type, "text"))
		return "text";
	if (str_is(type, "json_object"))
		return "json_object";
	*schema = chat_at(chat_at(format, "json_schema"), "schema");
	if (str_is(type, "json_schema") && schema->n > 0)
		return "json_schema";
	chat_refuse(a, "`response_format` is neither text, json_object nor json_schema");
	return "";
}

struct str
chat_role(struct chat_ask *a, struct str message)
{
	struct str role = chat_inner(chat_at(message, "role"));

	if (str_is(role, "developer"))
		return STR("system");
	if (chat_among("system user assistant tool", role))
		return role;
	chat_refuse(a, "`messages.role` is none of system, developer, user, assistant, tool");
	return STR("");
}

void
chat_refuse_url(struct chat_ask *a)
{
	chat_refuse(a, "`messages.content.image_url` is a URL, expected "
		       "data:image/…;base64,…: nothing is fetched here");
}

const char *
chat_tool_choice(struct chat_ask *a, struct str *name)
{
	static const char *const words[] = { "auto", "none", "required" };
	struct str choice = chat_member(a, "tool_choice");

	*name = STR("");
	if (choice.n == 0)
		return "";
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_is(chat_inner(choice), words[i]))
			return words[i];
	*name = chat_at(chat_at(choice, "function"), "name");
	if (!str_is(chat_at(choice, "type"), "\"function\"") || !is_text(*name))
		chat_refuse(a, "`tool_choice` is neither auto, none, required nor a function");
	return "function";
}
