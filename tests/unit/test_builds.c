/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold of every request that any dialect builds, whatever a config holds; and where the
 * requests go that were not recorded.
 */
#include "tests/unit/fixture.h"
#include "tests/unit/header_of.h"

#include <strings.h>

#include "shared/provider.h"
#include "workers/auth/auth.h"
#include "workers/dialects/dialect.h"

#define KEY "sk-SECRET-0123456789"

static size_t wrong;
#define WRONG(...) (print_error(__VA_ARGS__), print_error("\n"), wrong++)

/* A target with a key and all parameters that any provider wants. */
static struct target *
target_of(const struct provider *p, enum mode mode, const char *model, const char *base,
    const struct kv *more, size_t n_more)
{
	struct kv params[24] = { { STR("predibase_tenant_id"), STR("ten") },
		{ STR("vertex_project"), STR("proj") }, { STR("vertex_location"), STR("us-east1") },
		{ STR("aws_region_name"), STR("us-west-2") }, { STR("account_id"), STR("acc") } };
	struct kv secret = { STR("api_key"), STR(KEY) };
	struct msg_conf_target m = { .id = STR("id-1"),
		.provider = str_of(p->name),
		.dialect = str_of(p->dialect),
		.mode = mode,
		.model = str_of(model),
		.api_base = str_of(base),
		.secrets = { &secret, 1 },
		.max_tokens = 16,
		.timeout_ms = 60000,
		.ssl_verify = true };
	size_t n = 5;
	struct target *t;

	for (size_t i = 0; i < n_more; i++)
		params[n++] = more[i];
	m.params = (struct kvs){ params, n };
	assert_int_equal(target_new(&m, &t), 0);
	return t;
}

static int
build(const struct target *t, struct request *req, struct result *why)
{
	struct build_context ctx = { .now_ms = INT64_C(1767225600000) };

	if (t->dialect->scheme && t->dialect->scheme(t))
		ctx.credential = auth_shown_credential();
	request_reset(req);
	result_reset(why);
	return t->dialect->build(t, &ctx, req, why);
}

static bool
holds(const struct buf *b, const char *text)
{
	return b->len > 0 && memmem(b->data, b->len, text, strlen(text)) != NULL;
}

static void
check_request(const char *what, const struct request *req)
{
	const char *type = header_of(req, "content-type");
	json_t *json;

	for (size_t i = 0; i < req->url.len; i++)
		if ((unsigned char)req->url.data[i] <= 0x20 ||
		    (unsigned char)req->url.data[i] >= 0x7f)
			WRONG("%s: the URL holds byte %d: %s", what, req->url.data[i],
			    buf_text(&req->url));
	if (strncmp(buf_text(&req->url), "http", 4) != 0)
		WRONG("%s: no URL: %s", what, buf_text(&req->url));
	if (holds(&req->body, KEY) || holds(&req->shown_body, KEY) ||
	    holds(&req->shown_base, KEY) || holds(&req->url, KEY))
		WRONG("%s: the key is in the URL, the body, or what is shown", what);
	if (strcmp(req->method, "GET") == 0 && req->body.len > 0)
		WRONG("%s: GET with a body", what);
	if (type && strncmp(type, "application/json", 16) == 0 && req->body.len > 0) {
		json = json_loadb(req->body.data, req->body.len, JSON_REJECT_DUPLICATES, NULL);
		if (json == NULL)
			WRONG("%s: no JSON: %s", what, buf_text(&req->body));
		json_decref(json);
	}
	json = json_loadb(buf_text(&req->shown_body), req->shown_body.len, JSON_DECODE_ANY, NULL);
	if (json == NULL)
		WRONG("%s: what is shown is no JSON: %.200s", what, buf_text(&req->shown_body));
	json_decref(json);
}

