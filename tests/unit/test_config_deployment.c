/* SPDX-License-Identifier: Apache-2.0 */
/* Deployments: what is asked, and what is shown. */
#include "tests/unit/unit.h"

#include <string.h>

#include "shared/reason.h"
#include "tests/unit/config_test.h"
#include "tests/unit/loaded.h"

#define KEY "sk-canary-9f2c"

#define OPENAI "model: openai/gpt-4o, api_key: " KEY

/* What LiteLLM was seen to send for the same entries. */
static void
test_asked(void **state)
{
	static const struct {
		const char *params, *info;
		const char *model, *body, *headers;
		int64_t tokens;
	} cases[] = {
		{ OPENAI, "", "gpt-4o", "", "", 16 },
		{ OPENAI ", temperature: 0.5, organization: org-1, extra_headers: {X-A: b}, "
			 "extra_body: {foo: bar}, timeout: 30, "
			 "rpm: 5, tpm: 6, max_retries: 1, stream_timeout: 3, weight: 1",
		    "", "gpt-4o", "{\"temperature\":0.5,\"foo\":\"bar\"}", "X-A=b", 16 },
		{ OPENAI, "health_check_params: {temperature: 0, user: probe}", "gpt-4o",
		    "{\"temperature\":0,\"user\":\"probe\"}", "", 16 },
		{ OPENAI ", temperature: 1", "health_check_params: {temperature: 0}", "gpt-4o",
		    "{\"temperature\":0}", "", 16 },
		{ OPENAI ", additional_drop_params: [max_tokens]", "", "gpt-4o", "", "", -1 },
		{ OPENAI ", additional_drop_params: [top_p], top_p: 1", "", "gpt-4o", "", "", 16 },
		{ OPENAI ", messages: [{role: user, content: mine}]", "", "gpt-4o", "", "", 16 },
		{ OPENAI ", max_tokens: 100", "", "gpt-4o", "", "", 16 },
		{ OPENAI ", max_tokens: 100", "health_check_max_tokens: 5", "gpt-4o", "", "", 5 },
		{ OPENAI ", max_tokens: 100", "health_check_supports_max_tokens: false", "gpt-4o",
		    "", "", 100 },
		{ OPENAI, "health_check_supports_max_tokens: false", "gpt-4o", "", "", -1 },
		{ OPENAI,
		    "health_check_max_tokens_reasoning: 64, health_check_max_tokens_non_reasoning: "
		    "3",
		    "gpt-4o", "", "", 3 },
		{ "model: openai/o1, api_key: " KEY,
		    "health_check_max_tokens_reasoning: 64, health_check_max_tokens_non_reasoning: "
		    "3",
		    "o1", "", "", 64 },
		{ OPENAI, "health_check_max_tokens_reasoning: 64", "gpt-4o", "", "", 16 },
		{ "model: openai/o3-mini, api_key: " KEY, "health_check_reasoning_effort: low",
		    "o3-mini", "{\"reasoning_effort\":\"low\"}", "", 16 },
		{ "model: openai/text-embedding-3-small, api_key: " KEY,
		    "health_check_reasoning_effort: low", "text-embedding-3-small", "", "", -1 },
		{ OPENAI
		    ", input_cost_per_token: 0.1, litellm_trace_id: x, tags: [a], stream: true",
		    "", "gpt-4o", "", "", 16 },
		{ OPENAI ", my_token: abcdef", "", "gpt-4o", "", "", 16 },
		{ OPENAI ", headers: {X-A: 1, X-B: 2}, extra_headers: {x-a: 3}", "", "gpt-4o", "",
		    "x-a=3 X-B=2", 16 },
		{ "model: openai/*, api_key: " KEY, "health_check_model: openai/gpt-4o", "gpt-4o",
		    "", "", -1 },
		{ "model: openai/*, api_key: " KEY,
		    "health_check_model: openai/gpt-4o, health_check_max_tokens: 7", "gpt-4o", "",
		    "", 7 },
		{ "model: gpt-4o, custom_llm_provider: openai, api_key: " KEY, "", "gpt-4o", "", "",
		    16 },
		{ "model: openai/responses/gpt-4o, api_key: " KEY, "", "gpt-4o", "", "", 16 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct deployment *d;
		struct loaded l;

		load_one(&l, cases[i].params, cases[i].info, NULL);
		d = first(&l);
		if (!d->askable)
			fail_msg("case %zu: %s", i, buf_text(&l.told));
		assert_string_equal(d->target.model.p, cases[i].model);
		assert_string_equal(d->target.extra_body.p, cases[i].body);
		assert_string_equal(kvs_text(d->target.headers), cases[i].headers);
		assert_int_equal(d->target.max_tokens, cases[i].tokens);
		assert_string_equal(kvs_find(d->target.secrets, "api_key"), KEY);
		loaded_clear(&l);
	}
}

static void
test_environment(void **state)
{
	static const char *const env[] = { "OPENAI_API_KEY=sk-from-env",
		"OPENAI_ORGANIZATION=org-env", "GROQ_API_KEY=gsk-1",
		"OPENAI_API_BASE=http://127.0.0.1:9/v1", "BACKGROUND_HEALTH_CHECK_MAX_TOKENS=9",
		"BACKGROUND_HEALTH_CHECK_MAX_TOKENS_REASONING=90", "HEALTH_CHECK_TIMEOUT_SECONDS=7",
		"DEFAULT_HEALTH_CHECK_PROMPT=ping", "https_proxy=http://127.0.0.1:3128",
		"NO_PROXY=localhost", "SSL_CERT_FILE=/etc/ca.pem", "CEREBRAS_API_KEY=", NULL };
	struct loaded l;

	(void)state;
	load_one(&l, "model: openai/gpt-4o", "", env);
	assert_string_equal(buf_text(&l.told), "");
	assert_true(first(&l)->askable);
	assert_string_equal(kvs_find(first(&l)->target.secrets, "api_key"), "sk-from-env");
	assert_string_equal(first(&l)->key_variable.p, "OPENAI_API_KEY");
	assert_true(first(&l)->key_set);
	assert_string_equal(first(&l)->target.api_base.p, "http://127.0.0.1:9/v1");
	assert_string_equal(kvs_find(first(&l)->target.params, "organization"), "org-env");
	assert_string_equal(kvs_find(first(&l)->target.params, "prompt"), "ping");
	assert_int_equal(first(&l)->target.max_tokens, 9);
	assert_int_equal(first(&l)->target.timeout_ms, 7000);
	assert_int_equal(first(&l)->front.timeout_ms, 7000);
	assert_string_equal(first(&l)->target.proxy.p, "");
	assert_string_equal(first(&l)->target.ca_file.p, "/etc/ca.pem");
	loaded_clear(&l);

	load_one(&l, "model: groq/llama-3.1-8b-instant", "", env);
	assert_string_equal(kvs_find(first(&l)->target.secrets, "api_key"), "gsk-1");
	assert_string_equal(first(&l)->target.proxy.p, "http://127.0.0.1:3128");
	assert_string_equal(first(&l)->target.no_proxy.p, "localhost");
	loaded_clear(&l);

	load_one(&l, "model: openai/o3-mini", "health_check_timeout: 2.5", env);
	assert_int_equal(first(&l)->target.max_tokens, 90);
	assert_int_equal(first(&l)->target.timeout_ms, 2500);
	loaded_clear(&l);

	/* A key goes only to the provider whose variable it is; an empty variable is none. */
	load_one(&l, "model: deepinfra/m", "", env);
	assert_false(first(&l)->askable);
	assert_int_equal(first(&l)->target.secrets.n, 0);
	assert_told(&l, "DEEPINFRA_API_KEY is not set");
	assert_string_equal(first(&l)->key_variable.p, "DEEPINFRA_API_KEY");
	assert_false(first(&l)->key_set);
	loaded_clear(&l);
	load_one(&l, "model: cerebras/m", "", env);
	assert_false(first(&l)->askable);
	loaded_clear(&l);
}

static void
test_limits_and_tls(void **state)
{
	static const struct {
		const char *more, *settings;
		uint64_t timeout, attempt;
		bool verify;
		const char *ca, *cert;
	} cases[] = {
		{ "", "", 60000, 0, true, "", "" },
		{ "timeout: 5", "", 60000, 5000, true, "", "" },
		{ "timeout: \"2.5\"", "", 60000, 2500, true, "", "" },
		{ "ssl_verify: false", "", 60000, 0, false, "", "" },
		{ "ssl_verify: /etc/own.pem", "ssl_verify: false", 60000, 0, true, "/etc/own.pem",
		    "" },
		{ "", "ssl_verify: false", 60000, 0, false, "", "" },
		{ "ssl_verify: true", "ssl_verify: false", 60000, 0, true, "", "" },
		{ "", "ssl_verify: /etc/all.pem, ssl_certificate: /etc/client.pem", 60000, 0, true,
		    "/etc/all.pem", "/etc/client.pem" },
		{ "", "request_timeout: 20", 60000, 20000, true, "", "" },
		{ "timeout: 3", "request_timeout: 20", 60000, 3000, true, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct msg_conf_target *t;
		struct buf yaml = BUF_INIT(1 << 16);
		struct loaded l;

		buf_addf(&yaml,
		    "model_list:\n- {model_name: a, litellm_params: {" OPENAI
		    ", %s}}\nlitellm_settings: {%s}\n",
		    cases[i].more, cases[i].settings);
		load_text(&l, buf_text(&yaml), NULL);
		assert_loaded(&l);
		t = &first(&l)->target;
		assert_int_equal(t->timeout_ms, cases[i].timeout);
		assert_int_equal(t->attempt_timeout_ms, cases[i].attempt);
		assert_int_equal(t->ssl_verify, cases[i].verify);
		assert_string_equal(t->ca_file.p, cases[i].ca);
		assert_string_equal(t->client_cert.p, cases[i].cert);
		assert_string_equal(t->client_key.p, cases[i].cert);
		loaded_clear(&l);
		buf_clear(&yaml);
	}
}

static void
test_modes(void **state)
{
	static const struct {
		const char *model, *mode;
	} cases[] = {
		{ "openai/gpt-4o", "chat" },
		{ "openai/text-embedding-3-small", "embedding" },
		{ "openai/whisper-1", "audio_transcription" },
		{ "openai/gpt-4o-transcribe", "audio_transcription" },
		{ "openai/tts-1", "audio_speech" },
		{ "openai/gpt-4o-mini-tts", "audio_speech" },
		{ "openai/gpt-image-1", "image_generation" },
		{ "openai/gpt-realtime", "realtime" },
		{ "openai/gpt-4o-realtime-preview", "realtime" },
		{ "openai/gpt-5-codex", "responses" },
		{ "openai/o1-pro", "responses" },
		{ "openai/o1", "chat" },
		{ "openai/sora-2", "video_generation" },
		{ "openai/gpt-3.5-turbo-instruct", "completion" },
		{ "cohere/rerank-v3.5", "rerank" },
		{ "mistral/mistral-ocr-latest", "ocr" },
		{ "mistral/mistral-small-latest", "chat" },
		{ "openai/omni-moderation-latest", "moderation" },
		{ "bedrock/amazon.titan-embed-text-v2:0", "embedding" },
		{ "bedrock/us-west-2/amazon.titan-embed-text-v2:0", "embedding" },
		{ "ollama/bge-m3", "embedding" },
		{ "hosted_vllm/BAAI/bge-reranker-v2-m3", "rerank" },
		{ "anthropic/claude-sonnet-4-5", "chat" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf params = BUF_INIT(4096);
		struct loaded l;

		buf_addf(&params,
		    "model: \"%s\", api_key: " KEY ", api_base: \"http://127.0.0.1:9\"",
		    cases[i].model);
		load_one(&l, buf_text(&params), "", NULL);
		assert_string_equal(first(&l)->front.mode.p, cases[i].mode);
		assert_string_equal(first(&l)->configured_mode.p, "");
		loaded_clear(&l);
		load_one(&l, buf_text(&params), "mode: embedding", NULL);
		assert_string_equal(first(&l)->front.mode.p, "embedding");
		assert_string_equal(first(&l)->configured_mode.p, "embedding");
		loaded_clear(&l);
		buf_clear(&params);
	}
}

static void
display_as_json(const struct deployment *d, struct buf *b)
{
	buf_add_char(b, '{');
	for (size_t i = 0; i < d->front.display.n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		buf_addf(
		    b, "\"%s\":%s", d->front.display.v[i].key.p, d->front.display.v[i].value.p);
	}
	buf_add_char(b, '}');
}

static void
test_shown_as_recorded(void **state)
{
	static const char *const env[] = { "STANDIN_BASE=http://127.0.0.1:22001/v1",
		"STANDIN_KEY=" KEY, NULL };
	json_error_t error;
	json_t *json =
	    json_load_file(unit_source_path("tests/fixtures/config/basic-shown.json"), 0, &error);
	json_t *shown = json_object_get(json, "shown");
	size_t compared = 0;
	struct loaded l;

	(void)state;
	assert_non_null(shown);
	load_path(&l, unit_source_path("tests/fixtures/config/basic.yaml"), env);
	assert_loaded(&l);
	assert_int_equal(l.config->n_deployments, 35);
	for (size_t i = 0; i < l.config->n_deployments; i++) {
		const struct deployment *d = &l.config->deployments[i];
		const json_t *want = json_object_get(shown, d->front.id.p);
		struct buf entry = BUF_INIT(1 << 16), info = BUF_INIT(1 << 16);

		assert_int_equal(d->front.position, i);
		if (want == NULL)
			continue;
		display_as_json(d, &entry);
		assert_string_equal(buf_text(&entry), json_string_value(json_array_get(want, 0)));
		/* LiteLLM lists a wildcard as one of the models that it stands for. */
		if (strchr(d->front.model.p, '*') == NULL)
			buf_addf(&info, "\"litellm_params\":%s,",
			    json_string_value(json_array_get(want, 1)));
		if (strstr(d->front.info.p, buf_text(&info)) == NULL)
			fail_msg("%s is not in %s", buf_text(&info), d->front.info.p);
		compared++;
		buf_clear(&entry);
		buf_clear(&info);
	}
	assert_int_equal(compared, json_object_size(shown));
	loaded_clear(&l);
	json_decref(json);
}

static void
test_shown_edits(void **state)
{
	static const struct {
		const char *params, *info, *shown;
	} cases[] = {
		{ "model: bedrock/eu-west-3/anthropic.claude-v2, aws_access_key_id: AKIAX, "
		  "aws_secret_access_key: SECRETX",
		    "", "{\"model\":\"anthropic.claude-v2\",\"custom_llm_provider\":\"bedrock\"}" },
		{ OPENAI ", mode: chat, rpm: \"10\", base_model: x", "",
		    "{\"rpm\":10,\"model\":\"openai/"
		    "gpt-4o\",\"mode\":\"chat\",\"base_model\":\"x\"}" },
		{ OPENAI ", api_base: null", "", "{\"model\":\"openai/gpt-4o\"}" },
		{ OPENAI ", api_base: \"http://user:pw@h:1/v1?key=abc&x=1\"", "",
		    "{\"api_base\":\"http://*****@h:1/v1?key=*****&x=1\",\"model\":\"openai/"
		    "gpt-4o\"}" },
		{ OPENAI ", api_base: \"http://h/" KEY "/v1\"", "",
		    "{\"api_base\":\"http://h/sk****2c/v1\",\"model\":\"openai/gpt-4o\"}" },
		{ "model: ollama/llama3, api_key: ollama, api_base: \"http://ollama:11434\"", "",
		    "{\"api_base\":\"http://ollama:11434\",\"model\":\"ollama/llama3\"}" },
		{ "model: openai/m, api_key: localhost, api_base: \"http://localhost:1/v1\"", "",
		    "{\"api_base\":\"http://localhost:1/v1\",\"model\":\"openai/m\"}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf entry = BUF_INIT(1 << 16);
		struct loaded l;

		load_one(&l, cases[i].params, cases[i].info, NULL);
		display_as_json(first(&l), &entry);
		assert_string_equal(buf_text(&entry), cases[i].shown);
		loaded_clear(&l);
		buf_clear(&entry);
	}
}

/* "bedrock/eu-west-3/m": the region counts where none is given. */
static void
test_region_in_model(void **state)
{
	struct loaded l;

	(void)state;
	load_one(&l, "model: bedrock/eu-west-3/anthropic.claude-v2, api_key: k", "", NULL);
	assert_string_equal(first(&l)->target.model.p, "anthropic.claude-v2");
	assert_string_equal(first(&l)->front.provider.p, "bedrock");
	assert_string_equal(first(&l)->front.model.p, "bedrock/eu-west-3/anthropic.claude-v2");
	assert_string_equal(kvs_find(first(&l)->target.params, "aws_region_name"), "eu-west-3");
	loaded_clear(&l);
	load_one(&l,
	    "model: bedrock/eu-west-3/anthropic.claude-v2, api_key: k, aws_region_name: us-east-1",
	    "", NULL);
	assert_string_equal(kvs_find(first(&l)->target.params, "aws_region_name"), "us-east-1");
	loaded_clear(&l);
}

static void
test_unset_variables(void **state)
{
	static const char *const env[] = { "OPENAI_API_KEY=sk-1", NULL };
	struct loaded l;

	(void)state;
	load_one(&l, "model: openai/m, api_base: os.environ/NO_BASE", "", env);
	assert_true(first(&l)->askable);
	assert_told(&l, "C:3:47: warning: api_base is os.environ/NO_BASE, which is not set; the "
			"provider's own address");
	loaded_clear(&l);
	load_one(&l, "model: groq/m, api_key: os.environ/NO_KEY", "", NULL);
	assert_true(first(&l)->askable);
	assert_int_equal(first(&l)->target.secrets.n, 0);
	assert_told(&l,
	    "warning: api_key is os.environ/NO_KEY, which is not set; it is asked without a key");
	loaded_clear(&l);
	load_one(&l, "model: openai/m, api_key: os.environ/NO_KEY", "", NULL);
	assert_string_equal(first(&l)->key_variable.p, "NO_KEY");
	assert_false(first(&l)->key_set);
	loaded_clear(&l);
	load_text(&l,
	    "model_list:\n- {model_name: os.environ/NO_NAME, litellm_params: {model: openai/m, "
	    "api_key: k}}",
	    NULL);
	assert_loaded(&l);
	assert_told(&l, "model_name is os.environ/NO_NAME, which is not set");
	assert_string_equal(first(&l)->front.model_name.p, "os.environ/NO_NAME");
	loaded_clear(&l);
	load_text(&l, "general_settings: {master_key: os.environ/NO_MASTER}", NULL);
	assert_loaded(&l);
	assert_told(&l, "C:1:32: warning: general_settings.master_key is os.environ/NO_MASTER, "
			"which is not set");
	loaded_clear(&l);
}

/* A name with a line break stays one line, and a terminal's escapes do nothing. */
static void
test_one_line(void **state)
{
	struct loaded l;

	(void)state;
	load_text(&l,
	    "model_list:\n- {model_name: \"a\\nb\\e[1m\", litellm_params: {model: x-y-z}}", NULL);
	assert_loaded(&l);
	assert_told(&l, "deployment a?b?[1m: no provider");
	loaded_clear(&l);
}

static void
test_host(void **state)
{
	static const char *const cases[][2] = {
		{ "http://Example.test/v1", "http://example.test:80" },
		{ "https://example.test", "https://example.test:443" },
		{ "https://u:p@example.test:8443/v1", "https://example.test:8443" },
		{ "http://[::1]:4000/v1", "http://[::1]:4000" },
		{ "http://[::1]/v1", "http://[::1]:80" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf params = BUF_INIT(4096);
		struct loaded l;

		buf_addf(&params, OPENAI ", api_base: \"%s\"", cases[i][0]);
		load_one(&l, buf_text(&params), "", NULL);
		assert_string_equal(first(&l)->front.host.p, cases[i][1]);
		loaded_clear(&l);
		buf_clear(&params);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_limits_and_tls),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_shown_as_recorded),
		cmocka_unit_test(test_shown_edits),
		cmocka_unit_test(test_region_in_model),
		cmocka_unit_test(test_unset_variables),
		cmocka_unit_test(test_one_line),
		cmocka_unit_test(test_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
