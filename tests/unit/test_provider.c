/* SPDX-License-Identifier: Apache-2.0 */
/* The provider table: each row is sane, names resolve as LiteLLM's, URLs are those that were
 * recorded. */
#include "tests/unit/fixture.h"

#include "shared/provider.h"

#define MAX_TEXT 4096

static void
test_rows(void **state)
{
	size_t n = 0, dialects = 0;

	for (const struct provider *p; (p = provider_at(n)) != NULL; n++) {
		struct buf why = BUF_INIT(MAX_TEXT);
		size_t calls = 0;

		assert_ptr_equal(provider_find(str_of(p->name)), p);
		assert_non_null(p->keys);
		assert_non_null(p->bases);
		assert_non_null(p->headers);
		assert_non_null(p->params);
		/* Names, no prose: "service", "resource". */
		for (const char *w = p->params; *w; w += strcspn(w, " "), w += strspn(w, " ")) {
			size_t len = strcspn(w, " ");

			assert_true(memchr(w, '_', len) || strncmp(w, "organization", len) == 0 ||
				    strncmp(w, "token", len) == 0);
		}
		assert_true((p->without_key == KEY_PLACEHOLDER) == (p->placeholder != NULL));
		assert_true((p->auth_header == NULL) == (p->auth_scheme == NULL));
		if (p->base && *p->base && strchr(p->base, '{') == NULL)
			assert_true(strncmp(p->base, "http", 4) == 0);
		assert_true(*p->headers == '\0' || p->headers[strlen(p->headers) - 1] == '\n');
		if (strcmp(p->name, "openai") != 0 &&
		    strcmp(p->name, "text-completion-openai") != 0)
			assert_true(strncmp(p->keys, "OPENAI_API_KEY", 14) != 0 &&
				    strstr(p->keys, " OPENAI_API_KEY") == NULL);
		for (int mode = 0; mode < MODE_COUNT; mode++) {
			const struct provider_call *call = provider_call(p, (enum mode)mode);

			if (call == NULL)
				continue;
			calls++;
			assert_ptr_equal(call->provider, p);
			assert_int_equal(call->mode, mode);
			assert_true(
			    strcmp(call->method, "POST") == 0 || strcmp(call->method, "GET") == 0);
			if (call->join == JOIN_OTHER || call->join == JOIN_VERBATIM)
				assert_string_equal(call->path, "");
			else
				assert_true(call->path[0] == '/' || call->path[0] == ':' ||
					    call->path[0] == '?' || call->path[0] == '\0');
		}
		assert_null(provider_call(p, MODE_COUNT));
		if (p->dialect == NULL) {
			assert_int_equal(calls, 0);
			assert_true(provider_refuses(p, MODE_CHAT, &why));
			assert_string_not_equal(buf_text(&why), "");
		} else {
			dialects++;
			assert_true(calls > 0);
			assert_int_equal(provider_refuses(p, MODE_CHAT, &why),
			    provider_call(p, MODE_CHAT) == NULL ||
				!provider_call_supported(provider_call(p, MODE_CHAT)));
		}
		buf_clear(&why);
	}
	assert_int_equal(n, 166 + 8);
	assert_int_equal(dialects, 155);
	assert_null(provider_find(STR("")));
	assert_null(provider_find(STR("opena")));
	assert_null(provider_find(STR("openaix")));
	assert_null(provider_find(((struct str){ NULL, 0 })));
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *provider;
		enum mode mode;
		const char *why; /* NULL: it can be asked */
	} cases[] = {
		{ "openai", MODE_CHAT, NULL },
		{ "openai", MODE_EMBEDDING, NULL },
		{ "groq", MODE_BATCH, NULL },
		{ "openai", MODE_RERANK, "provider openai has no mode rerank" },
		{ "openai", MODE_AUDIO_SPEECH, NULL },
		{ "pg_vector", MODE_CHAT, "provider pg_vector cannot be asked: Vector store only" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf why = BUF_INIT(MAX_TEXT);

		assert_int_equal(
		    provider_refuses(provider_find(str_of(cases[i].provider)), cases[i].mode, &why),
		    cases[i].why != NULL);
		assert_string_equal(buf_text(&why), cases[i].why ? cases[i].why : "");
		buf_clear(&why);
	}
}

static void
test_joins(void **state)
{
	json_t *list = fixture_load("tests/fixtures/providers/joins.json"), *c;
	size_t i, checked = 0;

	json_array_foreach(list, i, c)
	{
		const struct provider *p = provider_find(fixture_str(c, "provider"));
		const struct provider_call *call;
		const char *base;
		json_t *path;
		int mode = mode_parse(fixture_str(c, "mode"));

		assert_non_null(p);
		assert_true(mode >= 0);
		call = provider_call(p, (enum mode)mode);
		assert_non_null(call);
		/* The dialect fills in a tenant or a project. */
		if (call->join == JOIN_OTHER || strstr(call->path, "{predibase_tenant_id}") ||
		    strstr(call->path, "{vertex_project}"))
			continue;
		json_object_foreach(json_object_get(c, "join"), base, path)
		{
			struct buf url = BUF_INIT(MAX_TEXT);
			const char *own = strchr(base + 8, '/');
			char want[MAX_TEXT];

			snprintf(want, sizeof(want), "%.*s%s", (int)(own - base), base,
			    json_string_value(path));
			assert_int_equal(
			    provider_url(call, str_of(base), fixture_str(c, "model"), &url), 0);
			/* Snowflake was recorded with a Claude model, whose path is another. */
			if (strcmp(buf_text(&url), want) != 0 && strcmp(p->name, "snowflake") != 0)
				fail_msg("%s %s at %s: %s, want %s", p->name,
				    mode_name((enum mode)mode), base, buf_text(&url), want);
			buf_clear(&url);
			checked++;
		}
	}
	assert_true(checked > 1500);
	json_decref(list);
}

