/* SPDX-License-Identifier: Apache-2.0 */
/* Probes that the config chooses: what they ask, how they judge, and what an answer is expected to
 * say. */
#include "shared/probes.h"

#include <string.h>

#include "tests/unit/loaded.h"
#include "tests/unit/unit.h"
#include "workers/auth/credential.h"
#include "workers/dialects/dialect.h"
#include "workers/expect.h"

static struct str
no_header(const struct response *r, const char *name)
{
	(void)r;
	(void)name;
	return (struct str){ NULL, 0 };
}

/* A target from a deployment of one line. */
static struct target *
target_of(const char *model, const char *base, const char *mode, const char *ours)
{
	char config[2048];
	struct target *t = NULL;
	struct loaded l;

	snprintf(config, sizeof(config),
	    "{\"model_list\":[{\"model_name\":\"m\",\"litellm_params\":{\"model\":\"%s\","
	    "\"api_base\":\"%s\",\"api_key\":\"sk-1\"},\"model_info\":{\"mode\":\"%s\","
	    "\"llmhealth\":%s}}]}",
	    model, base, mode, ours);
	load_text(&l, config, NULL);
	assert_loaded(&l);
	if (!l.config->deployments[0].askable)
		fail_msg("%s", buf_text(&l.told));
	assert_int_equal(target_new(&l.config->deployments[0].target, &t), 0);
	loaded_clear(&l);
	return t;
}

static void
test_requests(void **state)
{
	static const struct {
		const char *model, *base, *mode, *ours, *method, *url;
	} cases[] = {
		{ "openai/gpt-4o", "https://a/v1", "chat", "{\"probe\":\"default\"}", "POST",
		    "https://a/v1/chat/completions" },
		{ "openai/gpt-4o", "https://a/v1", "chat", "{}", "POST",
		    "https://a/v1/chat/completions" },
		{ "openai/gpt-4o", "https://a/v1", "chat", "{\"probe\":\"models\"}", "GET",
		    "https://a/v1/models" },
		{ "openai/e", "https://a/v1/", "embedding", "{\"probe\":\"models\"}", "GET",
		    "https://a/v1/models" },
		{ "hosted_vllm/m", "http://a:8000/v1", "chat", "{\"probe\":\"vllm\"}", "GET",
		    "http://a:8000/health" },
		{ "openai/m", "http://a:8080/v1/", "chat", "{\"probe\":\"tgi\"}", "GET",
		    "http://a:8080/health" },
		{ "openai/m x", "http://a/v2/generate", "chat", "{\"probe\":\"triton\"}", "GET",
		    "http://a/v2/models/m%20x/ready" },
		{ "openai/llama3", "http://a:11434/v1", "chat", "{\"probe\":\"ollama\"}", "GET",
		    "http://a:11434/api/tags" },
		{ "anthropic/claude-3", "https://a", "chat", "{\"probe\":\"models\"}", "GET",
		    "https://a/v1/models?limit=1000" },
		{ "gemini/g", "https://a/v1beta", "chat", "{\"probe\":\"models\"}", "GET",
		    "https://a/v1beta/models?pageSize=1000" },
		{ "ollama/l", "http://a:11434", "chat", "{\"probe\":\"models\"}", "GET",
		    "http://a:11434/api/tags" },
		{ "cohere/c", "https://api.cohere.com/v2/chat", "chat", "{\"probe\":\"models\"}",
		    "GET", "https://api.cohere.com/v1/models?page_size=1000" },
		{ "openai/sora-2", "https://a/v1", "video_generation", "{}", "GET",
		    "https://a/v1/models" },
		{ "openai/sora-2", "https://a/v1", "video_generation", "{\"probe\":\"generate\"}",
		    "POST", "https://a/v1/videos" },
	};
	struct build_context ctx = { .variant = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct target *t =
		    target_of(cases[i].model, cases[i].base, cases[i].mode, cases[i].ours);
		struct request req;
		struct result why;

		request_init(&req);
		result_init(&why);
		assert_int_equal(t->dialect->build(t, &ctx, &req, &why), 0);
		assert_string_equal(req.method, cases[i].method);
		assert_string_equal(buf_text(&req.url), cases[i].url);
		assert_int_equal(req.body.len == 0, strcmp(req.method, "GET") == 0);
		if (memmem(req.headers.data, req.headers.len, "sk-1", 4) == NULL)
			fail_msg("%s %s: no key", cases[i].model, buf_text(&req.url));
		request_clear(&req);
		result_clear(&why);
		target_free(t);
	}
}

