/* SPDX-License-Identifier: Apache-2.0 */
/* A caller's chat in a deployment's request: whose member counts, who can be asked, what is never
 * the caller's. */
#include "tests/unit/unit.h"

#include <string.h>

#include "shared/msgs.h"
#include "shared/provider.h"
#include "workers/dialects/chat.h"

#define KEY "sk-not-to-be-seen"

static struct target *
make(const char *provider, enum mode mode, const char *model, const char *base, const char *extra,
    const char *param)
{
	const struct provider *p = provider_find(str_of(provider));
	struct kv secret = { STR("api_key"), STR(KEY) }, params[2];
	struct msg_conf_target m = { .id = STR("id"),
		.mode = (uint32_t)mode,
		.model = str_of(model),
		.api_base = str_of(base),
		.secrets = { &secret, 1 },
		.extra_body = str_of(extra),
		.max_tokens = 16,
		.timeout_ms = 1000 };
	const char *eq = param ? strchr(param, '=') : NULL;
	struct target *t;

	assert_non_null(p);
	m.provider = str_of(p->name);
	m.dialect = str_of(p->dialect);
	if (eq) {
		params[0] = (struct kv){ { param, (size_t)(eq - param) }, str_of(eq + 1) };
		m.params = (struct kvs){ params, 1 };
	}
	assert_int_equal(target_new(&m, &t), 0);
	return t;
}

static void
test_bodies(void **state)
{
	static const struct {
		const char *extra, *caller, *body; /* body NULL: refused */
	} cases[] = {
		{ "", "{\"messages\":[]}", "{\"model\":\"m\",\"messages\":[]}" },
		{ "", "{}",
		    "{\"messages\":[{\"role\":\"user\",\"content\":\"Hey how's it going?\"}],"
		    "\"model\":\"m\"}" },
		{ "", "{\"model\":\"other\",\"messages\":[],\"model\":{}}",
		    "{\"model\":\"m\",\"messages\":[]}" },
		{ "", "{\"mod\\u0065l\":\"other\",\"messages\":[]}",
		    "{\"model\":\"m\",\"messages\":[]}" },
		{ "{\"temperature\":1,\"user\":\"c\"}",
		    " { \"messages\" : [ ] , \"temp\\u0065rature\" : 0.10 } ",
		    "{\"model\":\"m\",\"messages\":[],\"temperature\":0.10,\"user\":\"c\"}" },
		{ "{\"model\":\"config\",\"stream\":false}", "{\"stream\":true,\"messages\":[]}",
		    "{\"model\":\"m\",\"stream\":true,\"messages\":[]}" },
		{ "", "{\"messages\":[{\"content\":\"\\ud83d\\ude00 \\\"é\\\"\"}]}",
		    "{\"model\":\"m\",\"messages\":[{\"content\":\"😀 \\\"é\\\"\"}]}" },
		{ "", "{\"seed\":123456789012345678901234567890,\"messages\":[]}",
		    "{\"model\":\"m\",\"seed\":123456789012345678901234567890,\"messages\":[]}" },
		{ "", "", NULL },
		{ "", "[]", NULL },
		{ "", "{\"a\":1", NULL },
		{ "", "{\"a\":\"\xff\"}", NULL },
		{ "", "{\"a\":1}{}", NULL },
	};
	struct build_context ctx = { 0 };
	struct chat chat;
	struct request req;
	struct result why;

	chat_init(&chat);
	request_init(&req);
	result_init(&why);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct target *t =
		    make("openai", MODE_CHAT, "m", "http://a.test/v1", cases[i].extra, NULL);
		int rc;

		request_reset(&req);
		result_reset(&why);
		assert_true(chat_takes(t, NULL));
		rc = chat_build(t, str_of(cases[i].caller), &ctx, &chat, &req, &why);
		assert_int_equal(rc, cases[i].body ? 0 : ERR_INVALID);
		if (cases[i].body) {
			assert_string_equal(buf_text(&req.body), cases[i].body);
			assert_string_equal(
			    buf_text(&req.url), "http://a.test/v1/chat/completions");
			assert_true(str_is(request_header(&req, "authorization"), "Bearer " KEY));
		} else {
			assert_true(why.detail.len > 0);
		}
		/* The target is as it was: probes go on with it. */
		assert_string_equal(t->extra_body, cases[i].extra);
		assert_int_equal(t->max_tokens, 16);
		target_free(t);
	}
	chat_clear(&chat);
	request_clear(&req);
	result_clear(&why);
}