/* Every provider in every mode, with names that a config should not hold. */
static void
test_all(void **state)
{
	static const char *const models[] = { "m", "claude-x", "a\"b\\c", "a b?c#d%e", "a/../b/./c",
		"\xc3\xa4\xff", "line\r\nX-Evil: 1", "a/b/c/d:e@f" };
	const struct provider *p;
	struct request req;
	struct result why;
	size_t built = 0;

	(void)state;
	wrong = 0;
	request_init(&req);
	result_init(&why);
	for (size_t i = 0; (p = provider_at(i)) != NULL; i++) {
		for (int mode = 0; mode < MODE_COUNT; mode++) {
			const struct provider_call *call = provider_call(p, (enum mode)mode);

			if (call == NULL || !provider_call_supported(call) || mode == MODE_REALTIME)
				continue;
			for (size_t k = 0; k < ARRAY_LEN(models); k++) {
				struct kv voice = { STR("voice"), STR("v'<>&\"\r\nX: y") };
				struct target *t = target_of(p, (enum mode)mode, models[k],
				    "http://127.0.0.1:1/v2/models/m/generate", &voice, 1);
				char what[256];

				snprintf(what, sizeof(what), "%s %s with model %zu", p->name,
				    mode_name((enum mode)mode), k);
				if (build(t, &req, &why) == 0) {
					check_request(what, &req);
					built++;
				} else if (why.healthy || why.detail.len == 0 ||
					   why.error.len == 0) {
					WRONG("%s: refused without words", what);
				}
				target_free(t);
			}
		}
	}
	request_clear(&req);
	result_clear(&why);
	print_message("# %zu requests built\n", built);
	assert_true(built > 3000);
	assert_int_equal(wrong, 0);
}