/* Bedrock lists foundation models, and in another list its inference profiles. */
static void
test_inference_profiles(void **state)
{
	static const struct {
		const char *model, *listed;
		enum reason reason;
	} cases[] = {
		{ "anthropic.claude-x", "anthropic.claude-x", REASON_OK },
		{ "us.anthropic.claude-x", "us.anthropic.claude-x", REASON_OK },
		{ "converse/eu.anthropic.claude-x", "eu.anthropic.claude-x", REASON_OK },
		{ "us.anthropic.claude-x", "us.anthropic.claude-y", REASON_NOT_FOUND },
		{ "us.anthropic.claude-x", "eu.anthropic.claude-x", REASON_NOT_FOUND },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char config[1024], body[256];
		struct response resp = { 200, { body, 0 }, no_header, NULL };
		struct target *t = NULL;
		struct result res;
		struct loaded l;

		snprintf(config, sizeof(config),
		    "{\"model_list\":[{\"model_name\":\"m\",\"litellm_params\":{\"model\":\"bedrock/%s\","
		    "\"aws_region_name\":\"us-east-1\",\"api_key\":\"sk-1\"},\"model_info\":{\"mode\":\"chat\","
		    "\"llmhealth\":{\"probe\":\"models\"}}}]}",
		    cases[i].model);
		load_text(&l, config, NULL);
		assert_loaded(&l);
		assert_int_equal(target_new(&l.config->deployments[0].target, &t), 0);
		snprintf(body, sizeof(body), "{\"%s\":[{\"%s\":\"%s\"}]}",
		    i == 0 ? "modelSummaries" : "inferenceProfileSummaries",
		    i == 0 ? "modelId" : "inferenceProfileId", cases[i].listed);
		resp.body = str_of(body);
		result_init(&res);
		t->dialect->judge(t, &resp, &res);
		if (res.reason != cases[i].reason)
			fail_msg("%s in a list of %s: %s", cases[i].model, cases[i].listed,
			    reason_name(res.reason));
		result_clear(&res);
		target_free(t);
		loaded_clear(&l);
	}
}