/* Whoever takes a chat gets the caller's members whole, and no word of a probe. */
static void
test_every_provider(void **state)
{
	static const char mine[] =
	    "\"messages\":[{\"role\":\"user\",\"content\":\"mine\"}],\"n\":2,"
	    "\"tools\":[{\"type\":\"function\"}],\"stream\":true,\"odd\":{}";
	static const char *const models[] = { "m", "claude-3-haiku", "org/model:tag",
		"o_series/m" };
	struct build_context ctx = { 0 };
	struct buf caller = BUF_INIT(1024);
	struct chat chat;
	struct request req;
	struct result why;
	size_t taken = 0, refused = 0;

	chat_init(&chat);
	request_init(&req);
	result_init(&why);
	buf_addf(&caller, "{%s}", mine);
	for (size_t i = 0; provider_at(i); i++)
		for (size_t k = 0; k < ARRAY_LEN(models); k++) {
			const struct provider *p = provider_at(i);
			struct target *t;

			if (p->dialect == NULL || dialect_find(str_of(p->dialect)) == NULL)
				continue;
			t = make(p->name, MODE_CHAT, models[k], "http://a.test/v1", "",
			    "api_version=2024-10-21");
			request_reset(&req);
			result_reset(&why);
			if (!chat_takes(t, NULL) || chat_scheme(t) ||
			    chat_build(t, buf_str(&caller), &ctx, &chat, &req, &why) < 0) {
				refused++;
			} else {
				const char *body = buf_text(&req.body);

				taken++;
				assert_non_null(strstr(body, mine));
				assert_null(strstr(body, "Hey how"));
				assert_null(strstr(body, "max_"));
				assert_null(strstr(body, KEY));
			}
			target_free(t);
		}
	assert_true(taken > 200);
	assert_true(refused > 50);
	buf_clear(&caller);
	chat_clear(&chat);
	request_clear(&req);
	result_clear(&why);
}

static void
test_who_takes_none(void **state)
{
	static const struct {
		const char *provider;
		enum mode mode;
		const char *model, *param, *said; /* NULL: it takes chats */
	} cases[] = {
		{ "openai", MODE_CHAT, "m", NULL, NULL },
		{ "openai", MODE_CHAT, "m", "probe=models", NULL },
		{ "azure", MODE_CHAT, "m", "api_version=2024-10-21", NULL },
		{ "openai", MODE_EMBEDDING, "m", NULL, "mode is embedding" },
		{ "openai", MODE_RESPONSES, "m", NULL, "mode is responses" },
		{ "openai", MODE_CHAT, "*", NULL, "wildcard" },
		{ "openai", MODE_CHAT, "m", "bridged=chat", "deployment of openai" },
		{ "anthropic", MODE_CHAT, "claude-3", NULL, NULL },
		{ "gemini", MODE_CHAT, "m", NULL, NULL },
		{ "cohere", MODE_CHAT, "m", NULL, NULL },
		{ "cohere", MODE_CHAT, "v1/m", NULL, "deployment of cohere" },
		{ "ollama", MODE_CHAT, "m", NULL, "deployment of ollama" },
		{ "ollama_chat", MODE_CHAT, "m", NULL, NULL },
		{ "replicate", MODE_CHAT, "m", NULL, "deployment of replicate" },
		{ "bedrock", MODE_CHAT, "anthropic.claude-3", NULL, NULL },
		{ "bedrock", MODE_CHAT, "invoke/anthropic.claude-3", NULL, NULL },
		{ "bedrock", MODE_CHAT, "amazon.titan-text", NULL, "deployment of bedrock" },
		{ "vertex_ai", MODE_CHAT, "agent_engine/1", NULL, "deployment of vertex_ai" },
		{ "vertex_ai", MODE_CHAT, "gemini-2.5-pro", NULL, NULL },
		{ "bedrock", MODE_CHAT, "m", NULL, "deployment of bedrock" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct target *t = make(cases[i].provider, cases[i].mode, cases[i].model,
		    "http://a.test/v1", "", cases[i].param);
		struct buf why = BUF_INIT(1024);

		assert_int_equal(chat_takes(t, &why), cases[i].said == NULL);
		if (cases[i].said)
			assert_non_null(strstr(buf_text(&why), cases[i].said));
		buf_clear(&why);
		target_free(t);
	}
}

/* Azure AI carries Claude over Anthropic's messages. */
static void
test_another_route(void **state)
{
	struct target *t = make("azure_ai", MODE_CHAT, "claude-3-haiku", "http://a.test", "", NULL);
	struct build_context ctx = { 0 };
	struct chat chat;
	struct request req;
	struct result why;

	chat_init(&chat);
	request_init(&req);
	result_init(&why);
	assert_int_equal(chat_build(t, STR("{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}"),
			     &ctx, &chat, &req, &why),
	    0);
	assert_string_equal(buf_text(&req.url), "http://a.test/anthropic/v1/messages");
	assert_string_equal(buf_text(&req.body),
	    "{\"model\":\"claude-3-haiku\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
	    "\"text\",\"text\":\"a\"}]}],\"max_tokens\":4096}");
	chat_clear(&chat);
	request_clear(&req);
	result_clear(&why);
	target_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_every_provider),
		cmocka_unit_test(test_who_takes_none),
		cmocka_unit_test(test_another_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
