/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chats put into each family's form and back: every kind of message and part, what is refused by
 * its name, whole answers, and streams that come byte by byte. The forms are the published ones,
 * cited in the families' files.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "shared/json.h"
#include "shared/json_read.h"
#include "shared/msgs.h"
#include "shared/provider.h"
#include "workers/auth/credential.h"
#include "workers/dialects/chat_family.h"

struct setup {
	struct target *t;
	struct chat chat;
	struct request req;
	struct result why;
	struct buf out, fault;
};

static void
make(struct setup *s, const char *provider, const char *model, const char *extra)
{
	const struct provider *p = provider_find(str_of(provider));
	struct kv secret = { STR("api_key"), STR("sk-unit-test-key") };
	struct kv params[] = { { STR("vertex_project"), STR("p") },
		{ STR("own_max_tokens"), STR("77") } };
	struct msg_conf_target m = { .id = STR("id"),
		.mode = MODE_CHAT,
		.model = str_of(model),
		.api_base = STR("http://a.test"),
		.secrets = { &secret, 1 },
		.params = { params, 2 },
		.extra_body = str_of(extra),
		.max_tokens = 16,
		.timeout_ms = 1000 };

	assert_non_null(p);
	m.provider = str_of(p->name);
	m.dialect = str_of(p->dialect);
	assert_int_equal(target_new(&m, &s->t), 0);
	chat_init(&s->chat);
	request_init(&s->req);
	result_init(&s->why);
	buf_init(&s->out, (size_t)1 << 20);
	buf_init(&s->fault, 4096);
}

static void
clear(struct setup *s)
{
	target_free(s->t);
	chat_clear(&s->chat);
	request_clear(&s->req);
	result_clear(&s->why);
	buf_clear(&s->out);
	buf_clear(&s->fault);
}

static int
build(struct setup *s, const char *body)
{
	struct credential c = { .token = secret_new(STR("token-of-a-unit-test")) };
	struct build_context ctx = { .now_ms = 1700000000123, .credential = &c };
	int rc;

	assert_true(chat_takes(s->t, NULL));
	rc = chat_build(s->t, str_of(body), &ctx, &s->chat, &s->req, &s->why);
	secret_free(c.token);
	return rc;
}