static void
test_url_refusals(void **state)
{
	static const char *const bad[] = { "", "localhost:8000", "ftp://a/b", "https://",
		"https:///v1", "http://a b/v1", "http://a/v1\r\nX: y", "http://a/\x01",
		"http://a/#f", "http://\xc3\xa4.test", "http://?x" };
	static const struct {
		const char *base, *want;
	} good[] = {
		{ "http://a/v1?x=1", "http://a/v1/chat/completions?x=1" },
		{ "HTTPS://A:1/", "HTTPS://A:1/chat/completions" },
		{ "http://[::1]:8080/v1", "http://[::1]:8080/v1/chat/completions" },
	};
	const struct provider_call *call = provider_call(provider_find(STR("openai")), MODE_CHAT);

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf url = BUF_INIT(MAX_TEXT);

		assert_int_equal(provider_url(call, str_of(bad[i]), STR("m"), &url), ERR_INVALID);
		assert_int_equal(url.len, 0);
		buf_clear(&url);
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct buf url = BUF_INIT(MAX_TEXT);

		assert_int_equal(provider_url(call, str_of(good[i].base), STR("m"), &url), 0);
		assert_string_equal(buf_text(&url), good[i].want);
		buf_clear(&url);
	}
}

static void
test_resolve(void **state)
{
	static const struct {
		const char *model, *custom, *base, *provider, *bare;
	} cases[] = {
		{ "openai/gpt-4o", "", "", "openai", "gpt-4o" },
		{ "openai/", "", "", "openai", "" },
		{ "openai/org/model", "", "", "openai", "org/model" },
		{ "gpt-4o", "", "", "openai", "gpt-4o" },
		{ "*", "", "", "openai", "*" },
		{ "openai/*", "", "", "openai", "*" },
		{ "llama-x", "openai", "https://gw.test/v1", "openai", "llama-x" },
		{ "openai/llama-x", "openai", "", "openai", "llama-x" },
		{ "meta/llama-x", "hosted_vllm", "", "hosted_vllm", "meta/llama-x" },
		{ "llama-x", "", "https://api.groq.com/openai/v1", "groq", "llama-x" },
		{ "llama-x", "", "https://api.groq.com/openai/v1/", "groq", "llama-x" },
		{ "groq/llama-x", "", "https://gw.test", "groq", "llama-x" },
		{ "claude-3-5-haiku-20241022", "", "", "anthropic", "claude-3-5-haiku-20241022" },
		{ "anthropic/claude-2.1", "", "", "anthropic_text", "claude-2.1" },
		{ "anthropic/claude-sonnet-4-5", "", "", "anthropic", "claude-sonnet-4-5" },
		{ "cohere/command-r", "", "", "cohere_chat", "command-r" },
		{ "cohere/embed-english-v3.0", "", "", "cohere", "embed-english-v3.0" },
		{ "azure/my-dep", "", "", "azure", "my-dep" },
		{ "azure/command-r-plus", "", "", "azure", "command-r-plus" },
		{ "gpt-3.5-turbo-instruct", "", "", "text-completion-openai",
		    "gpt-3.5-turbo-instruct" },
		{ "text-completion-openai/x", "", "", "text-completion-openai", "x" },
		{ "nano-gpt/x", "", "", "nano-gpt", "x" },
		{ "bedrock/anthropic.claude-v2", "", "", "bedrock", "anthropic.claude-v2" },
	};
	static const char *const unknown[] = { "zzz", "", "/", "/x", "zzz/gpt-4o",
		"bedrock_converse/x", "o", "meta-llama/x" };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct provider *p;
		struct str bare;

		assert_int_equal(provider_resolve(str_of(cases[i].model), str_of(cases[i].custom),
				     str_of(cases[i].base), &p, &bare, NULL),
		    0);
		assert_string_equal(p->name, cases[i].provider);
		assert_true(str_is(bare, cases[i].bare));
	}
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
		struct buf why = BUF_INIT(MAX_TEXT);
		const struct provider *p;
		struct str bare;
		char want[256];

		assert_int_equal(provider_resolve(str_of(unknown[i]), STR(""),
				     STR("http://gw.test"), &p, &bare, &why),
		    ERR_NOT_FOUND);
		snprintf(want, sizeof(want),
		    "litellm.BadRequestError: LLM Provider NOT provided. Pass in the LLM provider "
		    "you are trying to call. You passed model=%s",
		    unknown[i]);
		assert_string_equal(buf_text(&why), want);
		buf_clear(&why);
	}
}

