/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gemini's generateContent and streamGenerateContent, the same at Google AI Studio and Vertex AI:
 * ai.google.dev/api/generate-content, ai.google.dev/api/caching (Content, Tool, Schema).
 */
#include "workers/dialects/chat_family.h"

#include <string.h>

#include "shared/json.h"

static void
add_part(struct chat_ask *a, struct buf *b, const struct chat_part *p)
{
	switch (p->kind) {
	case CHAT_PART_TEXT:
		buf_add_text(b, "{\"text\":");
		buf_add_str(b, p->text);
		break;
	case CHAT_PART_IMAGE:
		if (p->media.n == 0)
			chat_refuse_url(a);
		buf_add_text(b, "{\"inlineData\":{\"mimeType\":\"");
		buf_add_str(b, p->media);
		buf_add_text(b, "\",\"data\":\"");
		buf_add_str(b, p->data);
		buf_add_text(b, "\"}");
		break;
	case CHAT_PART_CALL:
		buf_add_text(b, "{\"functionCall\":{\"name\":");
		buf_add_str(b, p->name);
		buf_add_text(b, ",\"args\":");
		buf_add_str(b, p->args);
		buf_add_char(b, '}');
		break;
	case CHAT_PART_RESULT:
		buf_add_text(b, "{\"functionResponse\":{\"name\":");
		buf_add_str(b, p->name);
		buf_add_text(b, ",\"response\":{\"content\":");
		buf_add_str(b, p->text);
		buf_add_text(b, "}}");
		break;
	}
	buf_add_char(b, '}');
}

static void
add_format(struct chat_ask *a)
{
	struct str schema;

	if (*chat_format(a, &schema) != 'j')
		return;
	json_add_key(a->body, "responseMimeType");
	buf_add_text(a->body, "\"application/json\"");
	if (schema.n > 0) {
		json_add_key(a->body, "responseJsonSchema");
		buf_add_str(a->body, schema);
	}
}

static void
add_settings(struct chat_ask *a)
{
	json_add_key(a->body, "generationConfig");
	buf_add_char(a->body, '{');
	chat_copy_limit(a, "maxOutputTokens");
	chat_copy(a, "temperature", "temperature");
	chat_copy(a, "top_p", "topP");
	chat_copy(a, "top_k", "topK");
	chat_copy(a, "seed", "seed");
	chat_copy(a, "presence_penalty", "presencePenalty");
	chat_copy(a, "frequency_penalty", "frequencyPenalty");
	chat_copy_stop(a, "stopSequences");
	add_format(a);
	buf_add_char(a->body, '}');
}

static void
add_tools(struct chat_ask *a)
{
	struct str rest = chat_member(a, "tools"), name, description, parameters;
	struct buf *b = a->body;
	bool any = false;

	while (chat_next_tool(a, &rest, &name, &description, &parameters)) {
		if (!any) {
			json_add_key(b, "tools");
			buf_add_text(b, "[{\"functionDeclarations\":[");
		}
		buf_add_text(b, any ? ",{\"name\":" : "{\"name\":");
		any = true;
		chat_add_function(b, name, description);
		if (parameters.n > 0) {
			buf_add_text(b, ",\"parametersJsonSchema\":");
			buf_add_str(b, parameters);
		}
		buf_add_char(b, '}');
	}
	if (any)
		buf_add_text(b, "]}]");
}

static void
add_choice(struct chat_ask *a)
{
	struct str name;
	const char *choice = chat_tool_choice(a, &name);
	struct buf *b = a->body;

	if (*choice == '\0')
		return;
	json_add_key(b, "toolConfig");
	buf_addf(b, "{\"functionCallingConfig\":{\"mode\":\"%s\"",
	    *choice == 'n'   ? "NONE"
	    : *choice == 'a' ? "AUTO"
			     : "ANY");
	if (*choice == 'f') {
		buf_add_text(b, ",\"allowedFunctionNames\":[");
		buf_add_str(b, name);
		buf_add_char(b, ']');
	}
	buf_add_text(b, "}}");
}

static void
ask(struct chat_ask *a)
{
	static const struct chat_turns turns = { "{\"role\":\"user\",\"parts\":[",
		"{\"role\":\"model\",\"parts\":[", add_part };
	struct buf *b = a->body, system = BUF_INIT(SIZE_MAX / 2);

	buf_add_text(b, "{\"contents\":");
	chat_add_turns(a, &system, &turns);
	if (system.len > 0) {
		json_add_key(b, "systemInstruction");
		buf_add_text(b, "{\"parts\":[");
		buf_add_str(b, buf_str(&system));
		buf_add_text(b, "]}");
	}
	add_settings(a);
	add_tools(a);
	add_choice(a);
	chat_add_others(a);
	buf_add_char(b, '}');
	buf_clear(&system);
}

/* ---- the answer ---- */

#define FILTERED "=content_filter "
#define REASONS \
	"MAX_TOKENS=length SAFETY" FILTERED "RECITATION" FILTERED "LANGUAGE" FILTERED \
	"BLOCKLIST" FILTERED "PROHIBITED_CONTENT" FILTERED "SPII" FILTERED "IMAGE_SAFETY" FILTERED

static void
take(struct chat *c, struct str json)
{
	struct str candidates = chat_at(json, "candidates"), candidate = STR("");
	struct str rest, part, reason, usage = chat_at(json, "usageMetadata"), call, error;

	error = chat_at(json, "error");
	if (error.n > 0) {
		error = chat_inner(chat_at(error, "message"));
		chat_fail(c, "the answer is an error: %.*s", (int)(error.n < 2000 ? error.n : 2000),
		    error.p);
		return;
	}
	if (candidates.n > 0 && *candidates.p == '[')
		(void)json_next_element(&candidates, &candidate);
	rest = chat_at(chat_at(candidate, "content"), "parts");
	while (rest.n > 0 && json_next_element(&rest, &part)) {
		struct str text = chat_inner(chat_at(part, "text"));

		call = chat_at(part, "functionCall");
		if (call.n > 0)
			chat_call_object(c, chat_at(call, "id"), chat_at(call, "name"),
			    chat_at(call, "args"));
		else if (str_is(chat_at(part, "thought"), "true"))
			chat_think(c, text);
		else
			chat_say(c, text);
	}
	if (usage.n > 0)
		chat_usage(c, chat_number(chat_at(usage, "promptTokenCount")),
		    chat_number(chat_at(usage, "candidatesTokenCount")) +
			chat_number(chat_at(usage, "thoughtsTokenCount")));
	reason = chat_inner(chat_at(candidate, "finishReason"));
	if (reason.n > 0)
		chat_finish_as(c, reason, REASONS);
	else if (chat_at(chat_at(json, "promptFeedback"), "blockReason").n > 0)
		chat_finish(c, "content_filter");
}

static void
whole(struct chat *c, struct str json)
{
	if (chat_at(json, "candidates").n == 0 && chat_at(json, "promptFeedback").n == 0)
		chat_fail(c, "the answer has no list `candidates`");
	else
		take(c, json);
}

static void
event(struct chat *c, struct str type, struct str json)
{
	(void)type;
	take(c, json);
}

const struct chat_family chat_gemini = {
	.name = "gemini",
	.takes = "temperature top_p top_k seed presence_penalty frequency_penalty stop "
		 "response_format tool_choice !contents !systemInstruction !system_instruction "
		 "!generationConfig !generation_config !toolConfig !tool_config",
	.tail = ":generateContent",
	.stream_tail = ":streamGenerateContent?alt=sse",
	.ask = ask,
	.whole = whole,
	.event = event,
};
