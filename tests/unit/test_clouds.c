/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the recordings do not show of the clouds' requests: paid ones, parameters of a config, what
 * is refused, and that no key is anywhere but where it belongs.
 */
#include "tests/unit/unit.h"

#include "shared/msgs.h"
#include "shared/provider.h"
#include "workers/auth/credential.h"
#include "workers/dialects/dialect.h"

#define KEY "sk-not-to-be-seen"
#define MAX_PARAMS 4

struct asked {
	const char *provider, *model, *base;
	enum mode mode;
	const char *params[MAX_PARAMS]; /* "name=value" */
	const char *secret;		/* of api_key; NULL: none */
	const char *extra_body;
};

static int
build(const struct asked *a, struct request *req, struct result *why)
{
	struct credential *credential = credential_new();
	struct kv params[MAX_PARAMS], secret = { STR("api_key"), str_of(a->secret) };
	const struct provider *p = provider_find(str_of(a->provider));
	struct build_context ctx = { .now_ms = INT64_C(1767225600000), .credential = credential };
	struct msg_conf_target m = {
		.id = STR("id"), .max_tokens = 16, .timeout_ms = 1000, .ssl_verify = true
	};
	struct target *t;
	size_t n = 0;
	int rc;

	assert_non_null(p);
	for (; n < MAX_PARAMS && a->params[n]; n++) {
		const char *eq = strchr(a->params[n], '=');

		params[n] =
		    (struct kv){ { a->params[n], (size_t)(eq - a->params[n]) }, str_of(eq + 1) };
	}
	m.provider = str_of(p->name);
	m.dialect = str_of(p->dialect);
	m.mode = (uint32_t)a->mode;
	m.model = str_of(a->model);
	m.api_base = str_of(a->base);
	m.params = (struct kvs){ params, n };
	m.secrets = (struct kvs){ &secret, a->secret != NULL };
	m.extra_body = str_of(a->extra_body);
	credential->token = secret_new(STR("TOKEN"));
	assert_int_equal(target_new(&m, &t), 0);
	request_reset(req);
	result_reset(why);
	rc = t->dialect->build(t, &ctx, req, why);
	target_free(t);
	credential_free(credential);
	return rc;
}

static void
test_requests(void **state)
{
	static const struct {
		struct asked asked;
		const char *method, *url, *body;
	} cases[] = {
		{ { "gemini", "veo-3", "https://generativelanguage.googleapis.com/v1beta",
		      MODE_VIDEO_GENERATION, { "probe=generate" }, KEY, "" },
		    "POST",
		    "https://generativelanguage.googleapis.com/v1beta/models/"
		    "veo-3:predictLongRunning",
		    "{\"instances\":[{\"prompt\":\"test from litellm\"}],\"parameters\":{}}" },
		{ { "vertex_ai", "veo-3", "https://us-central1-aiplatform.googleapis.com",
		      MODE_VIDEO_GENERATION, { "probe=generate", "vertex_project=p" }, NULL, "" },
		    "POST",
		    "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/"
		    "us-central1/publishers/"
		    "google/models/veo-3:predictLongRunning",
		    "{\"instances\":[{\"prompt\":\"test from litellm\"}]}" },
		{ { "fal_ai", "a/b", "https://fal.run", MODE_VIDEO_GENERATION, { "probe=generate" },
		      KEY, "" },
		    "POST", "https://queue.fal.run/a/b", "{\"prompt\":\"test from litellm\"}" },
		{ { "fal_ai", "a/b", "https://fal.run", MODE_VIDEO_GENERATION, { NULL }, KEY, "" },
		    "GET", "https://api.fal.ai/v1/models/pricing?endpoint_id=a/b", "" },
		{ { "runwayml", "gen4", "https://api.dev.runwayml.com", MODE_VIDEO_GENERATION,
		      { "probe=generate" }, KEY, "" },
		    "POST", "https://api.dev.runwayml.com/v1/text_to_video",
		    "{\"model\":\"gen4\",\"promptText\":\"test from litellm\"}" },
		{ { "runwayml", "gen4", "https://api.dev.runwayml.com", MODE_VIDEO_GENERATION,
		      { NULL }, KEY, "" },
		    "GET", "https://api.dev.runwayml.com/v1/organization", "" },
		/* What only OpenAI's chat knows is left out, all else goes along and has the last
		   word. */
		{ { "bedrock", "amazon.nova-lite-v1:0", "https://a.test", MODE_CHAT, { NULL }, KEY,
		      "{\"temperature\":0,\"tools\":[],\"stream_options\":{},\"max_completion_"
		      "tokens\":9,\"inferenceConfig\":{},\"guardrailConfig\":{"
		      "}}" },
		    "POST", "https://a.test/model/amazon.nova-lite-v1%3A0/converse",
		    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hey how's it "
		    "going?\"}]}],"
		    "\"inferenceConfig\":{},\"guardrailConfig\":{}}" },
		{ { "bedrock_mantle", "openai.x", "https://a.test/v1", MODE_CHAT, { NULL }, KEY,
		      "{\"temperature\":0}" },
		    "POST", "https://a.test/v1/chat/completions",
		    "{\"model\":\"openai.x\",\"messages\":[{\"role\":\"user\",\"content\":\"Hey "
		    "how's it "
		    "going?\"}],\"max_tokens\":16,\"temperature\":0}" },
		/* Nothing of a name gets out of its place in the path. */
		{ { "bedrock", "converse/../../x?y#z%\"\n", "https://a.test", MODE_CHAT, { NULL },
		      KEY, "" },
		    "POST", "https://a.test/model/..%2F..%2Fx%3Fy%23z%25%22%0A/converse", NULL },
		{ { "langflow", "a/../b", "http://a.test", MODE_CHAT, { NULL }, KEY, "" }, "POST",
		    "http://a.test/api/v1/run/a%2F..%2Fb", NULL },
		{ { "watsonx", "deployment/a/b?c", "https://a.test", MODE_CHAT,
		      { "api_version=1&x=2" }, NULL, "" },
		    "POST",
		    "https://a.test/ml/v1/deployments/a%2Fb%3Fc/text/chat?version=1%26x%3D2",
		    NULL },
		{ { "vertex_ai", "gemini-2.5-flash", "https://us-aiplatform.googleapis.com",
		      MODE_CHAT, { "vertex_project=p", "vertex_location=us" }, NULL, "" },
		    "POST",
		    "https://aiplatform.us.rep.googleapis.com/v1/projects/p/locations/us/"
		    "publishers/google/models/"
		    "gemini-2.5-flash:generateContent",
		    NULL },
	};
	struct request req;
	struct result why;

	(void)state;
	request_init(&req);
	result_init(&why);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (build(&cases[i].asked, &req, &why) < 0)
			fail_msg("case %zu: %s", i, buf_text(&why.detail));
		assert_string_equal(req.method, cases[i].method);
		assert_string_equal(buf_text(&req.url), cases[i].url);
		if (cases[i].body)
			assert_string_equal(buf_text(&req.body), cases[i].body);
		assert_null(strstr(buf_text(&req.body), KEY));
		assert_null(strstr(buf_text(&req.url), KEY));
		assert_null(strstr(buf_text(&req.shown_body), KEY));
	}
	request_clear(&req);
	result_clear(&why);
}

