/* SPDX-License-Identifier: Apache-2.0 */
/* The route table and the bodies of healthy answers, as the providers' own APIs return them. */
#include "tests/standin/route.h"

#include "shared/json.h"

#define CREATED "1700000000"

static void
add_usage(struct buf *b, bool usage, const char *text)
{
	if (usage)
		buf_add_text(b, text);
}

static void
chat_body(struct buf *b, struct str model, bool usage)
{
	buf_add_text(b, "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":" CREATED
			",\"model\":");
	json_add_string(b, model);
	buf_add_text(b,
	    ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"hi\","
	    "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}]");
	add_usage(b, usage,
	    ",\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2,\"total_tokens\":11}");
	buf_add_char(b, '}');
}

static void
chat_event(struct buf *b, struct str model, const char *rest)
{
	buf_add_text(b,
	    "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":" CREATED
	    ",\"model\":");
	json_add_string(b, model);
	buf_add_text(b, rest);
	buf_add_text(b, "}\n\n");
}

static void
chat_stream(struct buf *b, struct str model, bool usage)
{
	chat_event(b, model,
	    ",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
	    "\"finish_reason\":null}]");
	chat_event(b, model,
	    ",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},"
	    "\"finish_reason\":null}]");
	chat_event(
	    b, model, ",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]");
	if (usage)
		chat_event(b, model,
		    ",\"choices\":[],\"usage\":{\"prompt_tokens\":9,"
		    "\"completion_tokens\":2,\"total_tokens\":11}");
	buf_add_text(b, "data: [DONE]\n\n");
}

static void
completion_body(struct buf *b, struct str model, bool usage)
{
	buf_add_text(b,
	    "{\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":" CREATED ",\"model\":");
	json_add_string(b, model);
	buf_add_text(b, ",\"choices\":[{\"text\":\"hi\",\"index\":0,\"logprobs\":null,"
			"\"finish_reason\":\"stop\"}]");
	add_usage(b, usage,
	    ",\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":2,\"total_tokens\":6}");
	buf_add_char(b, '}');
}

static void
embedding_body(struct buf *b, struct str model, bool usage)
{
	buf_add_text(b, "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,"
			"\"embedding\":[0.0023064255,-0.009327292,-0.0028842222]}],\"model\":");
	json_add_string(b, model);
	add_usage(b, usage, ",\"usage\":{\"prompt_tokens\":4,\"total_tokens\":4}");
	buf_add_char(b, '}');
}

static void
response_body(struct buf *b, struct str model, bool usage)
{
	buf_add_text(b,
	    "{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":" CREATED
	    ",\"status\":\"completed\",\"error\":null,\"incomplete_details\":null,\"model\":");
	json_add_string(b, model);
	buf_add_text(b,
	    ",\"output\":[{\"type\":\"message\",\"id\":\"msg_1\",\"status\":\"completed\","
	    "\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"hi\","
	    "\"annotations\":[]}]}],\"parallel_tool_calls\":true,\"tool_choice\":\"auto\","
	    "\"tools\":[]");
	add_usage(b, usage,
	    ",\"usage\":{\"input_tokens\":4,\"input_tokens_details\":{\"cached_tokens\":0},"
	    "\"output_tokens\":2,\"output_tokens_details\":{\"reasoning_tokens\":0},"
	    "\"total_tokens\":6}");
	buf_add_char(b, '}');
}

static void
rerank_body(struct buf *b, struct str model, bool usage)
{
	buf_add_text(
	    b, "{\"id\":\"rerank-1\",\"results\":[{\"index\":0,\"relevance_score\":0.98}]");
	add_usage(b, usage,
	    ",\"meta\":{\"api_version\":{\"version\":\"2\"},"
	    "\"billed_units\":{\"search_units\":1}}");
	buf_add_char(b, '}');
}

static void
image_body(struct buf *b, struct str model, bool usage)
{
	buf_add_text(b, "{\"created\":" CREATED ",\"data\":[{\"b64_json\":\"iVBORw0KGgo=\"}]}");
}

static void
speech_body(struct buf *b, struct str model, bool usage)
{
	static const char silence[417] = { (char)0xff, (char)0xfb, (char)0x90,
		0x64 }; /* one MPEG frame */

	buf_add(b, silence, sizeof(silence));
}

static void
transcription_body(struct buf *b, struct str model, bool usage)
{
	buf_add_text(b, "{\"task\":\"transcribe\",\"language\":\"english\",\"duration\":1.0,"
			"\"text\":\"hello\",\"segments\":[]");
	add_usage(b, usage, ",\"usage\":{\"type\":\"duration\",\"seconds\":1}");
	buf_add_char(b, '}');
}

static void
moderation_body(struct buf *b, struct str model, bool usage)
{
	buf_add_text(b, "{\"id\":\"modr-1\",\"model\":");
	json_add_string(b, model);
	buf_add_text(b, ",\"results\":[{\"flagged\":false,\"categories\":{\"violence\":false},"
			"\"category_scores\":{\"violence\":0.0001}}]}");
}

