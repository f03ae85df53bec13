/* SPDX-License-Identifier: Apache-2.0 */
/* Deployments: what is asked, what is shown, what is refused, and that no secret is where it must
 * not be. */
#include "tests/unit/unit.h"

#include <string.h>

#include "shared/mode.h"
#include "shared/provider.h"
#include "shared/reason.h"
#include "tests/unit/config_test.h"
#include "tests/unit/loaded.h"

#define KEY "sk-canary-9f2c"

/* One deployment from its litellm_params and model_info in flow style. */
static void
load_one(struct loaded *l, const char *params, const char *info, const char *const *env)
{
	struct buf yaml = BUF_INIT(1 << 16);

	buf_addf(&yaml,
	    "model_list:\n- model_name: a\n  litellm_params: {%s}\n  model_info: {%s}\n", params,
	    info);
	load_text(l, buf_text(&yaml), env);
	buf_clear(&yaml);
	assert_loaded(l);
	assert_int_equal(l->config->n_deployments, 1);
}

static const struct deployment *
first(const struct loaded *l)
{
	return &l->config->deployments[0];
}

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

/* Each is in the answer as a config error and among the findings, with its place. */
static void
test_refused(void **state)
{
	static const struct {
		const char *params, *info, *told, *shown;
		int status;
	} cases[] = {
		{ OPENAI, "mode: telepathy", "C:4:22: error: deployment a: mode \"telepathy\"",
		    "Mode telepathy not supported. See modes here: "
		    "https://docs.litellm.ai/docs/proxy/health",
		    500 },
		{ "model: some-unknown-model", "", "C:3:27: error: deployment a: no provider",
		    "litellm.BadRequestError: LLM Provider NOT provided.", 400 },
		{ "model: openai/gpt-4o", "",
		    "C:3:19: error: deployment a: no api_key is given, and OPENAI_API_KEY is not "
		    "set",
		    "litellm.InternalServerError: InternalServerError: OpenAIException - Missing "
		    "credentials. Please pass an "
		    "`api_key`, `workload_identity`, `admin_api_key`, or set the `OPENAI_API_KEY` "
		    "or `OPENAI_ADMIN_KEY` "
		    "environment variable.",
		    500 },
		{ "model: anthropic/claude-sonnet-4-5", "",
		    "no api_key is given, and ANTHROPIC_API_KEY is not set",
		    "litellm.AuthenticationError: Missing Anthropic API Key - A call is being made",
		    401 },
		{ "model: azure/dep, api_base: https://a.test", "",
		    "no api_key is given, and AZURE_OPENAI_AD_TOKEN is not set",
		    "litellm.APIError: AzureException APIError - Missing credentials. Please pass "
		    "one "
		    "of `api_key`, ",
		    500 },
		{ "model: elevenlabs/scribe_v1", "mode: audio_transcription",
		    "no api_key is given, and ELEVENLABS_API_KEY is not set",
		    "litellm.APIConnectionError: ElevenLabs API key is required.", 500 },
		{ "model: openai/gpt-4o, api_key: os.environ/NOT_THERE", "",
		    "api_key is os.environ/NOT_THERE, which is not set, and OPENAI_API_KEY is not "
		    "set",
		    "Missing credentials", 500 },
		{ "model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY", "",
		    "api_key is os.environ/OPENAI_API_KEY, which is not set\n",
		    "Missing credentials", 500 },
		{ "api_key: x", "", "litellm_params has no model",
		    "litellm.BadRequestError: ", 400 },
		{ OPENAI ", api_version: 2024-10-21", "",
		    "api_version is a date, expected a text; put it in quotes",
		    "litellm.BadRequestError: api_version is a date", 400 },
		{ OPENAI ", rpm: many", "", "rpm is a text, expected a whole number", "rpm is",
		    400 },
		{ OPENAI ", timeout: soon", "", "timeout is a text, expected a number of seconds",
		    "timeout is", 400 },
		{ OPENAI ", tags: [1]", "", "tags holds a whole number, expected texts only",
		    "tags holds", 400 },
		{ OPENAI ", extra_headers: [a]", "", "extra_headers is a list, expected a mapping",
		    "extra_headers", 400 },
		{ OPENAI ", extra_headers: {\"a b\": c}", "", "a header's name has a character",
		    "a header's name", 400 },
		{ OPENAI ", extra_headers: {a: \"b\\r\\nc: d\"}", "",
		    "the value of header a holds a line break", "the value", 400 },
		{ OPENAI ", extra_body: 1", "", "extra_body is a whole number, expected a mapping",
		    "extra_body is", 400 },
		{ OPENAI ", api_base: \"ftp://x\"", "", "api_base is no URL that can be asked",
		    "api_base is no URL", 400 },
		{ OPENAI ", api_base: \"http://x/\\0\"", "", "api_base is no URL",
		    "api_base is no URL", 400 },
		{ OPENAI ", organization: \"a\\0b\"", "", "a text holds a NUL byte",
		    "a text holds a NUL", 400 },
		{ OPENAI ", litellm_credential_name: none", "", "no credential named \"none\"",
		    "no credential named", 400 },
		{ OPENAI ", mock_response: hi", "", "mock_response is answered by LiteLLM itself",
		    "mock_response", 400 },
		{ OPENAI, "health_check_timeout: soon",
		    "health_check_timeout is a text, expected seconds", "health_check_timeout",
		    400 },
		{ OPENAI, "health_check_timeout: -1",
		    "health_check_timeout is a whole number, expected seconds", "health_check",
		    400 },
		{ OPENAI, "health_check_max_tokens: none", "health_check_max_tokens is a text",
		    "health_check_max_tokens", 400 },
		{ OPENAI, "health_check_max_tokens: 0", "health_check_max_tokens is below 1",
		    "health_check_max_tokens", 400 },
		{ OPENAI, "health_check_model: 4", "health_check_model is a whole number",
		    "health_check_model", 400 },
		{ "model: \"replicate/*\", api_key: " KEY, "", "a wildcard names no model to ask",
		    "Unable to health check wildcard model for provider replicate.", 400 },
		{ "model: \"azure/*\", api_base: https://a.test, api_key: " KEY, "",
		    "a wildcard names no model to ask",
		    "Unable to health check wildcard model for provider azure.", 400 },
		{ "model: groq/x, api_key: " KEY, "mode: rerank", "groq has no mode rerank",
		    "groq has no mode rerank", 400 },
		{ "model: hosted_vllm/x", "", "api_base", "api_base", 400 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct deployment *d;
		struct loaded l;

		load_one(&l, cases[i].params, cases[i].info, NULL);
		d = first(&l);
		if (d->askable)
			fail_msg("case %zu is askable: %s", i, buf_text(&l.told));
		assert_int_equal(d->front.problem_reason, REASON_CONFIG);
		assert_told(&l, cases[i].told);
		if (strstr(d->front.problem.p, cases[i].shown) == NULL)
			fail_msg("case %zu: shown \"%s\"", i, d->front.problem.p);
		assert_int_equal(d->front.problem_status, cases[i].status);
		assert_true(problems_deployments(l.problems) > 0);
		assert_int_equal(problems_errors(l.problems), 0);
		assert_not_told(&l, KEY);
		loaded_clear(&l);
	}
}

static void
test_not_deployments(void **state)
{
	static const char *const cases[][2] = {
		{ "model_list: 3",
		    "C:1:13: error: model_list is a whole number, expected a list of deployments" },
		{ "model_list: [x]", "C:1:14: error: an entry of model_list is a text" },
		{ "model_list: [{litellm_params: {model: openai/m}}]",
		    "model_name is missing, expected a text" },
		{ "model_list: [{model_name: 4, litellm_params: {model: openai/m}}]",
		    "model_name is a whole number" },
		{ "model_list: [{model_name: a}]", "litellm_params is missing" },
		{ "model_list: [{model_name: a, litellm_params: []}]", "litellm_params is a list" },
		{ "credential_list: {}", "credential_list is a mapping, expected a list" },
		{ "credential_list: [{}]", "a credential without a name" },
	};
	struct loaded l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		load_text(&l, cases[i][0], NULL);
		assert_int_equal(l.rc, ERR_INVALID);
		assert_null(l.config);
		assert_told(&l, cases[i][1]);
		loaded_clear(&l);
	}
	load_text(&l, "general_settings: {}\nmodel_list:\n", NULL);
	assert_loaded(&l);
	assert_int_equal(l.config->n_deployments, 0);
	loaded_clear(&l);
}

