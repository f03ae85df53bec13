/* SPDX-License-Identifier: Apache-2.0 */
/* The probe `stream`: events out of bytes, what is asked, and what an answer in pieces means. */
#include "workers/dialects/stream.h"

#include <string.h>

#include "tests/unit/loaded.h"
#include "tests/unit/unit.h"
#include "workers/dialects/sse.h"

static struct str
content_type(const struct response *r, const char *name)
{
	return strcmp(name, "content-type") == 0 ? str_of(r->arg) : STR("");
}

/* ---- events ---- */

static const struct {
	const char *body, *events; /* each in [] */
} bodies[] = {
	{ "", "" },
	{ "data: a\n\n", "[a]" },
	{ "data: a\r\n\r\ndata: b\r\n\r\n", "[a][b]" },
	{ "data: a\r\rdata:b\r\r", "[a][b]" },
	{ "data: a\ndata: b\n\n", "[a\nb]" },
	{ ": ping\n\ndata: a\n\n", "[a]" },
	{ "event: x\nid: 1\nretry: 5\ndata: a\n\n", "[a]" },
	{ "\xef\xbb\xbf"
	  "data: a\n\n",
	    "[a]" },
	{ "\n\n\ndata: a\n\n", "[a]" },
	{ "data\n\n", "[]" },
	{ "database: a\n\n", "" },
	{ "data:  a\n\n", "[ a]" },
	{ "data: a\n", "[a]" }, /* only at the end of the body */
	{ "data: a", "[a]" },
	{ "data: a\n\ndata: b", "[a][b]" },
	{ "event: x\n\n", "" },
};

static void
collect(struct sse *s, struct str body, bool ended, struct buf *out)
{
	struct buf data = BUF_INIT(4096);

	while (sse_next(s, body, ended, &data) == 1) {
		buf_addf(out, "[%.*s]", (int)data.len, data.len ? data.data : "");
		buf_reset(&data);
	}
	buf_clear(&data);
}

static void
test_events(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct str body = str_of(bodies[i].body);

		/* At once, and byte by byte. */
		for (size_t step = body.n + 1; step > 0; step = step > 2 ? 2 : step - 1) {
			struct buf out = BUF_INIT(4096);
			struct sse s = { 0 };

			for (size_t n = step; n < body.n; n += step)
				collect(&s, (struct str){ body.p, n }, false, &out);
			collect(&s, body, true, &out);
			if (!str_is(buf_str(&out), bodies[i].events))
				fail_msg("case %zu, step %zu: %s", i, step, buf_text(&out));
			buf_clear(&out);
		}
	}
}

static void
test_limits(void **state)
{
	struct buf body = BUF_INIT(4 * SSE_MAX_EVENT), data = BUF_INIT(SSE_MAX_EVENT + 1);
	struct sse s = { 0 };

	(void)state;
	buf_add_text(&body, "data: ");
	while (body.len < 2 * SSE_MAX_EVENT)
		buf_add_text(&body, "xxxxxxxxxxxxxxxx");
	assert_int_equal(sse_next(&s, buf_str(&body), false, &data), ERR_LIMIT);
	buf_reset(&body);
	while (body.len < 2 * SSE_MAX_EVENT)
		buf_add_text(&body, "data: x\n");
	s = (struct sse){ 0 };
	assert_int_equal(sse_next(&s, buf_str(&body), false, &data), ERR_LIMIT);
	/* Comments without end are not an event: only each is limited. */
	buf_reset(&body);
	while (body.len < 2 * SSE_MAX_EVENT)
		buf_add_text(&body, ": x\n\n");
	s = (struct sse){ 0 };
	assert_int_equal(sse_next(&s, buf_str(&body), false, &data), 0);
	buf_clear(&body);
	buf_clear(&data);
}

/* ---- the config and the request ---- */

static void
load(struct loaded *l, const char *model, const char *mode, const char *more)
{
	char config[2048];

	snprintf(config, sizeof(config),
	    "{\"model_list\":[{\"model_name\":\"m\",\"litellm_params\":{\"model\":\"%s\","
	    "\"api_base\":\"https://a\",\"api_key\":\"sk-1\"%s},\"model_info\":{\"mode\":\"%s\","
	    "\"llmhealth\":{\"probe\":\"stream\"}}}]}",
	    model, more, mode);
	load_text(l, config, NULL);
	assert_loaded(l);
}