#define PICTURE "data:image/png;base64,iVBORw0KGgo="
/* All that a chat can have, as OpenAI's client sends it. */
#define TALK \
	"\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"}," \
	"{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What \\\"is\\\" it?\"}," \
	"{\"type\":\"image_url\",\"image_url\":{\"url\":\"" PICTURE "\"}}]}," \
	"{\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"annotations\":[],\"tool_calls\":[{\"id\":\"c1\"," \
	"\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"{\\\"at\\\": 1}\"}}]}," \
	"{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"a dot\"}," \
	"{\"role\":\"user\",\"content\":\"So?\"}]"
#define TOOLS \
	"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"look\",\"description\":\"d\"," \
	"\"parameters\":{\"type\":\"object\"}}}]"
#define CALLER(more) "{\"model\":\"x\"," TALK "," TOOLS "," more "}"
#define SETTINGS \
	"\"max_completion_tokens\":9,\"temperature\":0.5,\"top_p\":0.9,\"stop\":\"END\"," \
	"\"tool_choice\":\"required\""

static void
test_requests(void **state)
{
	static const struct {
		const char *provider, *model, *url, *caller, *body;
	} cases[] = {
		{ "anthropic", "claude-3", "http://a.test/v1/messages",
		    CALLER(SETTINGS ",\"stream\":true,\"user\":\"u\",\"top_k\":5"),
		    "{\"model\":\"claude-3\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What "
		    "\\\"is\\\" it?\"},{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/"
		    "png\",\"data\":\"iVBORw0KGgo=\"}}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
		    "\"id\":\"c1\",\"name\":\"look\",\"input\":{\"at\":1}}]},{\"role\":\"user\",\"content\":[{\"type\":"
		    "\"tool_result\",\"tool_use_id\":\"c1\",\"content\":\"a dot\"},{\"type\":\"text\",\"text\":\"So?\"}]}],"
		    "\"system\":[{\"type\":\"text\",\"text\":\"Be brief.\"}],\"max_tokens\":9,\"temperature\":0.5,"
		    "\"top_p\":0.9,\"stop_sequences\":[\"END\"],\"tools\":[{\"name\":\"look\",\"description\":\"d\","
		    "\"input_schema\":{\"type\":\"object\"}}],\"tool_choice\":{\"type\":\"any\"},\"metadata\":{\"user_id\":"
		    "\"u\"},\"stream\":true,\"top_k\":5}" },
		{ "vertex_ai", "claude-sonnet-4",
		    "http://a.test/v1/projects/p/locations/us-central1/publishers/anthropic/models/"
		    "claude-sonnet-4:streamRawPredict",
		    "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"stream\":true}",
		    "{\"anthropic_version\":\"vertex-2023-10-16\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
		    "\"text\",\"text\":\"a\"}]}],\"max_tokens\":77,\"stream\":true}" },
		{ "bedrock", "invoke/anthropic.claude-3",
		    "http://a.test/model/anthropic.claude-3/invoke-with-response-stream",
		    "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"stream\":true,\"max_tokens\":5}",
		    "{\"anthropic_version\":\"bedrock-2023-05-31\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
		    "\"text\",\"text\":\"a\"}]}],\"max_tokens\":5}" },
		{ "gemini", "gemini-2.5-pro", "http://a.test/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
		    CALLER(SETTINGS ",\"stream\":true,\"seed\":7,\"response_format\":{\"type\":\"json_object\"}"),
		    "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"What \\\"is\\\" it?\"},{\"inlineData\":{\"mimeType\":"
		    "\"image/png\",\"data\":\"iVBORw0KGgo=\"}}]},{\"role\":\"model\",\"parts\":[{\"functionCall\":{\"name\":"
		    "\"look\",\"args\":{\"at\":1}}}]},{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"look\","
		    "\"response\":{\"content\":\"a dot\"}}},{\"text\":\"So?\"}]}],\"systemInstruction\":{\"parts\":[{\"text\":"
		    "\"Be brief.\"}]},\"generationConfig\":{\"maxOutputTokens\":9,\"temperature\":0.5,\"topP\":0.9,\"seed\":7,"
		    "\"stopSequences\":[\"END\"],\"responseMimeType\":\"application/json\"},\"tools\":["
		    "{\"functionDeclarations\":[{\"name\":\"look\",\"description\":\"d\",\"parametersJsonSchema\":{\"type\":"
		    "\"object\"}}]}],\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"ANY\"}}}" },
		{ "bedrock", "anthropic.claude-3", "http://a.test/model/anthropic.claude-3/converse-stream",
		    CALLER(SETTINGS ",\"stream\":true,\"top_k\":5"),
		    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"What \\\"is\\\" it?\"},{\"image\":{\"format\":"
		    "\"png\",\"source\":{\"bytes\":\"iVBORw0KGgo=\"}}}]},{\"role\":\"assistant\",\"content\":[{\"toolUse\":"
		    "{\"toolUseId\":\"c1\",\"name\":\"look\",\"input\":{\"at\":1}}}]},{\"role\":\"user\",\"content\":["
		    "{\"toolResult\":{\"toolUseId\":\"c1\",\"content\":[{\"text\":\"a dot\"}]}},{\"text\":\"So?\"}]}],\"system\":"
		    "[{\"text\":\"Be brief.\"}],\"inferenceConfig\":{\"maxTokens\":9,\"temperature\":0.5,\"topP\":0.9,"
		    "\"stopSequences\":[\"END\"]},\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"look\",\"description\":"
		    "\"d\",\"inputSchema\":{\"json\":{\"type\":\"object\"}}}}],\"toolChoice\":{\"any\":{}}},"
		    "\"additionalModelRequestFields\":{\"top_k\":5}}" },
		{ "ollama_chat", "m", "http://a.test/api/chat",
		    CALLER("\"max_tokens\":9,\"temperature\":0.5,\"stop\":[\"E\"],\"mirostat\":1"),
		    "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":"
		    "\"What \\\"is\\\" it?\",\"images\":[\"iVBORw0KGgo=\"]},{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":"
		    "[{\"function\":{\"name\":\"look\",\"arguments\":{\"at\":1}}}]},{\"role\":\"tool\",\"content\":\"a dot\"},"
		    "{\"role\":\"user\",\"content\":\"So?\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"look\","
		    "\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}}],\"stream\":false,\"options\":{\"num_predict\":9,"
		    "\"temperature\":0.5,\"stop\":[\"E\"],\"mirostat\":1}}" },
		{ "cohere", "command-a", "http://a.test/",
		    CALLER(SETTINGS ",\"stream\":true,\"frequency_penalty\":0.1"),
		    "{\"model\":\"command-a\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\","
		    "\"content\":[{\"type\":\"text\",\"text\":\"What \\\"is\\\" it?\"},{\"type\":\"image_url\",\"image_url\":{"
		    "\"url\":\"" PICTURE "\"}}]},{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
		    "\"function\":{\"name\":\"look\",\"arguments\":\"{\\\"at\\\": 1}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c1\","
		    "\"content\":\"a dot\"},{\"role\":\"user\",\"content\":\"So?\"}],\"max_tokens\":9,\"temperature\":0.5,\"p\":0.9,"
		    "\"frequency_penalty\":0.1,\"stop_sequences\":[\"END\"],\"tools\":[{\"type\":\"function\",\"function\":{"
		    "\"name\":\"look\",\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}}],\"tool_choice\":\"REQUIRED\","
		    "\"stream\":true}" },
		{ "openai", "m", "http://a.test/chat/completions", "{\"messages\":[]}",
		    "{\"model\":\"m\",\"messages\":[],\"max_tokens\":77}" },
		{ "openai", "m", "http://a.test/chat/completions",
		    "{\"messages\":[],\"max_completion_tokens\":3}",
		    "{\"model\":\"m\",\"messages\":[],\"max_completion_tokens\":3}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct setup s;
		struct buf read = BUF_INIT((size_t)1 << 20);

		make(&s, cases[i].provider, cases[i].model, "");
		if (build(&s, cases[i].caller) < 0)
			fail_msg("case %zu: %s", i, buf_text(&s.why.detail));
		assert_string_equal(buf_text(&s.req.url), cases[i].url);
		assert_string_equal(buf_text(&s.req.body), cases[i].body);
		assert_int_equal(json_read(buf_str(&s.req.body), &read, NULL), 0);
		buf_clear(&read);
		clear(&s);
	}
}

#define SAID "\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]"

static void
test_refused(void **state)
{
	static const struct {
		const char *provider, *caller, *said;
	} cases[] = {
		{ "anthropic", "{" SAID ",\"n\":2}", "`n`" },
		{ "anthropic", "{" SAID ",\"logit_bias\":{}}", "`logit_bias`" },
		{ "anthropic", "{" SAID ",\"response_format\":{\"type\":\"json_object\"}}", "`response_format`" },
		{ "anthropic", "{" SAID ",\"system\":\"mine\"}", "`system`" },
		{ "anthropic", "{" SAID ",\"max_tokens\":\"7\"}", "`max_tokens`" },
		{ "anthropic", "{\"messages\":\"a\"}", "`messages`" },
		{ "anthropic", "{}", "`messages`" },
		{ "anthropic", "{\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"name\":\"me\"}]}", "`messages.name`" },
		{ "anthropic", "{\"messages\":[{\"role\":\"king\",\"content\":\"a\"}]}", "`messages.role`" },
		{ "anthropic", "{\"messages\":[{\"role\":\"user\",\"content\":7}]}", "`messages.content`" },
		{ "anthropic", "{\"messages\":[7]}", "`messages.role`" },
		{ "anthropic", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]}", "input_audio" },
		{ "anthropic", "{\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"no\",\"content\":\"a\"}]}", "tool_call_id" },
		{ "anthropic", "{" SAID ",\"tools\":[{\"type\":\"custom\"}]}", "`tools`" },
		{ "anthropic",
		    "{" SAID ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":true}}]}", "strict" },
		{ "anthropic", "{" SAID ",\"tool_choice\":\"maybe\"}", "`tool_choice`" },
		{ "anthropic",
		    "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"f\","
		    "\"arguments\":\"[]\"}}]}]}",
		    "arguments" },
		{ "gemini",
		    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":\"https://a.test/"
		    "x.png\"}]}]}",
		    "`messages.content.image_url`" },
		{ "gemini",
		    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":\"file:///etc/"
		    "passwd\"}]}]}",
		    "`messages.content.image_url`" },
		{ "gemini", "{" SAID ",\"parallel_tool_calls\":false}", "`parallel_tool_calls`" },
		{ "gemini", "{" SAID ",\"generationConfig\":{}}", "`generationConfig`" },
		{ "bedrock", "{" SAID ",\"seed\":1}", "`seed`" },
		{ "bedrock", "{" SAID ",\"tool_choice\":\"auto\"}", "`tool_choice`" },
		{ "ollama_chat", "{" SAID ",\"tool_choice\":\"none\"}", "`tool_choice`" },
		{ "ollama_chat", "{" SAID ",\"options\":{}}", "`options`" },
		{ "cohere", "{" SAID ",\"user\":\"u\"}", "`user`" },
		{ "cohere", "{" SAID ",\"stream_options\":{\"x\":1}}", "`stream_options.x`" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct setup s;

		make(&s, cases[i].provider,
		    strcmp(cases[i].provider, "bedrock") == 0 ? "anthropic.claude-3" : "m", "");
		if (build(&s, cases[i].caller) != ERR_INVALID)
			fail_msg("case %zu is taken: %s", i, buf_text(&s.req.body));
		assert_int_equal(s.why.exception_status, 400);
		if (strstr(buf_text(&s.why.detail), cases[i].said) == NULL)
			fail_msg("case %zu: %s", i, buf_text(&s.why.detail));
		clear(&s);
	}
}

/* The deployment's own: added where the caller has none, left out where the family has none. */
static void
test_config(void **state)
{
	struct setup s;

	make(&s, "anthropic", "c", "{\"temperature\":1,\"seed\":3,\"top_k\":2}");
	assert_int_equal(build(&s, "{" SAID ",\"temperature\":0}"), 0);
	assert_string_equal(buf_text(&s.req.body),
	    "{\"model\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}],"
	    "\"max_tokens\":77,\"temperature\":0,\"top_k\":2}");
	clear(&s);
}

#define HEAD "{\"id\":\"chatcmpl-00000000-0000-4000-8000-000000000000\",\"created\":1700000000,\"model\":"
#define ANSWER(model, message, finish, usage) \
	HEAD "\"" model "\",\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\"," \
	     message "},\"finish_reason\":\"" finish "\"}],\"usage\":{" usage "}}"
#define TOKENS(in, out, all) \
	"\"prompt_tokens\":" #in ",\"completion_tokens\":" #out ",\"total_tokens\":" #all
#define CALLS(id) \
	"\"tool_calls\":[{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":" \
	"\"{\\\"at\\\":1}\"}}]"

static void
test_whole(void **state)
{
	static const struct {
		const char *provider, *body, *answer; /* NULL: it cannot be read */
	} cases[] = {
		{ "anthropic",
		    "{\"id\":\"msg\",\"type\":\"message\",\"model\":\"claude-x\",\"content\":[{\"type\":\"thinking\",\"thinking\":"
		    "\"hm\"},{\"type\":\"text\",\"text\":\"H\\u0069 \\\"\\n\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"look\","
		    "\"input\":{\"at\": 1}}],\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":3,"
		    "\"cache_read_input_tokens\":2,\"output_tokens\":4}}",
		    ANSWER("claude-x",
			"\"content\":\"Hi \\\"\\n\",\"reasoning_content\":\"hm\"," CALLS("t"), "tool_calls", TOKENS(5, 4, 9)) },
		{ "anthropic", "{\"content\":[],\"stop_reason\":\"max_tokens\"}",
		    ANSWER("m", "\"content\":\"\"", "length", TOKENS(0, 0, 0)) },
		{ "anthropic", "{\"content\":\"x\"}", NULL },
		{ "anthropic", "[]", NULL },
		{ "anthropic", "{\"content\":[", NULL },
		{ "gemini",
		    "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\",\"thought\":true},{\"text\":\"Hi\"}],\"role\":"
		    "\"model\"},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":3,"
		    "\"candidatesTokenCount\":1,\"thoughtsTokenCount\":2}}",
		    ANSWER("m", "\"content\":\"Hi\",\"reasoning_content\":\"hm\"", "stop", TOKENS(3, 3, 6)) },
		{ "gemini",
		    "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"id\":\"g\",\"name\":\"look\",\"args\":{\"at\":1}"
		    "}}]},\"finishReason\":\"STOP\"}]}",
		    ANSWER("m", "\"content\":null," CALLS("g"), "tool_calls", TOKENS(0, 0, 0)) },
		{ "gemini", "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}",
		    ANSWER("m", "\"content\":\"\"", "content_filter", TOKENS(0, 0, 0)) },
		{ "gemini", "{}", NULL },
		{ "bedrock",
		    "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"reasoningContent\":{\"reasoningText\":{"
		    "\"text\":\"hm\"}}},{\"text\":\"Hi\"},{\"toolUse\":{\"toolUseId\":\"b\",\"name\":\"look\",\"input\":{\"at\":1}}}]}},"
		    "\"stopReason\":\"tool_use\",\"usage\":{\"inputTokens\":3,\"outputTokens\":1}}",
		    ANSWER("anthropic.claude-3", "\"content\":\"Hi\",\"reasoning_content\":\"hm\"," CALLS("b"), "tool_calls",
			TOKENS(3, 1, 4)) },
		{ "ollama_chat",
		    "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"Hi\",\"thinking\":\"hm\"},\"done\":true,"
		    "\"done_reason\":\"length\",\"prompt_eval_count\":3,\"eval_count\":1}",
		    ANSWER("m", "\"content\":\"Hi\",\"reasoning_content\":\"hm\"", "length", TOKENS(3, 1, 4)) },
		{ "ollama_chat", "{\"error\":\"no memory\"}", NULL },
		{ "cohere",
		    "{\"id\":\"i\",\"message\":{\"role\":\"assistant\",\"tool_plan\":\"hm\",\"tool_calls\":[{\"id\":\"k\",\"type\":"
		    "\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"{\\\"at\\\":1}\"}}]},\"finish_reason\":"
		    "\"TOOL_CALL\",\"usage\":{\"tokens\":{\"input_tokens\":3,\"output_tokens\":1}}}",
		    ANSWER("m", "\"content\":null,\"reasoning_content\":\"hm\"," CALLS("k"), "tool_calls", TOKENS(3, 1, 4)) },
		{ "cohere", "{\"message\":{},\"finish_reason\":\"ERROR\"}", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct setup s;
		int rc;

		make(&s, cases[i].provider,
		    strcmp(cases[i].provider, "bedrock") == 0 ? "anthropic.claude-3" : "m", "");
		assert_int_equal(build(&s, "{" SAID "}"), 0);
		rc = chat_whole(&s.chat, str_of(cases[i].body), &s.out, &s.fault);
		assert_int_equal(rc, cases[i].answer ? 0 : ERR_INVALID);
		if (cases[i].answer)
			assert_string_equal(buf_text(&s.out), cases[i].answer);
		else
			assert_true(s.fault.len > 0 && s.out.len == 0);
		clear(&s);
	}
}

/* ---- streams ---- */

/* What a client that reads the chunks has in the end: texts, calls, reason, usage. */
static void
gather(struct str chunks, struct buf *all)
{
	struct sse sse = { 0 };
	struct buf data = BUF_INIT((size_t)1 << 20), json = BUF_INIT((size_t)1 << 20);

	while (sse_next(&sse, chunks, true, &data) > 0) {
		struct str choices, choice = STR(""), delta, calls, call = STR(""), v;

		if (str_is(buf_str(&data), "[DONE]")) {
			buf_add_text(all, "|DONE");
			assert_int_equal(sse.event, chunks.n);
			break;
		}
		assert_int_equal(json_read(buf_str(&data), &json, NULL), 0);
		assert_true(str_is(chat_at(buf_str(&json), "object"), "\"chat.completion.chunk\""));
		choices = chat_at(buf_str(&json), "choices");
		(void)json_next_element(&choices, &choice);
		delta = chat_at(choice, "delta");
		if (chat_at(delta, "role").n > 0)
			buf_add_text(all, "role ");
		if ((v = chat_inner(chat_at(delta, "reasoning_content"))).n > 0)
			buf_addf(all, "(%.*s)", (int)v.n, v.p);
		if ((v = chat_inner(chat_at(delta, "content"))).n > 0)
			buf_add_str(all, v);
		calls = chat_at(delta, "tool_calls");
		if (calls.n > 0 && json_next_element(&calls, &call)) {
			v = chat_inner(chat_at(chat_at(call, "function"), "name"));
			if (v.n > 0)
				buf_addf(all, "|%.*s ", (int)v.n, v.p);
			v = chat_inner(chat_at(chat_at(call, "function"), "arguments"));
			buf_add_str(all, v);
		}
		v = chat_inner(chat_at(choice, "finish_reason"));
		if (v.n > 0)
			buf_addf(all, "|%.*s", (int)v.n, v.p);
		v = chat_at(chat_at(buf_str(&json), "usage"), "total_tokens");
		if (v.n > 0)
			buf_addf(all, "|%.*s", (int)v.n, v.p);
		buf_reset(&data);
		buf_reset(&json);
	}
	buf_clear(&data);
	buf_clear(&json);
}

static uint32_t
slow_crc(const char *p, size_t n)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < n; i++) {
		crc ^= (unsigned char)p[i];
		for (int k = 0; k < 8; k++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
	}
	return ~crc;
}

static void
add_u32(struct buf *b, uint32_t v)
{
	for (int k = 24; k >= 0; k -= 8)
		buf_add_char(b, (char)(v >> k));
}

static void
add_header(struct buf *b, const char *name, const char *value)
{
	buf_add_char(b, (char)strlen(name));
	buf_add_text(b, name);
	buf_add_char(b, 7);
	buf_add_char(b, 0);
	buf_add_char(b, (char)strlen(value));
	buf_add_text(b, value);
}

/* One message as Amazon frames it. */
static void
add_amazon(struct buf *b, const char *kind, const char *type, const char *payload)
{
	struct buf headers = BUF_INIT(1024);
	size_t at = b->len;

	add_header(&headers, strcmp(kind, "event") == 0 ? ":event-type" : ":exception-type", type);
	add_header(&headers, ":content-type", "application/json");
	add_header(&headers, ":message-type", kind);
	add_u32(b, (uint32_t)(16 + headers.len + strlen(payload)));
	add_u32(b, (uint32_t)headers.len);
	add_u32(b, slow_crc(b->data + at, 8));
	buf_add_str(b, buf_str(&headers));
	buf_add_text(b, payload);
	add_u32(b, slow_crc(b->data + at, b->len - at));
	buf_clear(&headers);
}

static void
amazon_stream(struct buf *b)
{
	add_amazon(b, "event", "messageStart", "{\"role\":\"assistant\"}");
	add_amazon(b, "event", "contentBlockDelta",
	    "{\"delta\":{\"reasoningContent\":{\"text\":\"hm\"}},\"contentBlockIndex\":0}");
	add_amazon(b, "event", "contentBlockDelta", "{\"delta\":{\"text\":\"H\"},\"contentBlockIndex\":1}");
	add_amazon(b, "event", "contentBlockDelta", "{\"delta\":{\"text\":\"i\"},\"contentBlockIndex\":1}");
	add_amazon(b, "event", "contentBlockStop", "{\"contentBlockIndex\":1}");
	add_amazon(b, "event", "contentBlockStart",
	    "{\"start\":{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"look\"}},\"contentBlockIndex\":2}");
	add_amazon(b, "event", "contentBlockDelta",
	    "{\"delta\":{\"toolUse\":{\"input\":\"{\\\"at\\\":1}\"}},\"contentBlockIndex\":2}");
	add_amazon(b, "event", "messageStop", "{\"stopReason\":\"tool_use\"}");
	add_amazon(b, "event", "metadata", "{\"usage\":{\"inputTokens\":3,\"outputTokens\":4,\"totalTokens\":7}}");
}

/* The events of docs.anthropic.com's example of a stream with a tool, in base64 as InvokeModel has them. */
static void
invoke_stream(struct buf *b)
{
	/* {"type":"content_block_delta","delta":{"type":"text_delta","text":"Hi"}} */
	add_amazon(b, "event", "chunk",
	    "{\"bytes\":\"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImRlbHRhIjp7InR5cGUiOiJ0ZXh0X2RlbHRhIiwidGV4dCI6Ikhp"
	    "In19\"}");
	/* {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}} */
	add_amazon(b, "event", "chunk",
	    "{\"bytes\":\"eyJ0eXBlIjoibWVzc2FnZV9kZWx0YSIsImRlbHRhIjp7InN0b3BfcmVhc29uIjoiZW5kX3R1cm4ifSwidXNhZ2UiOnsi"
	    "b3V0cHV0X3Rva2VucyI6N319\",\"p\":\"abc\"}");
}

#define EVENT(type, json) "event: " type "\ndata: " json "\n\n"

static const struct {
	const char *provider, *model, *text;
	void (*make)(struct buf *b);
	const char *gathered;
} streams[] = {
	{ "anthropic", "m",
	    EVENT("message_start", "{\"type\":\"message_start\",\"message\":{\"model\":\"claude-x\",\"usage\":{\"input_tokens\":3}}}")
	    EVENT("content_block_start", "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\"}}")
	    EVENT("content_block_delta", "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}")
	    EVENT("ping", "{\"type\": \"ping\"}")
	    EVENT("content_block_delta", "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"H\"}}")
	    EVENT("content_block_delta", "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"i\"}}")
	    EVENT("content_block_start", "{\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"look\",\"input\":{}}}")
	    EVENT("content_block_delta", "{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\"}}")
	    EVENT("content_block_delta", "{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"at\\\":\"}}")
	    EVENT("content_block_delta", "{\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"1}\"}}")
	    EVENT("message_delta", "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":4}}")
	    EVENT("message_stop", "{\"type\":\"message_stop\"}"),
	    NULL, "role (hm)Hi|look {\\\"at\\\":1}|tool_calls|7|DONE" },
	{ "gemini", "m",
	    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"H\"}]}}]}\r\n\r\n"
	    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"i\"}]},\"finishReason\":\"MAX_TOKENS\"}],"
	    "\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":4}}\r\n\r\n",
	    NULL, "role Hi|length|7|DONE" },
	{ "ollama_chat", "m",
	    "{\"message\":{\"role\":\"assistant\",\"content\":\"H\"},\"done\":false}\n"
	    "{\"message\":{\"role\":\"assistant\",\"content\":\"i\",\"tool_calls\":[{\"function\":{\"name\":\"look\","
	    "\"arguments\":{\"at\":1}}}]},\"done\":false}\n"
	    "{\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\","
	    "\"prompt_eval_count\":3,\"eval_count\":4}",
	    NULL, "role Hi|look {\\\"at\\\":1}|tool_calls|7|DONE" },
	{ "cohere", "m",
	    "data: {\"type\":\"message-start\",\"id\":\"i\"}\n\n"
	    "data: {\"type\":\"tool-plan-delta\",\"delta\":{\"message\":{\"tool_plan\":\"hm\"}}}\n\n"
	    "data: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"Hi\"}}}}\n\n"
	    "data: {\"type\":\"tool-call-start\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"id\":\"k\",\"type\":"
	    "\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"\"}}}}}\n\n"
	    "data: {\"type\":\"tool-call-delta\",\"index\":0,\"delta\":{\"message\":{\"tool_calls\":{\"function\":{"
	    "\"arguments\":\"{\\\"at\\\":1}\"}}}}}\n\n"
	    "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"TOOL_CALL\",\"usage\":{\"tokens\":{"
	    "\"input_tokens\":3,\"output_tokens\":4}}}}\n\n",
	    NULL, "role (hm)Hi|look {\\\"at\\\":1}|tool_calls|7|DONE" },
	{ "bedrock", "anthropic.claude-3", NULL, amazon_stream,
	    "role (hm)Hi|look {\\\"at\\\":1}|tool_calls|7|DONE" },
	{ "bedrock", "invoke/anthropic.claude-3", NULL, invoke_stream, "role Hi|stop|7|DONE" },
};

