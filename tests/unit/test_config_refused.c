/* SPDX-License-Identifier: Apache-2.0 */
/* Deployments: what is refused, what is told of it, and that no secret is where it must not be. */
#include "tests/unit/unit.h"

#include <string.h>

#include "shared/reason.h"
#include "tests/unit/config_test.h"
#include "tests/unit/loaded.h"
#include "tests/unit/deployment_equal.h"

#define KEY "sk-canary-9f2c"

#define OPENAI "model: openai/gpt-4o, api_key: " KEY

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
		    "litellm.APIError: AzureException APIError - Missing credentials. Please pass one "
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_not_deployments),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_groups_and_flags),
		cmocka_unit_test(test_no_secret_shown),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