static void
model_body(struct buf *b, struct str model, bool usage)
{
	buf_add_text(b, "{\"id\":");
	json_add_string(b, model);
	buf_add_text(b, ",\"object\":\"model\",\"created\":" CREATED ",\"owned_by\":\"standin\"}");
}

static void
models_body(struct buf *b, struct str model, bool usage)
{
	static const char *const ids[] = { "ok", "gpt-4o", "gpt-4o-mini", "text-embedding-3-small",
		"sora-2", "test-model", "my-model" };

	buf_add_text(b, "{\"object\":\"list\",\"data\":[");
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		json_add_comma(b);
		model_body(b, str_of(ids[i]), usage);
	}
	buf_add_text(b, "]}");
}

static void
batches_body(struct buf *b, struct str model, bool usage)
{
	buf_add_text(b, "{\"object\":\"list\",\"data\":[],\"first_id\":null,\"last_id\":null,"
			"\"has_more\":false}");
}

static void
message_body(struct buf *b, struct str model, bool usage)
{
	buf_add_text(b, "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
	json_add_string(b, model);
	buf_add_text(b,
	    ",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}],\"stop_reason\":\"end_turn\","
	    "\"stop_sequence\":null");
	add_usage(b, usage, ",\"usage\":{\"input_tokens\":9,\"output_tokens\":2}");
	buf_add_char(b, '}');
}

/* What only rows of dialects.def have. */
#define PLAIN NULL, NULL, NULL, NULL, ERRORS_OPENAI

static const struct route route_table[] = {
	/* OpenAI; the longer suffix comes before one that it ends with */
	{ "POST", "/chat/completions", false, ROUTE_JSON, "chat.completion", "choices", chat_body,
	    chat_stream, PLAIN },
	{ "POST", "/completions", false, ROUTE_JSON, "text_completion", "choices", completion_body,
	    NULL, PLAIN },
	{ "POST", "/embeddings", false, ROUTE_JSON, "list", "data", embedding_body, NULL, PLAIN },
	{ "POST", "/responses", false, ROUTE_JSON, "response", "output", response_body, NULL,
	    PLAIN },
	{ "POST", "/rerank", false, ROUTE_JSON, "rerank", "results", rerank_body, NULL, PLAIN },
	{ "POST", "/images/generations", false, ROUTE_JSON, "image", "data", image_body, NULL,
	    PLAIN },
	{ "POST", "/audio/speech", false, "audio/mpeg", "speech", "audio", speech_body, NULL,
	    PLAIN },
	{ "POST", "/audio/transcriptions", false, ROUTE_JSON, "transcription", "text",
	    transcription_body, NULL, PLAIN },
	{ "POST", "/moderations", false, ROUTE_JSON, "moderation", "results", moderation_body, NULL,
	    PLAIN },
	{ "GET", "/models", false, ROUTE_JSON, "list", "data", models_body, NULL, PLAIN },
	{ "GET", "/models/", true, ROUTE_JSON, "model", "id", model_body, NULL, PLAIN },
	{ "GET", "/batches", false, ROUTE_JSON, "list", "data", batches_body, NULL, PLAIN },
	/* Anthropic */
	{ "POST", "/messages", false, ROUTE_JSON, "message", "content", message_body, NULL, PLAIN },
};

const struct route *
route_find(struct str path, const char *method)
{
	for (size_t i = 0; i < ARRAY_LEN(route_table); i++) {
		const struct route *r = &route_table[i];
		size_t n = strlen(r->suffix);
		bool fits;

		if (method != NULL && strcmp(r->method, method) != 0)
			continue;
		if (r->inside)
			fits = path.n > n && memmem(path.p, path.n - 1, r->suffix, n) != NULL;
		else
			fits = path.n >= n && memcmp(path.p + path.n - n, r->suffix, n) == 0;
		if (fits)
			return r;
	}
	return NULL;
}

/* What follows `mark` in the path, up to its end or to the next slash. */
static struct str
after(struct str path, const char *mark, bool to_the_end)
{
	const char *at = path.n ? memmem(path.p, path.n, mark, strlen(mark)) : NULL, *slash;
	struct str rest = { "", 0 };

	if (at == NULL)
		return rest;
	rest.p = at + strlen(mark);
	rest.n = path.n - (size_t)(rest.p - path.p);
	slash = to_the_end || rest.n == 0 ? NULL : memchr(rest.p, '/', rest.n);
	if (slash != NULL)
		rest.n = (size_t)(slash - rest.p);
	return rest;
}

struct str
route_path_model(const struct route *r, struct str path)
{
	if (r->text != NULL)
		return route_dialect_model(path);
	if (r->inside)
		return after(path, r->suffix, true);
	return after(path, "/deployments/", false);
}