/* Where what was not recorded goes. */
static void
test_routes(void **state)
{
#define V1 \
	{ \
		STR("api_version"), STR("v1") \
	}
#define DATED \
	{ \
		STR("api_version"), STR("2024-10-21") \
	}
#define AZURE "https://r.openai.azure.com"
	static const struct {
		const char *provider;
		enum mode mode;
		const char *model, *base;
		struct kv param;
		const char *url, *header, *body; /* a part of the body, or NULL */
	} cases[] = {
		{ "azure", MODE_EMBEDDING, "dep", AZURE, V1, AZURE "/openai/v1/embeddings",
		    "authorization: Bearer " KEY, "\"model\":\"dep\"" },
		{ "azure", MODE_IMAGE_GENERATION, "dep", AZURE, V1,
		    AZURE "/openai/v1/images/generations", "authorization: Bearer " KEY,
		    "\"model\":\"dep\"" },
		{ "azure", MODE_IMAGE_GENERATION, "dep", AZURE, DATED,
		    AZURE "/openai/deployments/dep/images/generations?api-version=2024-10-21",
		    "api-key: " KEY, "{\"prompt\":" },
		{ "azure", MODE_BATCH, "dep", AZURE, V1, AZURE "/openai/v1/batches?api-version=v1",
		    "authorization: Bearer " KEY, NULL },
		{ "azure", MODE_CHAT, "dep",
		    AZURE "/openai/deployments/own/chat/completions?api-version=2023-05-15",
		    { STR("x"), STR("y") },
		    AZURE "/openai/deployments/own/chat/completions?api-version=2023-05-15",
		    "api-key: " KEY, "\"model\":\"dep\"" },
		{ "azure", MODE_EMBEDDING, "dep", AZURE "/openai/deployments/own/embeddings/",
		    DATED, AZURE "/openai/deployments/own/embeddings?api-version=2024-10-21",
		    "api-key: " KEY, NULL },
		{ "azure", MODE_CHAT, "my dep?", AZURE "//", DATED,
		    AZURE "/openai/deployments/my%20dep%3F/chat/completions?api-version=2024-10-21",
		    "api-key: " KEY, "\"model\":\"my dep?\"" },
		{ "azure", MODE_CHAT, "dep", AZURE, { STR("api_version"), STR("a&b=c#d") },
		    AZURE "/openai/deployments/dep/chat/completions?api-version=a%26b%3Dc%23d",
		    "api-key: " KEY, NULL },
		{ "azure", MODE_CHAT, "gpt5_series/dep", AZURE, V1,
		    AZURE "/openai/v1/chat/completions", "authorization: Bearer " KEY,
		    "\"model\":\"dep\",\"max_completion_tokens\":16" },
		{ "azure", MODE_VIDEO_GENERATION, "sora", AZURE, DATED,
		    AZURE "/openai/v1/videos?api-version=2024-10-21", "api-key: " KEY, NULL },
		{ "azure", MODE_VIDEO_GENERATION, "sora", AZURE, { STR("probe"), STR("generate") },
		    AZURE "/openai/v1/videos?api-version=preview", "api-key: " KEY,
		    "name=\"prompt\"" },
		{ "azure", MODE_AUDIO_SPEECH, "speech/x",
		    "https://eastus.api.cognitive.microsoft.com/", { STR("voice"), STR("a'<b") },
		    "https://eastus.tts.speech.microsoft.com/cognitiveservices/v1",
		    "ocp-apim-subscription-key: " KEY, "<voice name='a&apos;&lt;b'>" },
		{ "azure", MODE_AUDIO_SPEECH, "speech/x",
		    "https://evil.test/a.api.cognitive.microsoft.com", { STR("x"), STR("y") },
		    "https://evil.test/a.api.cognitive.microsoft.com/cognitiveservices/v1",
		    "ocp-apim-subscription-key: " KEY, "en-US-JennyNeural" },
		{ "azure_ai", MODE_CHAT, "Llama-3", "https://r.services.ai.azure.com/", DATED,
		    "https://r.services.ai.azure.com/models/chat/"
		    "completions?api-version=2024-10-21",
		    "api-key: " KEY, "\"model\":\"Llama-3\"" },
		{ "azure_ai", MODE_CHAT, "Llama-3", "https://evil.test/.services.ai.azure.com",
		    { STR("x"), STR("y") },
		    "https://evil.test/.services.ai.azure.com/chat/completions",
		    "authorization: Bearer " KEY, NULL },
		{ "azure_ai", MODE_CHAT, "claude-x",
		    "https://r.services.ai.azure.com/anthropic/v1/messages", { STR("x"), STR("y") },
		    "https://r.services.ai.azure.com/anthropic/v1/messages", "x-api-key: " KEY,
		    "\"max_tokens\":16" },
		{ "azure_ai", MODE_RESPONSES, "grok-3", "https://gw.test", { STR("x"), STR("y") },
		    "https://gw.test/chat/completions", "authorization: Bearer " KEY,
		    "\"messages\"" },
		{ "anthropic", MODE_CHAT, "m", "https://gw.test/v1/messages",
		    { STR("x"), STR("y") }, "https://gw.test/v1/messages", "x-api-key: " KEY,
		    "\"max_tokens\":16" },
		{ "anthropic", MODE_CHAT, "m", "https://gw.test",
		    { STR("key_variable"), STR("ANTHROPIC_AUTH_TOKEN") },
		    "https://gw.test/v1/messages", "authorization: Bearer " KEY, NULL },
		{ "huggingface", MODE_EMBEDDING, "a/b c",
		    "https://router.huggingface.co/hf-inference/pipeline/feature-extraction",
		    { STR("x"), STR("y") },
		    "https://router.huggingface.co/hf-inference/pipeline/feature-extraction/a/"
		    "b%20c",
		    "authorization: Bearer " KEY, "{\"inputs\":[\"test from litellm\"]}" },
		{ "huggingface", MODE_CHAT, "together/a/b", "https://gw.test",
		    { STR("x"), STR("y") }, "https://gw.test/v1/chat/completions",
		    "authorization: Bearer " KEY, "\"model\":\"together/a/b\"" },
		{ "elevenlabs", MODE_AUDIO_SPEECH, "m", "https://gw.test",
		    { STR("voice"), STR("a/b?c") }, "https://gw.test/v1/text-to-speech/a%2Fb%3Fc",
		    "xi-api-key: " KEY, "\"model_id\":\"m\"" },
		{ "replicate", MODE_CHAT, "o/m:../../x", "https://api.replicate.com",
		    { STR("x"), STR("y") },
		    "https://api.replicate.com/v1/models/o/m/versions/..%2F..%2Fx",
		    "authorization: Token " KEY, NULL },
		{ "replicate", MODE_CHAT, "meta/meta-llama-3-8b-instruct",
		    "https://api.replicate.com", { STR("probe"), STR("generate") },
		    "https://api.replicate.com/v1/models/meta/meta-llama-3-8b-instruct/predictions",
		    "authorization: Token " KEY,
		    "{\"input\":{\"prompt\":\"<|begin_of_text|><|start_header_id|>user<|end_header_"
		    "id|>\\n\\nHey" },
		{ "replicate", MODE_CHAT, "deployments/o/m", "https://api.replicate.com",
		    { STR("probe"), STR("generate") },
		    "https://api.replicate.com/v1/deployments/o/m/predictions",
		    "authorization: Token " KEY, "\"max_new_tokens\":16" },
		{ "predibase", MODE_CHAT, "m", "https://gw.test",
		    { STR("predibase_tenant_id2"), STR("y") },
		    "https://gw.test/ten/deployments/v2/llms/m/generate",
		    "authorization: Bearer " KEY, NULL },
		{ "cohere_chat", MODE_CHAT, "v1/command-r", "https://gw.test/x",
		    { STR("x"), STR("y") }, "https://gw.test/x", "authorization: Bearer " KEY,
		    "\"message\":\"Hey" },
	};
	struct request req;
	struct result why;

	(void)state;
	wrong = 0;
	request_init(&req);
	result_init(&why);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct provider *p = provider_find(str_of(cases[i].provider));
		struct target *t;
		const char *colon, *is;
		char name[64];

		assert_non_null(p);
		t = target_of(p, cases[i].mode, cases[i].model, cases[i].base, &cases[i].param, 1);
		if (build(t, &req, &why) < 0) {
			WRONG("case %zu: %s", i, buf_text(&why.detail));
			target_free(t);
			continue;
		}
		check_request(cases[i].url, &req);
		if (strcmp(buf_text(&req.url), cases[i].url) != 0)
			WRONG("case %zu: %s, want %s", i, buf_text(&req.url), cases[i].url);
		colon = strchr(cases[i].header, ':');
		snprintf(
		    name, sizeof(name), "%.*s", (int)(colon - cases[i].header), cases[i].header);
		is = header_of(&req, name);
		if (is == NULL || strcmp(is, colon + 2) != 0)
			WRONG("case %zu: %s is %s", i, name, is ? is : "absent");
		if (cases[i].body && !holds(&req.body, cases[i].body))
			WRONG("case %zu: %s is not in %s", i, cases[i].body, buf_text(&req.body));
		target_free(t);
	}
	request_clear(&req);
	result_clear(&why);
	assert_int_equal(wrong, 0);
}