static struct target *
target_of(const char *model, const char *mode, const char *more)
{
	struct target *t = NULL;
	struct loaded l;

	load(&l, model, mode, more);
	if (!l.config->deployments[0].askable)
		fail_msg("%s", buf_text(&l.told));
	assert_int_equal(target_new(&l.config->deployments[0].target, &t), 0);
	assert_ptr_equal(t->dialect, &dialect_stream);
	loaded_clear(&l);
	return t;
}

static void
test_requests(void **state)
{
	static const struct {
		const char *model, *mode, *more, *url;
		bool in_body;
	} cases[] = {
		{ "openai/gpt-4o", "chat", "", "https://a/chat/completions", true },
		{ "openai/gpt-4o", "chat", ",\"stream\":false", "https://a/chat/completions", true },
		{ "openai/gpt-4o", "responses", "", "https://a/responses", true },
		{ "groq/m", "chat", "", "https://a/chat/completions", true },
		{ "text-completion-openai/m", "completion", "", "https://a/completions", true },
		{ "azure/d", "chat", ",\"api_version\":\"2024-10-21\"",
		    "https://a/openai/deployments/d/chat/completions?api-version=2024-10-21", true },
		{ "anthropic/c", "chat", "", "https://a/v1/messages", true },
		{ "anthropic/c", "anthropic_messages", "", "https://a/v1/messages", true },
		{ "gemini/g", "chat", "", "https://a/models/g:streamGenerateContent?alt=sse", false },
	};
	struct build_context ctx = { .variant = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct target *t = target_of(cases[i].model, cases[i].mode, cases[i].more);
		struct request req;
		struct result why;
		const char *at;

		request_init(&req);
		result_init(&why);
		if (t->dialect->build(t, &ctx, &req, &why) < 0)
			fail_msg("%s: %s", cases[i].model, buf_text(&why.detail));
		assert_string_equal(req.method, "POST");
		assert_string_equal(buf_text(&req.url), cases[i].url);
		at = strstr(buf_text(&req.body), "\"stream\":true}");
		assert_int_equal(at != NULL, cases[i].in_body);
		assert_null(strstr(buf_text(&req.body), "\"stream\":false"));
		assert_null(strstr(buf_text(&req.body), "sk-1"));
		request_clear(&req);
		result_clear(&why);
		target_free(t);
	}
}

static void
test_refused(void **state)
{
	static const struct {
		const char *model, *mode;
	} cases[] = {
		{ "openai/e", "embedding" },
		{ "cohere/c", "chat" },
		{ "ollama/c", "chat" },
		{ "gemini/e", "embedding" },
		{ "openai/i", "image_generation" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct loaded l;

		load(&l, cases[i].model, cases[i].mode, "");
		if (l.config->deployments[0].askable ||
		    strstr(buf_text(&l.told), "the probe `stream` is not known of provider ") == NULL)
			fail_msg("%s %s: %s", cases[i].model, cases[i].mode, buf_text(&l.told));
		loaded_clear(&l);
	}
}

/* A provider's other models are asked as ever. */
static void
test_by_provider(void **state)
{
	struct loaded l;

	(void)state;
	load_text(&l,
	    "llmhealth: {probes: {openai: stream}}\nmodel_list:\n"
	    "- {model_name: a, litellm_params: {model: openai/a, api_key: k}, model_info: {mode: chat}}\n"
	    "- {model_name: b, litellm_params: {model: openai/b, api_key: k}, model_info: {mode: embedding}}\n",
	    NULL);
	assert_loaded(&l);
	for (size_t i = 0; i < 2; i++) {
		struct target *t = NULL;

		assert_true(l.config->deployments[i].askable);
		assert_int_equal(target_new(&l.config->deployments[i].target, &t), 0);
		assert_int_equal(t->dialect == &dialect_stream, i == 0);
		target_free(t);
	}
	loaded_clear(&l);
}

/* ---- the judge ---- */

#define OPENAI "openai/m", "chat"
#define RESPONSES "openai/m", "responses"
#define ANTHROPIC "anthropic/m", "chat"
#define GEMINI "gemini/m", "chat"
#define ROLE "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
#define FINISHED(why) "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"" why "\"}]}\n\n"
#define DONE "data: [DONE]\n\n"
#define START \
	"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":" \
	"9}}}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n"

