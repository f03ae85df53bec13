/* SPDX-License-Identifier: Apache-2.0 */
/* Query parameters as parse_qsl of Python gives them; who calls by which header. */
#include "tests/unit/unit.h"

#include "shared/buf.h"
#include "shared/sha256.h"
#include "supervisor/front/http/auth.h"
#include "supervisor/front/http/params.h"
#include "supervisor/front/http/validation.h"
#include "supervisor/front/keys.h"

static void
test_get(void **state)
{
	static const struct {
		const char *query, *want; /* NULL: not there */
	} cases[] = {
		{ "", NULL },
		{ "model=ok", "ok" },
		{ "model=ok&model=m401", "m401" },
		{ "model=ok&model=", "" },
		{ "model", "" },
		{ "&&model=a&&", "a" },
		{ "models=a", NULL },
		{ "mode=a", NULL },
		{ "MODEL=a", NULL },
		{ "model_id=a", NULL },
		{ "x=1;model=a", NULL },
		{ "model=a=b", "a=b" },
		{ "model=openai%2Fgpt+4%20o", "openai/gpt 4 o" },
		{ "model=%zz%4", "%zz%4" },
		{ "%6dodel=a", "a" },
		{ "%6Dode%6c=a", "a" },
		{ "model%=a", NULL },
		{ "model%00=a", NULL },
		{ "=a", NULL },
	};
	struct buf out = BUF_INIT(1000);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool found = params_get(str_of(cases[i].query), "model", &out);

		if (found != (cases[i].want != NULL) ||
		    (found && strcmp(buf_text(&out), cases[i].want) != 0))
			fail_msg("%s: %d %s", cases[i].query, found, buf_text(&out));
	}
	assert_true(params_get(STR("model=a%00b"), "model", &out));
	assert_int_equal(out.len, 3);
	buf_clear(&out);
}

/* The words of pydantic; anything else is a mistake, and counts as no. */
static void
test_bool(void **state)
{
	static const struct {
		const char *query;
		bool want, wrong;
	} cases[] = {
		{ "", false, false },
		{ "b=true", true, false },
		{ "b=TRUE", true, false },
		{ "b=1", true, false },
		{ "b=yes", true, false },
		{ "b=false", false, false },
		{ "b=Off", false, false },
		{ "b=x&b=n", false, false },
		{ "b=", false, true },
		{ "b=2", false, true },
		{ "b=null", false, true },
		{ "b=true%00", false, true },
		{ "b", false, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct validation v;

		validation_init(&v, str_of(cases[i].query));
		if (validation_bool(&v, "b") != cases[i].want ||
		    (v.problems.len > 0) != cases[i].wrong)
			fail_msg("%s: %s", cases[i].query, buf_text(&v.problems));
		validation_clear(&v);
	}
}

static void
test_callers(void **state)
{
	static const struct {
		const char *head;
		enum caller want;
	} cases[] = {
		{ "", CALLER_NO_KEY },
		{ "Authorization: Bearer sk-1\r\n", CALLER_ADMIN },
		{ "authorization: bearer sk-1\r\n", CALLER_ADMIN },
		{ "Authorization: Bearer   sk-1\r\n", CALLER_ADMIN },
		{ "Authorization: Basic sk-1\r\n", CALLER_ADMIN },
		{ "Authorization: Basic c2stMQ==\r\n", CALLER_UNKNOWN },
		{ "Authorization: Bearer sk-2\r\n", CALLER_UNKNOWN },
		{ "Authorization: Bearer sk-11\r\n", CALLER_UNKNOWN },
		{ "Authorization: Bearer \r\n", CALLER_MALFORMED },
		{ "Authorization: sk-1\r\n", CALLER_MALFORMED },
		{ "Authorization:\r\n", CALLER_MALFORMED },
		{ "x-api-key: sk-1\r\n", CALLER_ADMIN },
		{ "api-key: sk-1\r\n", CALLER_ADMIN },
		{ "api-key: Bearer sk-1\r\n", CALLER_UNKNOWN },
		{ "x-api-key:\r\n", CALLER_NO_KEY },
		{ "x-litellm-api-key: Bearer sk-1\r\n", CALLER_ADMIN },
		{ "x-litellm-api-key: sk-1\r\nAuthorization: Bearer other\r\n", CALLER_ADMIN },
		{ "api-key: sk-1\r\nAuthorization: Bearer other\r\n", CALLER_UNKNOWN },
	};
	uint8_t digest[SHA256_LEN];
	struct http_request r;
	char head[256];
	int status;

	sha256(STR("sk-1"), digest);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum caller got;

		snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", cases[i].head);
		assert_int_equal(http_parse_head(head, strlen(head), &r, &status), 0);
		got = auth_caller(&r, (struct str){ (const char *)digest, sizeof(digest) },
		    &(struct keys){ 0 });
		if (got != cases[i].want)
			fail_msg("%s: %d", cases[i].head, got);
		/* Without a master key anybody may call, and nobody is admin. */
		assert_int_equal(auth_caller(&r, STR(""), &(struct keys){ 0 }), CALLER_MEMBER);
	}
}

static void
test_roles(void **state)
{
	static const struct {
		const char *key;
		enum caller want;
	} cases[] = {
		{ "sk-admin", CALLER_ADMIN },	{ "sk-viewer", CALLER_MEMBER },
		{ "sk-metrics", CALLER_METRICS }, { "sk-drain", CALLER_UNKNOWN },
		{ "sk-none", CALLER_UNKNOWN },
	};
	static uint8_t digests[4][SHA256_LEN];
	struct kv list[4];
	struct keys keys;
	struct http_request r;
	char head[256];
	int status;

	for (int i = 0; i < 4; i++) {
		static const char *const names[] = { "admin a", "viewer b", "metrics c", "drain token" };

		sha256(str_of(cases[i].key), digests[i]);
		list[i] = (struct kv){ str_of(names[i]), { (const char *)digests[i], SHA256_LEN } };
	}
	assert_int_equal(keys_read(&keys, (struct kvs){ list, 4 }), 0);
	assert_int_equal(keys.callers, 3);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nX-Drain-Token: %s\r\n\r\n",
		    cases[i].key, cases[i].key);
		assert_int_equal(http_parse_head(head, strlen(head), &r, &status), 0);
		assert_int_equal(auth_caller(&r, STR(""), &keys), cases[i].want);
		assert_int_equal(auth_drain_token(&r, &keys), i == 3);
	}
	keys_clear(&keys);
	list[1].value.n--;
	assert_int_equal(keys_read(&keys, (struct kvs){ list, 4 }), ERR_INVALID);
	list[1] = (struct kv){ STR("boss x"), list[0].value };
	assert_int_equal(keys_read(&keys, (struct kvs){ list, 4 }), ERR_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_bool),
		cmocka_unit_test(test_callers),
		cmocka_unit_test(test_roles),
	};

	return cmocka_run_group_tests_name("http_params", tests, NULL, NULL);
}