/* Vertex AI has a list of each publisher; what is deployed on an endpoint is in none. */
static void
test_publishers(void **state)
{
	static const struct {
		const char *model, *publisher, *listed;
		enum reason reason;
	} cases[] = {
		{ "gemini-2.5-pro", "google", "gemini-2.5-pro", REASON_OK },
		{ "gemini-2.5-pro", "google", "gemini-2.5-flash", REASON_NOT_FOUND },
		{ "claude-sonnet-4-5@20250929", "anthropic", "claude-sonnet-4-5", REASON_OK },
		{ "anthropic/claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5", REASON_OK },
		{ "claude-sonnet-4-5", "anthropic", "claude-sonnet-4", REASON_NOT_FOUND },
		{ "claude-sonnet-4@20250514", "anthropic", "claude-sonnet-4-5", REASON_NOT_FOUND },
		{ "mistral-small-2503@001", "mistralai", "mistral-small-2503", REASON_OK },
		{ "codestral-2501", "mistralai", "codestral-2501", REASON_OK },
		{ "jamba-1.5-large", "ai21", "jamba-1.5-large", REASON_OK },
		{ "meta/llama-4-x-maas", "meta", "llama-4-x-maas", REASON_OK },
		{ "meta/llama-4-x-maas", "meta", "llama-3-x-maas", REASON_NOT_FOUND },
		{ "qwen/qwen3-x", "qwen", "qwen3-x", REASON_OK },
		{ "openai/gpt-oss-120b-maas", "openai", "gpt-oss-120b-maas", REASON_OK },
		{ "1234567890", NULL, NULL, REASON_CONFIG },
		{ "openai/1234567890", NULL, NULL, REASON_CONFIG },
		{ "gemini/1234567890", NULL, NULL, REASON_CONFIG },
		{ "agent_engine/123", NULL, NULL, REASON_CONFIG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct credential *credential = credential_new();
		struct build_context ctx = { .credential = credential };
		char config[1024], body[256], path[256];
		struct response resp = { 200, { body, 0 }, no_header, NULL };
		struct target *t = NULL;
		struct request req;
		struct result res;
		struct loaded l;
		int err;

		snprintf(config, sizeof(config),
		    "{\"model_list\":[{\"model_name\":\"m\",\"litellm_params\":{\"model\":\"vertex_ai/%s\","
		    "\"vertex_project\":\"p\",\"vertex_location\":\"us-east5\"},\"model_info\":{\"mode\":\"chat\","
		    "\"llmhealth\":{\"probe\":\"models\"}}}]}",
		    cases[i].model);
		credential->token = secret_new(STR("TOKEN"));
		load_text(&l, config, NULL);
		assert_loaded(&l);
		assert_int_equal(target_new(&l.config->deployments[0].target, &t), 0);
		request_init(&req);
		result_init(&res);
		err = t->dialect->build(t, &ctx, &req, &res);
		if (cases[i].publisher) {
			snprintf(path, sizeof(path), "/v1beta1/publishers/%s/models?", cases[i].publisher);
			if (err < 0 || strstr(buf_text(&req.url), path) == NULL)
				fail_msg("%s: %s %s", cases[i].model, buf_text(&req.url),
				    buf_text(&res.detail));
			snprintf(body, sizeof(body),
			    "{\"publisherModels\":[{\"name\":\"publishers/%s/models/%s\","
			    "\"versionId\":\"1\"}]}",
			    cases[i].publisher, cases[i].listed);
			resp.body = str_of(body);
			t->dialect->judge(t, &resp, &res);
		} else {
			assert_true(err < 0);
			assert_non_null(strstr(buf_text(&res.detail), "no publisher's list"));
		}
		if (res.reason != cases[i].reason)
			fail_msg("%s: %s %s", cases[i].model, reason_name(res.reason),
			    buf_text(&res.detail));
		request_clear(&req);
		result_clear(&res);
		target_free(t);
		loaded_clear(&l);
		credential_free(credential);
	}
}

static void
test_judges(void **state)
{
	static const struct {
		const char *ours;
		int status;
		const char *body;
		enum reason reason;
	} cases[] = {
		{ "{\"probe\":\"models\"}", 200, "{\"data\":[{\"id\":\"x\"},{\"id\":\"m\"}]}",
		    REASON_OK },
		{ "{\"probe\":\"models\"}", 200, "{\"data\":[{\"id\":\"x\"}]}", REASON_NOT_FOUND },
		{ "{\"probe\":\"models\"}", 200, "{}", REASON_BAD_RESPONSE },
		{ "{\"probe\":\"models\"}", 401, "{\"error\":{\"message\":\"no\"}}", REASON_AUTH },
		{ "{\"probe\":\"models\"}", 200, "", REASON_BAD_RESPONSE },
		{ "{\"probe\":\"ollama\"}", 200, "{\"models\":[{\"name\":\"m:latest\"}]}",
		    REASON_OK },
		{ "{\"probe\":\"ollama\"}", 200, "{\"models\":[{\"name\":\"m:7b\"}]}",
		    REASON_NOT_FOUND },
		{ "{\"probe\":\"vllm\"}", 200, "", REASON_OK },
		{ "{\"probe\":\"vllm\"}", 503, "", REASON_SERVER_ERROR },
		{ "{\"probe\":\"triton\"}", 404, "", REASON_NOT_FOUND },
		{ "{\"probe\":\"tgi\"}", 302, "", REASON_BAD_RESPONSE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct target *t = target_of("openai/m", "https://a/v1", "chat", cases[i].ours);
		struct response resp = { cases[i].status, str_of(cases[i].body), no_header, NULL };
		struct result res;

		result_init(&res);
		t->dialect->judge(t, &resp, &res);
		if (res.reason != cases[i].reason)
			fail_msg("%s, %d %s: %s", cases[i].ours, cases[i].status, cases[i].body,
			    reason_name(res.reason));
		assert_int_equal(res.healthy, res.reason == REASON_OK);
		assert_int_equal(res.healthy, res.error.len == 0);
		result_clear(&res);
		target_free(t);
	}
}

static void
test_expected(void **state)
{
	static const char body[] =
	    "{\"model\":\"m-1\",\"choices\":[{\"message\":{\"content\":\"It is \\u0032.\"}}],"
	    "\"usage\":{\"total\":11}}";
	static const struct {
		const char *expect;
		bool healthy;
	} cases[] = {
		{ "{}", true },
		{ "{\"status\":200}", true },
		{ "{\"status\":\"201\"}", false },
		{ "{\"path\":\"choices[0].message.content\"}", true },
		{ "{\"path\":\"choices[1].message.content\"}", false },
		{ "{\"path\":\"choices.message\"}", false },
		{ "{\"path\":\"choices[0].message.content\",\"text\":\"2\"}", true },
		{ "{\"path\":\"choices[0].message.content\",\"text\":\"3\"}", false },
		{ "{\"path\":\"model\",\"text\":\"m-1\"}", true },
		{ "{\"path\":\"usage.total\",\"text\":\"11\"}", true },
		{ "{\"text\":\"m-1\"}", true },
		{ "{\"text\":\"m-2\"}", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct response resp = { 200, STR(body), no_header, NULL };
		struct result res;
		char ours[256];
		struct target *t;

		snprintf(ours, sizeof(ours), "{\"expect\":%s}", cases[i].expect);
		t = target_of("openai/m", "https://a/v1", "chat", ours);
		result_init(&res);
		t->dialect->judge(t, &resp, &res);
		assert_true(res.healthy);
		expect_judge(t, &resp, &res);
		if (res.healthy != cases[i].healthy)
			fail_msg("%s: %s", cases[i].expect, buf_text(&res.detail));
		assert_int_equal(res.reason, res.healthy ? REASON_OK : REASON_BAD_RESPONSE);
		result_clear(&res);
		target_free(t);
	}
}

/* A mistake is a config problem of that deployment, with its place. */
static void
test_mistakes(void **state)
{
	static const char *const cases[][2] = {
		{ "1", "model_info.llmhealth is " },
		{ "{\"probe\":\"modles\"}",
		    "llmhealth.probe is none that is known, expected one of default" },
		{ "{\"probe\":1}", "llmhealth.probe is " },
		{ "{\"prob\":\"models\"}", "takes probe (a name) and expect (a mapping)" },
		{ "{\"expect\":{\"status\":99}}", "llmhealth.expect takes status" },
		{ "{\"expect\":{\"path\":\"a..b\"}}", "llmhealth.expect takes status" },
		{ "{\"expect\":{\"path\":\"a[x]\"}}", "llmhealth.expect takes status" },
		{ "{\"expect\":{\"path\":\"a[0]b\"}}", "llmhealth.expect takes status" },
		{ "{\"expect\":{\"other\":\"a\"}}", "llmhealth.expect takes status" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char config[1024];
		struct loaded l;

		snprintf(config, sizeof(config),
		    "{\"model_list\":[{\"model_name\":\"m\",\"litellm_params\":{\"model\":"
		    "\"openai/m\",\"api_key\":\"k\"},\"model_info\":{\"llmhealth\":%s}}]}",
		    cases[i][0]);
		load_text(&l, config, NULL);
		assert_loaded(&l);
		assert_told(&l, cases[i][1]);
		assert_false(l.config->deployments[0].askable);
		loaded_clear(&l);
	}
}

/* The choice for a provider counts for its deployments that choose nothing themselves. */
static void
test_by_provider(void **state)
{
	static const struct {
		const char *model, *info, *probes, *probe;
	} cases[] = {
		{ "openai/m", "{}", "{openai: models}", "models" },
		{ "openai/m", "{llmhealth: {expect: {status: 200}}}", "{openai: models}",
		    "models" },
		{ "openai/m", "{llmhealth: {probe: default}}", "{openai: models}", NULL },
		{ "openai/m", "{llmhealth: {probe: vllm}}", "{openai: models}", "vllm" },
		{ "openai/m", "{llmhealth: {probe: null}}", "{openai: models}", "models" },
		{ "openai/m", "{}", "{openai: default}", NULL },
		{ "openai/m", "{}", "{openai: null}", NULL },
		{ "openai/m", "{}", "null", NULL },
		{ "openai/m", "{}", "{groq: models}", NULL },
		{ "hosted_vllm/m", "{}", "{openai: models, hosted_vllm: vllm}", "vllm" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char config[1024];
		struct target *t = NULL;
		const char *probe;
		struct loaded l;

		snprintf(config, sizeof(config),
		    "llmhealth: {probes: %s}\nmodel_list: [{model_name: m, litellm_params: {model: "
		    "%s, api_base: http://a/v1, api_key: k}, model_info: %s}]\n",
		    cases[i].probes, cases[i].model, cases[i].info);
		load_text(&l, config, NULL);
		assert_loaded(&l);
		assert_int_equal(target_new(&l.config->deployments[0].target, &t), 0);
		probe = target_param(t, "probe");
		if (cases[i].probe)
			assert_string_equal(probe, cases[i].probe);
		else
			assert_null(probe);
		target_free(t);
		loaded_clear(&l);
	}
}

static void
test_by_provider_mistakes(void **state)
{
	static const struct {
		const char *probes, *text;
	} cases[] = {
		{ "models",
		    "llmhealth.probes is a text, expected a mapping of providers to probes" },
		{ "[openai]",
		    "llmhealth.probes is a list, expected a mapping of providers to probes" },
		{ "{opanai: models}",
		    "llmhealth.probes has \"opanai\", expected a provider's name" },
		{ "{1: models}",
		    "a key of llmhealth.probes is a whole number, expected a provider's name" },
		{ "{openai: model}",
		    "llmhealth.probes.openai is none that is known, expected one of default, "
		    "generate, models" },
		{ "{openai: [models]}",
		    "llmhealth.probes.openai is a list, expected one of default" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char config[1024];
		struct loaded l;

		snprintf(config, sizeof(config), "llmhealth: {probes: %s}\nmodel_list: []\n",
		    cases[i].probes);
		load_text(&l, config, NULL);
		assert_null(l.config);
		if (strstr(buf_text(&l.told), cases[i].text) == NULL)
			fail_msg("%s", buf_text(&l.told));
		loaded_clear(&l);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_judges),
		cmocka_unit_test(test_inference_profiles), cmocka_unit_test(test_publishers),
		cmocka_unit_test(test_expected),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_by_provider),
		cmocka_unit_test(test_by_provider_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