static const struct {
	const char *model, *mode;
	int status;
	const char *body;
	enum reason reason;
	enum dialect_watched watched; /* when all of it is there */
	const char *detail;
} answers[] = {
	{ OPENAI, 200, ROLE "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n", REASON_OK,
	    DIALECT_TOKEN, "" },
	{ OPENAI, 200, "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n",
	    REASON_OK, DIALECT_TOKEN, "" },
	{ OPENAI, 200, "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}\n\n",
	    REASON_OK, DIALECT_TOKEN, "" },
	/* Azure begins with the verdict of its filters. */
	{ OPENAI, 200,
	    "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n"
	    "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n",
	    REASON_OK, DIALECT_TOKEN, "" },
	{ OPENAI, 200, ROLE FINISHED("length") DONE, REASON_OK, DIALECT_ENOUGH, "" },
	{ OPENAI, 200, ROLE FINISHED("stop") DONE, REASON_BAD_RESPONSE, DIALECT_ENOUGH,
	    "the stream ended without any content (stop)" },
	{ OPENAI, 200, ROLE FINISHED("content_filter"), REASON_BAD_RESPONSE, DIALECT_WAITS,
	    "(content_filter)" },
	{ OPENAI, 200, DONE, REASON_BAD_RESPONSE, DIALECT_ENOUGH,
	    "the stream ended without any content" },
	{ OPENAI, 200, ROLE, REASON_BAD_RESPONSE, DIALECT_WAITS, "cut off before any content" },
	{ OPENAI, 200, "", REASON_BAD_RESPONSE, DIALECT_WAITS, "the stream is empty" },
	{ OPENAI, 200, ": keep-alive\n\n", REASON_BAD_RESPONSE, DIALECT_WAITS,
	    "no stream of events" },
	{ OPENAI, 200, "{\"choices\":[{\"message\":{\"content\":\"hi\"}}]}", REASON_BAD_RESPONSE,
	    DIALECT_WAITS, "no stream of events (content-type text/x)" },
	{ OPENAI, 200, "<html>", REASON_BAD_RESPONSE, DIALECT_WAITS, "no stream of events" },
	{ OPENAI, 200, "{\"error\":{\"message\":\"Invalid API key\",\"code\":\"invalid_api_key\"}}",
	    REASON_AUTH, DIALECT_WAITS, "Invalid API key" },
	{ OPENAI, 200, ROLE "data: {\"error\":{\"message\":\"Rate limit reached\"}}\n\n",
	    REASON_RATE_LIMITED, DIALECT_ENOUGH, "Rate limit reached" },
	{ OPENAI, 200, "data: {\"choices\":[{\"delta\":{\"content\":\"h\n\n", REASON_BAD_RESPONSE,
	    DIALECT_ENOUGH, "an event is no JSON" },
	{ OPENAI, 200, "data: {\"choices\":[{\"delta\":{\"conte", REASON_BAD_RESPONSE, DIALECT_WAITS,
	    "an event is no JSON" },
	{ OPENAI, 200, "data: [1]\n\n", REASON_BAD_RESPONSE, DIALECT_ENOUGH, "no JSON object" },
	{ OPENAI, 200, "data: {}\n\n", REASON_BAD_RESPONSE, DIALECT_ENOUGH, "no list `choices`" },
	{ OPENAI, 401, "{\"error\":{\"message\":\"no\"}}", REASON_AUTH, DIALECT_WAITS, "no" },
	{ OPENAI, 503, "", REASON_SERVER_ERROR, DIALECT_WAITS, "" },
	{ "text-completion-openai/m", "completion", 200,
	    "data: {\"choices\":[{\"text\":\"hi\",\"index\":0}]}\n\n", REASON_OK, DIALECT_TOKEN, "" },
	{ RESPONSES, 200,
	    "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"error\":null}}"
	    "\n\nevent: x\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n",
	    REASON_OK, DIALECT_TOKEN, "" },
	{ RESPONSES, 200,
	    "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"rate_limit_exceeded\","
	    "\"message\":\"Rate limit reached\"}}}\n\n",
	    REASON_RATE_LIMITED, DIALECT_ENOUGH, "Rate limit reached" },
	{ RESPONSES, 200, "data: {\"type\":\"response.incomplete\"}\n\n", REASON_OK, DIALECT_ENOUGH,
	    "" },
	{ RESPONSES, 200, "data: {\"choices\":[]}\n\n", REASON_BAD_RESPONSE, DIALECT_ENOUGH,
	    "no `type`" },
	{ ANTHROPIC, 200,
	    START "data: {\"type\":\"content_block_start\",\"index\":0}\n\n"
		  "data: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\","
		  "\"text\":\"Hi\"}}\n\n",
	    REASON_OK, DIALECT_TOKEN, "" },
	{ ANTHROPIC, 200,
	    START "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"}}\n\n"
		  "data: {\"type\":\"message_stop\"}\n\n",
	    REASON_OK, DIALECT_ENOUGH, "" },
	{ ANTHROPIC, 200,
	    START "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
		  "\"message\":\"Overloaded\"}}\n\n",
	    REASON_SERVER_ERROR, DIALECT_ENOUGH, "Overloaded" },
	{ ANTHROPIC, 200, START, REASON_BAD_RESPONSE, DIALECT_WAITS, "cut off before any content" },
	{ GEMINI, 200,
	    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}]}}],"
	    "\"usageMetadata\":{\"promptTokenCount\":7}}\r\n\r\n",
	    REASON_OK, DIALECT_TOKEN, "" },
	{ GEMINI, 200,
	    "data: {\"candidates\":[{\"finishReason\":\"MAX_TOKENS\"}],\"usageMetadata\":{}}\r\n\r\n",
	    REASON_OK, DIALECT_WAITS, "" },
	{ GEMINI, 200, "data: {\"candidates\":[{\"finishReason\":\"SAFETY\"}]}\r\n\r\n",
	    REASON_BAD_RESPONSE, DIALECT_WAITS, "(SAFETY)" },
	{ GEMINI, 200, "data: {\"x\":1}\n\n", REASON_BAD_RESPONSE, DIALECT_ENOUGH,
	    "no list `candidates`" },
};