static void
test_credentials(void **state)
{
	static const char yaml[] =
	    "model_list:\n"
	    "- {model_name: a, litellm_params: {model: openai/m, litellm_credential_name: c}}\n"
	    "- {model_name: b, litellm_params: {model: openai/m, api_key: sk-own-key, api_base: "
	    "null, "
	    "litellm_credential_name: c}}\n"
	    "credential_list:\n"
	    "- {credential_name: c, credential_values: {api_key: sk-of-c, api_base: "
	    "\"http://127.0.0.1:9/v1\"}}\n";
	struct loaded l;

	(void)state;
	load_text(&l, yaml, NULL);
	assert_loaded(&l);
	assert_string_equal(kvs_find(first(&l)->target.secrets, "api_key"), "sk-of-c");
	assert_string_equal(first(&l)->target.api_base.p, "http://127.0.0.1:9/v1");
	assert_null(kvs_find(first(&l)->front.display, "api_base"));
	assert_string_equal(
	    kvs_find(l.config->deployments[1].target.secrets, "api_key"), "sk-own-key");
	assert_string_equal(l.config->deployments[1].target.api_base.p, "http://127.0.0.1:9/v1");
	loaded_clear(&l);
}

static void
test_duplicates(void **state)
{
	static const char yaml[] =
	    "model_list:\n"
	    "- {model_name: a, litellm_params: {" OPENAI "}}\n"
	    "- {model_name: b, litellm_params: {" OPENAI "}, model_info: {id: x}}\n"
	    "- {model_name: a, litellm_params: {" OPENAI "}}\n"
	    "- {model_name: c, litellm_params: {" OPENAI "}, model_info: {id: x}}\n"
	    "- {model_name: d, litellm_params: {" OPENAI "}}\n";
	struct loaded l;

	(void)state;
	load_text(&l, yaml, NULL);
	assert_loaded(&l);
	assert_int_equal(l.config->n_deployments, 3);
	assert_string_equal(l.config->deployments[1].front.model_name.p, "b");
	assert_string_equal(l.config->deployments[2].front.model_name.p, "d");
	assert_int_equal(l.config->deployments[2].front.position, 4);
	assert_told(&l, "C:4:3: warning: the same id as the deployment in line 2, which is the one "
			"that is checked");
	assert_told(&l, "C:5:3: warning: the same id as the deployment in line 3");
	loaded_clear(&l);
}