#define ASKED "{" SAID ",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"

static int
run(struct setup *s, struct str text, size_t step)
{
	int rc = 0;

	for (size_t at = 0; at < text.n && rc == 0; at += step)
		rc = chat_piece(&s->chat,
		    (struct str){ text.p + at, text.n - at < step ? text.n - at : step }, &s->out,
		    &s->fault);
	return rc == 0 ? chat_end(&s->chat, &s->out, &s->fault) : rc;
}

static void
test_streams(void **state)
{
	static const size_t steps[] = { 1, 7, 100, 1000000 };

	for (size_t i = 0; i < ARRAY_LEN(streams); i++)
		for (size_t k = 0; k < ARRAY_LEN(steps); k++) {
			struct buf text = BUF_INIT(65536), all = BUF_INIT(65536);
			struct setup s;

			make(&s, streams[i].provider, streams[i].model, "");
			assert_int_equal(build(&s, ASKED), 0);
			if (streams[i].make)
				streams[i].make(&text);
			else
				buf_add_text(&text, streams[i].text);
			if (run(&s, buf_str(&text), steps[k]) < 0)
				fail_msg("stream %zu: %s", i, buf_text(&s.fault));
			gather(buf_str(&s.out), &all);
			assert_string_equal(buf_text(&all), streams[i].gathered);
			buf_clear(&text);
			buf_clear(&all);
			clear(&s);
		}
}