static void
test_judges(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct target *t = target_of(answers[i].model, answers[i].mode, "");
		struct response resp = { answers[i].status, str_of(answers[i].body), content_type,
			(void *)(uintptr_t) "text/x" };
		struct result res;

		result_init(&res);
		t->dialect->judge(t, &resp, &res);
		if (res.reason != answers[i].reason || !strstr(buf_text(&res.detail), answers[i].detail))
			fail_msg("case %zu: %s, %s", i, reason_name(res.reason),
			    buf_text(&res.detail));
		assert_int_equal(res.healthy, res.reason == REASON_OK);
		assert_int_equal(res.healthy, res.error.len == 0);
		if (res.healthy && strstr(answers[i].body, "\"input_tokens\":9"))
			assert_int_equal(res.tokens_in, 9);
		if (res.healthy && strstr(answers[i].body, "\"promptTokenCount\":7"))
			assert_int_equal(res.tokens_in, 7);
		result_clear(&res);
		target_free(t);
	}
}

/* However it comes: nothing is said before it is there, and then at once. */
static void
test_watched(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct target *t = target_of(answers[i].model, answers[i].mode, "");
		enum dialect_watched w = DIALECT_WAITS;
		struct str body = str_of(answers[i].body);
		struct sse sse = { 0 };
		struct response resp = { 200, body, content_type, (void *)(uintptr_t) "" };
		struct result all, part;

		for (size_t n = 1; n <= body.n && w == DIALECT_WAITS; n++) {
			resp.body.n = n;
			w = t->dialect->watch(t, &sse, resp.body);
		}
		if (w != answers[i].watched && answers[i].status == 200)
			fail_msg("case %zu: %d", i, w);
		/* What has been read by then is judged as the whole would be. */
		result_init(&all);
		result_init(&part);
		t->dialect->judge(t, &resp, &part);
		resp.body = body;
		t->dialect->judge(t, &resp, &all);
		assert_int_equal(all.healthy, part.healthy);
		assert_string_equal(buf_text(&all.detail), buf_text(&part.detail));
		result_clear(&all);
		result_clear(&part);
		target_free(t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_by_provider),
		cmocka_unit_test(test_judges),
		cmocka_unit_test(test_watched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