static void
test_groups_and_flags(void **state)
{
	static const char yaml[] =
	    "model_list:\n"
	    "- {model_name: a, litellm_params: {" OPENAI "}}\n"
	    "- {model_name: b, litellm_params: {" OPENAI
	    "}, model_info: {disable_background_health_check: true}}\n"
	    "general_settings: {background_health_check_model_groups: [a]}\n";
	struct loaded l;

	(void)state;
	load_text(&l, yaml, NULL);
	assert_loaded(&l);
	assert_int_equal(l.config->deployments[0].front.flags, 0);
	assert_int_equal(
	    l.config->deployments[1].front.flags, DEPLOYMENT_DISABLED | DEPLOYMENT_OUTSIDE);
	loaded_clear(&l);
}

/* Whatever the front is told and whatever a person reads holds no secret. */
static void
test_no_secret_shown(void **state)
{
	static const char yaml[] =
	    "model_list:\n"
	    "- model_name: a\n"
	    "  litellm_params:\n"
	    "    model: openai/m\n"
	    "    api_key: CANARY-1\n"
	    "    api_base: http://u:CANARY-2@h/v1?token=CANARY-3\n"
	    "    extra_headers: {Authorization: CANARY-4, X-Plain: CANARY-5}\n"
	    "    extra_body: {password: CANARY-6}\n"
	    "    azure_ad_token: CANARY-7\n"
	    "    some_secret: CANARY-8\n"
	    "    messages: [{role: user, content: CANARY-9}]\n"
	    "    region_name: r-CANARY-1\n"
	    "    timeout: CANARY-1\n"
	    "    vertex_credentials: {private_key: CANARY-10}\n"
	    "    litellm_credential_name: c\n"
	    "  model_info: {note: CANARY-1, my_key: CANARY-11, health_check_params: {api_key: "
	    "CANARY-12}}\n"
	    "credential_list:\n"
	    "- {credential_name: c, credential_values: {client_secret: CANARY-13}}\n"
	    "general_settings: {master_key: CANARY-14, health_check_interval: x}\n"
	    "llmhealth: {workerz: CANARY-15}\n";
	struct loaded l;

	(void)state;
	load_text(&l, yaml, NULL);
	assert_int_equal(l.rc, ERR_INVALID);
	assert_not_told(&l, "CANARY");
	loaded_clear(&l);

	load_text(&l, strndupa(yaml, (size_t)(strstr(yaml, "general_settings") - yaml)), NULL);
	assert_loaded(&l);
	assert_not_told(&l, "CANARY");
	if (strstr(first(&l)->front.info.p, "CANARY"))
		fail_msg("%s", first(&l)->front.info.p);
	assert_null(strstr(kvs_text(first(&l)->front.display), "CANARY"));
	assert_null(strstr(first(&l)->front.problem.p, "CANARY"));
	assert_null(strstr(first(&l)->front.host.p, "CANARY"));
	loaded_clear(&l);
}

