/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Amazon Bedrock's Converse and ConverseStream:
 * docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, …_ConverseStream.html.
 */
#include "workers/dialects/chat_family.h"

#include <string.h>

#include "shared/json.h"
#include "shared/provider.h"

static void
add_part(struct chat_ask *a, struct buf *b, const struct chat_part *p)
{
	switch (p->kind) {
	case CHAT_PART_TEXT:
		buf_add_text(b, "{\"text\":");
		buf_add_str(b, p->text);
		break;
	case CHAT_PART_IMAGE:
		if (p->media.n < 7)
			chat_refuse_url(a);
		else
			buf_addf(b,
			    "{\"image\":{\"format\":\"%.*s\",\"source\":{\"bytes\":\"",
			    (int)p->media.n - 6, p->media.p + 6);
		buf_add_str(b, p->data);
		buf_add_text(b, "\"}}");
		break;
	case CHAT_PART_CALL:
		buf_add_text(b, "{\"toolUse\":{\"toolUseId\":");
		buf_add_str(b, p->id);
		buf_add_text(b, ",\"name\":");
		buf_add_str(b, p->name);
		buf_add_text(b, ",\"input\":");
		buf_add_str(b, p->args);
		buf_add_char(b, '}');
		break;
	case CHAT_PART_RESULT:
		buf_add_text(b, "{\"toolResult\":{\"toolUseId\":");
		buf_add_str(b, p->id);
		buf_add_text(b, ",\"content\":[{\"text\":");
		buf_add_str(b, p->text);
		buf_add_text(b, "}]}");
		break;
	}
	buf_add_char(b, '}');
}

static void
add_choice(struct chat_ask *a)
{
	struct str name;
	const char *choice = chat_tool_choice(a, &name);
	struct buf *b = a->body;

	if (*choice == '\0')
		return;
	json_add_key(b, "toolChoice");
	if (*choice == 'n') {
		chat_refuse(a, "`tool_choice` none cannot be carried over to %s",
		    a->t->provider->name);
	} else if (*choice == 'f') {
		buf_add_text(b, "{\"tool\":{\"name\":");
		buf_add_str(b, name);
		buf_add_text(b, "}}");
	} else {
		buf_add_text(b, *choice == 'r' ? "{\"any\":{}}" : "{\"auto\":{}}");
	}
}

static void
add_tools(struct chat_ask *a)
{
	struct str rest = chat_member(a, "tools"), name, description, parameters;
	struct buf *b = a->body;
	bool any = false;

	while (chat_next_tool(a, &rest, &name, &description, &parameters)) {
		if (!any) {
			json_add_key(b, "toolConfig");
			buf_add_text(b, "{\"tools\":[");
		}
		buf_add_text(b, any ? ",{\"toolSpec\":{\"name\":" : "{\"toolSpec\":{\"name\":");
		any = true;
		chat_add_function(b, name, description);
		buf_add_text(b, ",\"inputSchema\":{\"json\":");
		if (parameters.n > 0)
			buf_add_str(b, parameters);
		else
			buf_add_text(b, "{\"type\":\"object\",\"properties\":{}}");
		buf_add_text(b, "}}}");
	}
	if (any) {
		buf_add_char(b, ']');
		add_choice(a);
		buf_add_char(b, '}');
	} else if (chat_member(a, "tool_choice").n > 0) {
		chat_refuse(a, "`tool_choice` without tools cannot be carried over to %s",
		    a->t->provider->name);
	}
}

static void
ask(struct chat_ask *a)
{
	static const struct chat_turns turns = { "{\"role\":\"user\",\"content\":[",
		"{\"role\":\"assistant\",\"content\":[", add_part };
	struct buf *b = a->body, system = BUF_INIT(SIZE_MAX / 2);

	buf_add_text(b, "{\"messages\":");
	chat_add_turns(a, &system, &turns);
	if (system.len > 0) {
		json_add_key(b, "system");
		buf_add_char(b, '[');
		buf_add_str(b, buf_str(&system));
		buf_add_char(b, ']');
	}
	json_add_key(b, "inferenceConfig");
	buf_add_char(b, '{');
	chat_copy_limit(a, "maxTokens");
	chat_copy(a, "temperature", "temperature");
	chat_copy(a, "top_p", "topP");
	chat_copy_stop(a, "stopSequences");
	buf_add_char(b, '}');
	add_tools(a);
	/* Those of the model itself, as LiteLLM sends them. */
	if (chat_has_others(a)) {
		json_add_key(b, "additionalModelRequestFields");
		buf_add_char(b, '{');
		chat_add_others(a);
		buf_add_char(b, '}');
	}
	buf_add_char(b, '}');
	buf_clear(&system);
}

/* ---- the answer ---- */

static void
set_usage(struct chat *c, struct str usage)
{
	if (usage.n > 0)
		chat_usage(c, chat_number(chat_at(usage, "inputTokens")),
		    chat_number(chat_at(usage, "outputTokens")));
}

static void
set_reason(struct chat *c, struct str reason)
{
	if (reason.n > 0)
		chat_finish_as(c, chat_inner(reason),
		    "max_tokens=length model_context_window_exceeded=length tool_use=tool_calls "
		    "guardrail_intervened=content_filter content_filtered=content_filter");
}

static void
whole(struct chat *c, struct str json)
{
	struct str rest = chat_at(chat_at(chat_at(json, "output"), "message"), "content"), part, use;

	if (rest.n == 0 || *rest.p != '[') {
		chat_fail(c, "the answer has no list `output.message.content`");
		return;
	}
	while (json_next_element(&rest, &part)) {
		use = chat_at(part, "toolUse");
		if (use.n > 0)
			chat_call_object(c, chat_at(use, "toolUseId"), chat_at(use, "name"),
			    chat_at(use, "input"));
		chat_say(c, chat_inner(chat_at(part, "text")));
		chat_think(c, chat_inner(chat_at(chat_at(chat_at(part, "reasoningContent"),
				  "reasoningText"), "text")));
	}
	set_usage(c, chat_at(json, "usage"));
	set_reason(c, chat_at(json, "stopReason"));
}

static void
event(struct chat *c, struct str type, struct str json)
{
	struct str part;

	if (str_is(type, "contentBlockStart")) {
		part = chat_at(chat_at(json, "start"), "toolUse");
		if (part.n > 0)
			chat_call(c, chat_at(part, "toolUseId"), chat_at(part, "name"), STR(""));
	} else if (str_is(type, "contentBlockDelta")) {
		part = chat_at(json, "delta");
		chat_say(c, chat_inner(chat_at(part, "text")));
		chat_call_more(c, chat_inner(chat_at(chat_at(part, "toolUse"), "input")));
		chat_think(c, chat_inner(chat_at(chat_at(part, "reasoningContent"), "text")));
	} else if (str_is(type, "messageStop")) {
		set_reason(c, chat_at(json, "stopReason"));
	} else if (str_is(type, "metadata")) {
		set_usage(c, chat_at(json, "usage"));
	}
}

const struct chat_family chat_converse = {
	.name = "converse",
	.framing = CHAT_AMAZON,
	.takes = "temperature top_p stop tool_choice !system !inferenceConfig !toolConfig "
		 "!additionalModelRequestFields",
	.tail = "/converse",
	.stream_tail = "/converse-stream",
	.ask = ask,
	.whole = whole,
	.event = event,
};