/* Cut anywhere before its end it is no answer; one wrong byte in Amazon's framing is noticed. */
static void
test_broken_streams(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		struct buf text = BUF_INIT(65536);

		if (streams[i].make)
			streams[i].make(&text);
		else
			buf_add_text(&text, streams[i].text);
		for (size_t n = 0; n < text.len / 2; n += 11) {
			struct setup s;

			make(&s, streams[i].provider, streams[i].model, "");
			assert_int_equal(build(&s, ASKED), 0);
			assert_int_equal(run(&s, (struct str){ text.data, n }, 50), ERR_INVALID);
			assert_true(s.fault.len > 0);
			assert_null(strstr(buf_text(&s.out), "[DONE]"));
			clear(&s);
			if (streams[i].make == NULL)
				continue;
			make(&s, streams[i].provider, streams[i].model, "");
			assert_int_equal(build(&s, ASKED), 0);
			text.data[n] ^= 4;
			assert_int_equal(run(&s, buf_str(&text), 50), ERR_INVALID);
			text.data[n] ^= 4;
			clear(&s);
		}
		buf_clear(&text);
	}
}

static void
test_errors_in_streams(void **state)
{
	static const struct {
		const char *provider, *model, *text, *said;
	} cases[] = {
		{ "anthropic", "m",
		    EVENT("error", "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}"),
		    "Overloaded" },
		{ "anthropic", "m", "data: [1]\n\n", "not a JSON object" },
		{ "anthropic", "m",
		    "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"1\"}}\n\n",
		    "before the call" },
		{ "gemini", "m", "data: {\"error\":{\"message\":\"quota\"}}\n\n", "quota" },
		{ "ollama_chat", "m", "{\"error\":\"no memory\"}\n", "no memory" },
		{ "bedrock", "anthropic.claude-3", NULL, "throttlingException: {\"message\":\"slow\"}" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text = BUF_INIT(4096);
		struct setup s;

		make(&s, cases[i].provider, cases[i].model, "");
		assert_int_equal(build(&s, ASKED), 0);
		if (cases[i].text)
			buf_add_text(&text, cases[i].text);
		else
			add_amazon(&text, "exception", "throttlingException", "{\"message\":\"slow\"}");
		assert_int_equal(run(&s, buf_str(&text), 1000), ERR_INVALID);
		if (strstr(buf_text(&s.fault), cases[i].said) == NULL)
			fail_msg("case %zu: %s", i, buf_text(&s.fault));
		buf_clear(&text);
		clear(&s);
	}
}

/* An event without an end is given up, not kept. */
static void
test_endless(void **state)
{
	static const struct {
		const char *provider, *model, *start;
	} cases[] = { { "anthropic", "m", "data: " }, { "ollama_chat", "m", "{\"a\":\"" } };
	static char piece[65536];

	memset(piece, 'x', sizeof(piece));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct setup s;
		int rc, n = 0;

		make(&s, cases[i].provider, cases[i].model, "");
		assert_int_equal(build(&s, ASKED), 0);
		rc = chat_piece(&s.chat, str_of(cases[i].start), &s.out, &s.fault);
		while (rc == 0 && n++ < 100)
			rc = chat_piece(
			    &s.chat, (struct str){ piece, sizeof(piece) }, &s.out, &s.fault);
		assert_int_equal(rc, ERR_INVALID);
		assert_true(n < 20);
		assert_non_null(strstr(buf_text(&s.fault), "too long"));
		clear(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_broken_streams),
		cmocka_unit_test(test_errors_in_streams),
		cmocka_unit_test(test_endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