static void
test_refused(void **state)
{
	static const struct {
		struct asked asked;
		const char *detail;
	} cases[] = {
		{ { "bedrock", "nobody.x", "https://a.test", MODE_CHAT, { NULL }, KEY, "" },
		    "the vendor of `nobody.x` is not known: write bedrock/converse/… or "
		    "bedrock/invoke/…" },
		{ { "bedrock", "amazon.nova-lite-v1:0", "ftp://a.test", MODE_CHAT, { NULL }, KEY,
		      "" },
		    "api_base `ftp://a.test` is not a URL with http:// or https:// and a host" },
		{ { "bedrock", "amazon.nova-lite-v1:0", "https://a.test", MODE_CHAT, { NULL },
		      "a\r\nX-Evil: 1", "" },
		    "the key or token is too long or holds a line break" },
		{ { "gemini", "gemini-2.5-flash", "https://a.test", MODE_CHAT, { NULL }, "a\nb",
		      "" },
		    "the key holds a line break or a NUL byte" },
		{ { "vertex_ai", "gemini-2.5-flash",
		      "https://us-central1-aiplatform.googleapis.com", MODE_CHAT, { NULL }, NULL,
		      "" },
		    "no project for vertex_ai: set vertex_project or VERTEXAI_PROJECT" },
		{ { "watsonx", "ibm/x", "https://a.test", MODE_CHAT, { NULL }, NULL, "" },
		    "watsonx needs project_id or space_id, or a model `deployment/ID`" },
		{ { "oci", "cohere.x", "https://a.test", MODE_CHAT, { NULL }, NULL, "" },
		    "oci needs oci_compartment_id, or the variable OCI_COMPARTMENT_ID" },
		{ { "sap", "gpt-4o", "", MODE_CHAT, { NULL }, NULL, "" },
		    "SAP AI Core has no running deployment of its orchestration" },
	};
	struct request req;
	struct result why;

	(void)state;
	request_init(&req);
	result_init(&why);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(build(&cases[i].asked, &req, &why), ERR_INVALID);
		assert_string_equal(buf_text(&why.detail), cases[i].detail);
		assert_int_equal(why.reason, REASON_CONFIG);
		assert_true(why.error.len > 0);
	}
	request_clear(&req);
	result_clear(&why);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("clouds", tests, NULL, NULL);
}