/* A token of Entra ID goes where a key would go, and only there. */
static void
test_token(void **state)
{
	struct kv secret = { STR("azure_ad_token"), STR("TOKEN-1") };
	struct msg_conf_target m = { .id = STR("i"),
		.provider = STR("azure"),
		.dialect = STR("azure"),
		.mode = MODE_EMBEDDING,
		.model = STR("dep"),
		.api_base = STR("https://r.openai.azure.com"),
		.secrets = { &secret, 1 },
		.max_tokens = -1,
		.timeout_ms = 1000 };
	struct build_context ctx = { .variant = 0 };
	struct request req;
	struct result why;
	struct target *t;

	(void)state;
	request_init(&req);
	result_init(&why);
	assert_int_equal(target_new(&m, &t), 0);
	assert_int_equal(t->dialect->build(t, &ctx, &req, &why), 0);
	assert_string_equal(header_of(&req, "authorization"), "Bearer TOKEN-1");
	assert_null(header_of(&req, "api-key"));
	assert_false(holds(&req.body, "TOKEN-1"));
	request_reset(&req);
	ctx.credential = auth_shown_credential();
	assert_int_equal(t->dialect->build(t, &ctx, &req, &why), 0);
	assert_string_equal(header_of(&req, "authorization"), "Bearer <token>");
	target_free(t);

	/* Nothing at all: LiteLLM's words. */
	m.secrets = (struct kvs){ NULL, 0 };
	assert_int_equal(target_new(&m, &t), 0);
	ctx.credential = NULL;
	request_reset(&req);
	assert_int_equal(t->dialect->build(t, &ctx, &req, &why), ERR_INVALID);
	assert_int_equal(why.reason, REASON_CONFIG);
	assert_int_equal(why.exception_status, 500);
	assert_non_null(strstr(buf_text(&why.error),
	    "litellm.APIError: AzureException APIError - Missing credentials."));
	target_free(t);
	request_clear(&req);
	result_clear(&why);
}

