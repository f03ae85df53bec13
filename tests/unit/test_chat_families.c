/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chats put into each family's form and back: every kind of message and part, what is refused by
 * its name, whole answers. The forms are the published ones,
 * cited in the families' files.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "shared/json.h"
#include "shared/json_read.h"
#include "tests/unit/chat_setup.h"
#include "workers/dialects/chat_family.h"

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

		chat_setup(&s, cases[i].provider, cases[i].model, "");
		if (chat_setup_build(&s, cases[i].caller) < 0)
			fail_msg("case %zu: %s", i, buf_text(&s.why.detail));
		assert_string_equal(buf_text(&s.req.url), cases[i].url);
		assert_string_equal(buf_text(&s.req.body), cases[i].body);
		assert_int_equal(json_read(buf_str(&s.req.body), &read, NULL), 0);
		buf_clear(&read);
		chat_setup_clear(&s);
	}
}


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

		chat_setup(&s, cases[i].provider,
		    strcmp(cases[i].provider, "bedrock") == 0 ? "anthropic.claude-3" : "m", "");
		if (chat_setup_build(&s, cases[i].caller) != ERR_INVALID)
			fail_msg("case %zu is taken: %s", i, buf_text(&s.req.body));
		assert_int_equal(s.why.exception_status, 400);
		if (strstr(buf_text(&s.why.detail), cases[i].said) == NULL)
			fail_msg("case %zu: %s", i, buf_text(&s.why.detail));
		chat_setup_clear(&s);
	}
}

/* The deployment's own: added where the caller has none, left out where the family has none. */
static void
test_config(void **state)
{
	struct setup s;

	chat_setup(&s, "anthropic", "c", "{\"temperature\":1,\"seed\":3,\"top_k\":2}");
	assert_int_equal(chat_setup_build(&s, "{" SAID ",\"temperature\":0}"), 0);
	assert_string_equal(buf_text(&s.req.body),
	    "{\"model\":\"c\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}],"
	    "\"max_tokens\":77,\"temperature\":0,\"top_k\":2}");
	chat_setup_clear(&s);
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

		chat_setup(&s, cases[i].provider,
		    strcmp(cases[i].provider, "bedrock") == 0 ? "anthropic.claude-3" : "m", "");
		assert_int_equal(chat_setup_build(&s, "{" SAID "}"), 0);
		rc = chat_whole(&s.chat, str_of(cases[i].body), &s.out, &s.fault);
		assert_int_equal(rc, cases[i].answer ? 0 : ERR_INVALID);
		if (cases[i].answer)
			assert_string_equal(buf_text(&s.out), cases[i].answer);
		else
			assert_true(s.fault.len > 0 && s.out.len == 0);
		chat_setup_clear(&s);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