static void
test_equal(void **state)
{
	static const struct {
		const char *params, *info;
	} cases[] = {
		{ OPENAI, "id: x" },
		{ "model: openai/gpt-4o, api_key: other", "id: x" },
		{ OPENAI ", api_base: \"http://h/v1\"", "id: x" },
		{ OPENAI, "id: x, health_check_timeout: 4" },
		{ OPENAI ", temperature: 0", "id: x" },
		{ OPENAI ", extra_headers: {a: b}", "id: x" },
		{ OPENAI, "id: x, disable_background_health_check: true" },
		{ OPENAI, "id: x, mode: embedding" },
		{ OPENAI ", rpm: 4", "id: x" },
		{ OPENAI ", ssl_verify: false", "id: x" },
		{ "model: openai/gpt-4o", "id: x" },
		{ OPENAI, "id: y" },
	};
	struct loaded a, b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t k = 0; k < ARRAY_LEN(cases); k++) {
			load_one(&a, cases[i].params, cases[i].info, NULL);
			load_one(&b, cases[k].params, cases[k].info, NULL);
			assert_int_equal(deployment_equal(first(&a), first(&b)), i == k);
			loaded_clear(&a);
			loaded_clear(&b);
		}
}

/* Whether the deployment's target has that parameter, and only there where it belongs. */
static bool
reaches(const struct deployment *d, const char *name, const char *value)
{
	const char *param = kvs_find(d->target.params, name);
	const char *secret = kvs_find(d->target.secrets, name);
	const char *found = param ? param : secret;

	return found && strcmp(found, value) == 0 && !(param && secret) &&
	       memmem(d->target.extra_body.p, d->target.extra_body.n, value, strlen(value)) == NULL;
}

/* The first mode in which the provider can be asked; -1: none. */
static int
some_mode(const struct provider *p)
{
	for (int mode = 0; mode < MODE_COUNT; mode++)
		if (!provider_refuses(p, (enum mode)mode, NULL))
			return mode;
	return -1;
}

/* Each parameter that a row of the table of providers names comes to the worker, alone as it is. */
static void
test_params_of_the_table_reach_the_target(void **state)
{
	const struct provider *p;
	size_t n = 0, lost = 0;

	(void)state;
	for (size_t i = 0; (p = provider_at(i)); i++) {
		int mode = some_mode(p);

		for (const char *at = p->params; mode >= 0 && *at; at += strspn(at, " ")) {
			char name[128], params[1024], info[128];
			size_t length = strcspn(at, " ");
			struct loaded l;

			snprintf(name, sizeof(name), "%.*s", (int)length, at);
			at += length;
			/* All that begins so: one that no row names. */
			if (name[strlen(name) - 1] == '*')
				snprintf(name + strlen(name) - 1, 16, "of_tomorrow");
			snprintf(params, sizeof(params),
			    "model: %s/m, api_key: %s, api_base: https://a/v1, %s: given-%zu",
			    p->name, KEY, name, n);
			snprintf(info, sizeof(info), "mode: %s", mode_name((enum mode)mode));
			load_one(&l, params, info, NULL);
			snprintf(info, sizeof(info), "given-%zu", n++);
			if (!reaches(first(&l), name, info)) {
				print_error(
				    "%s: %s is lost: %s\n", p->name, name, buf_text(&l.told));
				lost++;
			}
			loaded_clear(&l);
		}
	}
	assert_true(n > 60);
	assert_int_equal(lost, 0);
}

/* What a provider's row does not name, but its dialect reads. */
static void
test_realtime_protocol(void **state)
{
	struct loaded l;

	(void)state;
	load_one(&l,
	    "model: azure/gpt-4o, api_key: " KEY
	    ", api_base: https://a.openai.azure.com, api_version: v1, realtime_protocol: GA",
	    "mode: chat", NULL);
	assert_true(reaches(first(&l), "realtime_protocol", "GA"));
	loaded_clear(&l);
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
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_not_deployments),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_groups_and_flags),
		cmocka_unit_test(test_no_secret_shown),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_params_of_the_table_reach_the_target),
		cmocka_unit_test(test_realtime_protocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