/* An environment is a list "NAME=value", ended by NULL. */
static const char *
look_up(void *arg, const char *name)
{
	size_t n = strlen(name);

	for (const char *const *v = arg; *v; v++)
		if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
			return *v + n + 1;
	return NULL;
}

static void
test_keys(void **state)
{
	static const struct {
		const char *provider;
		enum mode mode;
		const char *env[4];
		const char *name, *value;
	} cases[] = {
		{ "openai", MODE_CHAT, { "OPENAI_API_KEY=k" }, "OPENAI_API_KEY", "k" },
		{ "openai", MODE_CHAT, { "OPENAI_API_KEY=" }, "OPENAI_API_KEY", NULL },
		{ "groq", MODE_CHAT, { "OPENAI_API_KEY=k" }, "GROQ_API_KEY", NULL },
		{ "zai", MODE_CHAT, { "OPENAI_API_KEY=k" }, "ZAI_API_KEY", NULL },
		{ "custom_openai", MODE_CHAT, { "OPENAI_API_KEY=k" }, "", NULL },
		{ "gemini", MODE_CHAT, { "PALM_API_KEY=p", "GEMINI_API_KEY=g", "GOOGLE_API_KEY=o" },
		    "GOOGLE_API_KEY", "o" },
		{ "gemini", MODE_CHAT, { "PALM_API_KEY=p", "GEMINI_API_KEY=g" }, "GEMINI_API_KEY",
		    "g" },
		{ "volcengine", MODE_CHAT, { "ARK_API_KEY=a" }, "VOLCENGINE_API_KEY", NULL },
		{ "volcengine", MODE_EMBEDDING, { "ARK_API_KEY=a" }, "ARK_API_KEY", "a" },
		{ "volcengine", MODE_RESPONSES, { "ARK_API_KEY=a" }, "ARK_API_KEY", "a" },
		{ "sagemaker", MODE_CHAT, { "AWS_ACCESS_KEY_ID=a" },
		    "AWS_ACCESS_KEY_ID+AWS_SECRET_ACCESS_KEY", NULL },
		{ "sagemaker", MODE_CHAT, { "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=s" },
		    "AWS_ACCESS_KEY_ID+AWS_SECRET_ACCESS_KEY", "a" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct provider *p = provider_find(str_of(cases[i].provider));
		char name[128];
		const char *value = provider_key(
		    p, cases[i].mode, look_up, (void *)cases[i].env, name, sizeof(name));

		assert_string_equal(name, cases[i].name);
		if (cases[i].value)
			assert_string_equal(value, cases[i].value);
		else
			assert_null(value);
	}
}

static void
test_bases(void **state)
{
	static const struct {
		const char *provider, *given;
		const char *env[3];
		const char *want; /* starts with "!": the refusal */
	} cases[] = {
		{ "openai", "", { NULL }, "https://api.openai.com/v1" },
		{ "openai", "http://x/", { "OPENAI_BASE_URL=http://e" }, "http://x/" },
		{ "openai", "", { "OPENAI_API_BASE=http://b", "OPENAI_BASE_URL=http://u" },
		    "http://u" },
		{ "openai", "", { "OPENAI_API_BASE=http://b" }, "http://b" },
		{ "groq", "", { "OPENAI_BASE_URL=http://u" }, "https://api.groq.com/openai/v1" },
		{ "hosted_vllm", "", { NULL },
		    "!hosted_vllm has no base of its own: set api_base or the environment variable "
		    "HOSTED_VLLM_API_BASE" },
		{ "cloudflare", "", { NULL },
		    "!cloudflare needs an api_base, or the environment variable "
		    "`CLOUDFLARE_ACCOUNT_ID` for its own" },
		{ "cloudflare", "", { "CLOUDFLARE_ACCOUNT_ID=a1" },
		    "https://api.cloudflare.com/client/v4/accounts/a1/ai/v1" },
		{ "snowflake", "", { "account_id=acct" }, "https://acct.snowflakecomputing.com" },
		{ "snowflake", "", { NULL },
		    "!snowflake needs an api_base, or the parameter `account_id` for its own" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = BUF_INIT(MAX_TEXT), why = BUF_INIT(MAX_TEXT);
		int err = provider_base(provider_find(str_of(cases[i].provider)), MODE_CHAT,
		    str_of(cases[i].given), look_up, look_up, (void *)cases[i].env, &out, &why);

		if (cases[i].want[0] == '!') {
			assert_int_equal(err, ERR_NOT_FOUND);
			assert_string_equal(buf_text(&why), cases[i].want + 1);
			assert_string_equal(buf_text(&out), "");
		} else {
			assert_int_equal(err, 0);
			assert_string_equal(buf_text(&out), cases[i].want);
		}
		buf_clear(&out);
		buf_clear(&why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_joins),
		cmocka_unit_test(test_url_refusals),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_bases),
	};

	return cmocka_run_group_tests_name("provider", tests, NULL, NULL);
}
