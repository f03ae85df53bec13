/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/chat_setup.h"

#include "shared/msgs.h"
#include "shared/provider.h"
#include "tests/unit/unit.h"
#include "workers/auth/credential.h"

void
chat_setup(struct setup *s, const char *provider, const char *model, const char *extra)
{
	const struct provider *p = provider_find(str_of(provider));
	struct kv secret = { STR("api_key"), STR("sk-unit-test-key") };
	struct kv params[] = { { STR("vertex_project"), STR("p") },
		{ STR("own_max_tokens"), STR("77") } };
	struct msg_conf_target m = { .id = STR("id"),
		.mode = MODE_CHAT,
		.model = str_of(model),
		.api_base = STR("http://a.test"),
		.secrets = { &secret, 1 },
		.params = { params, 2 },
		.extra_body = str_of(extra),
		.max_tokens = 16,
		.timeout_ms = 1000 };

	assert_non_null(p);
	m.provider = str_of(p->name);
	m.dialect = str_of(p->dialect);
	assert_int_equal(target_new(&m, &s->t), 0);
	chat_init(&s->chat);
	request_init(&s->req);
	result_init(&s->why);
	buf_init(&s->out, (size_t)1 << 20);
	buf_init(&s->fault, 4096);
}

void
chat_setup_clear(struct setup *s)
{
	target_free(s->t);
	chat_clear(&s->chat);
	request_clear(&s->req);
	result_clear(&s->why);
	buf_clear(&s->out);
	buf_clear(&s->fault);
}

int
chat_setup_build(struct setup *s, const char *body)
{
	struct credential c = { .token = secret_new(STR("token-of-a-unit-test")) };
	struct build_context ctx = { .now_ms = 1700000000123, .credential = &c };
	int rc;

	assert_true(chat_takes(s->t, NULL));
	rc = chat_build(s->t, str_of(body), &ctx, &s->chat, &s->req, &s->why);
	secret_free(c.token);
	return rc;
}