/* A gateway's parameters under the provider's own names, or not at all. */
static void
test_parameters(void **state)
{
	static const struct {
		const char *provider, *base, *extra, *body;
	} cases[] = {
		{ "anthropic", "https://a.test",
		    "{\"temperature\":0,\"stop\":[\"x\"],\"reasoning_effort\":\"low\",\"n\":1,"
		    "\"seed\":3}",
		    ",\"max_tokens\":16,\"temperature\":0,\"stop_sequences\":[\"x\"]}" },
		{ "anthropic", "https://a.test",
		    "{\"max_tokens\":5,\"thinking\":{\"type\":\"disabled\"}}",
		    "\"}]}],\"max_tokens\":5,\"thinking\":{\"type\":\"disabled\"}}" },
		{ "anthropic_text", "https://a.test", "{\"stop\":\"x\"}",
		    "16,\"stop_sequences\":[\"x\"]}" },
		{ "cohere_chat", "https://a.test", "{\"top_p\":0.5,\"seed\":3,\"user\":\"u\"}",
		    "\"max_tokens\":16,\"p\":0.5,\"seed\":3}" },
		{ "ollama", "https://a.test", "{\"temperature\":0,\"keep_alive\":\"5m\"}",
		    "\"options\":{\"num_predict\":16,\"temperature\":0},\"stream\":false,"
		    "\"images\":[],"
		    "\"keep_alive\":\"5m\"}" },
		{ "predibase", "https://a.test", "{\"temperature\":0.1,\"n\":1}",
		    "\"return_full_text\":false,\"temperature\":0.1}}" },
		{ "triton", "https://a.test/generate", "{\"temperature\":0.1,\"seed\":7}",
		    "{\"max_tokens\":16,\"temperature\":0.1,\"random_seed\":7},\"stream\":false}" },
		{ "bytez", "https://a.test", "{\"temperature\":0.1,\"user\":\"u\"}",
		    "\"params\":{\"max_new_tokens\":16,\"temperature\":0.1}}" },
	};
	struct request req;
	struct result why;

	(void)state;
	wrong = 0;
	request_init(&req);
	result_init(&why);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct provider *p = provider_find(str_of(cases[i].provider));
		struct target *t = target_of(p, MODE_CHAT, "m", cases[i].base, NULL, 0);
		char *own = t->extra_body;

		t->extra_body = (char *)(uintptr_t)cases[i].extra;
		if (build(t, &req, &why) < 0)
			WRONG("case %zu: %s", i, buf_text(&why.detail));
		check_request(cases[i].provider, &req);
		if (!holds(&req.body, cases[i].body))
			WRONG("case %zu: %s", i, buf_text(&req.body));
		t->extra_body = own;
		target_free(t);
	}
	request_clear(&req);
	result_clear(&why);
	assert_int_equal(wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_parameters),
	};

	return cmocka_run_group_tests_name("builds", tests, NULL, NULL);
}
