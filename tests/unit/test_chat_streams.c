/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams put back into OpenAI's chunks: by any pieces, cut, spoilt, endless, with errors in them.
 * The forms are the published ones, cited in the families' files.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "shared/json.h"
#include "shared/json_read.h"
#include "tests/unit/chat_setup.h"
#include "workers/dialects/chat_family.h"

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

			chat_setup(&s, streams[i].provider, streams[i].model, "");
			assert_int_equal(chat_setup_build(&s, ASKED), 0);
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
			chat_setup_clear(&s);
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

			chat_setup(&s, streams[i].provider, streams[i].model, "");
			assert_int_equal(chat_setup_build(&s, ASKED), 0);
			assert_int_equal(run(&s, (struct str){ text.data, n }, 50), ERR_INVALID);
			assert_true(s.fault.len > 0);
			assert_null(strstr(buf_text(&s.out), "[DONE]"));
			chat_setup_clear(&s);
			if (streams[i].make == NULL)
				continue;
			chat_setup(&s, streams[i].provider, streams[i].model, "");
			assert_int_equal(chat_setup_build(&s, ASKED), 0);
			text.data[n] ^= 4;
			assert_int_equal(run(&s, buf_str(&text), 50), ERR_INVALID);
			text.data[n] ^= 4;
			chat_setup_clear(&s);
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

		chat_setup(&s, cases[i].provider, cases[i].model, "");
		assert_int_equal(chat_setup_build(&s, ASKED), 0);
		if (cases[i].text)
			buf_add_text(&text, cases[i].text);
		else
			add_amazon(&text, "exception", "throttlingException", "{\"message\":\"slow\"}");
		assert_int_equal(run(&s, buf_str(&text), 1000), ERR_INVALID);
		if (strstr(buf_text(&s.fault), cases[i].said) == NULL)
			fail_msg("case %zu: %s", i, buf_text(&s.fault));
		buf_clear(&text);
		chat_setup_clear(&s);
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

		chat_setup(&s, cases[i].provider, cases[i].model, "");
		assert_int_equal(chat_setup_build(&s, ASKED), 0);
		rc = chat_piece(&s.chat, str_of(cases[i].start), &s.out, &s.fault);
		while (rc == 0 && n++ < 100)
			rc = chat_piece(
			    &s.chat, (struct str){ piece, sizeof(piece) }, &s.out, &s.fault);
		assert_int_equal(rc, ERR_INVALID);
		assert_true(n < 20);
		assert_non_null(strstr(buf_text(&s.fault), "too long"));
		chat_setup_clear(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_broken_streams),
		cmocka_unit_test(test_errors_in_streams),
		cmocka_unit_test(test_endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
