/* SPDX-License-Identifier: Apache-2.0 */
/* What of a target's secrets is found and masked in others' text. */
#include "tests/unit/unit.h"

#include <string.h>

#include "workers/mask.h"
#include "workers/target.h"

static const struct kv secrets[] = {
	{ { "api_key", 7 }, { "sk-0123456789", 13 } },
	{ { "quoted", 6 }, { "a\"b\\c-secret", 12 } },
	{ { "short", 5 }, { "abc", 3 } },
	{ { "other", 5 }, { "89-begins-where-one-ends", 24 } },
};

static const struct kv headers[] = {
	{ { "X-Api-Key", 9 }, { "header-key-77", 13 } },
	{ { "Authorization", 13 }, { "Bearer in-header-99", 19 } },
	{ { "X-Team", 6 }, { "plain", 5 } },
};

static struct target *
make_target(void)
{
	struct msg_conf_target m = { .generation = 1,
		.id = STR("id"),
		.provider = STR("openai"),
		.dialect = STR("openai"),
		.model = STR("m"),
		.api_base = STR("http://a.test"),
		.timeout_ms = 1000,
		.proxy = STR("http://user:proxy-word@p.test:3128"),
		.secrets = { secrets, ARRAY_LEN(secrets) },
		.headers = { headers, ARRAY_LEN(headers) },
		.extra_body = STR(""),
		.ca_file = STR(""),
		.client_cert = STR(""),
		.client_key = STR(""),
		.no_proxy = STR("") };
	struct target *t = NULL;

	assert_int_equal(target_new(&m, &t), 0);
	return t;
}

static void
test_text(void **state)
{
	static const struct {
		const char *text, *masked;
	} cases[] = {
		{ "nothing here", "nothing here" },
		{ "", "" },
		{ "key sk-0123456789.", "key sk****89." },
		{ "sk-0123456789sk-0123456789", "sk****89sk****89" },
		{ "sk-012345678", "sk-012345678" },
		{ "a\"b\\c-secret", "a\"****et" },
		{ "{\"k\":\"a\\\"b\\\\c-secret\"}", "{\"k\":\"a\\****et\"}" },
		{ "abc stays", "abc stays" },
		{ "header-key-77", "he****77" },
		{ "Bearer in-header-99", "Bearer in****99" },
		{ "plain stays", "plain stays" },
		{ "407 for proxy-word", "407 for pr****rd" },
	};
	struct target *t = make_target();
	struct mask *m = mask_new(t);
	struct buf b = BUF_INIT(1000);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&b);
		mask_add_text(m, &b, str_of(cases[i].text));
		assert_string_equal(buf_text(&b), cases[i].masked);
		buf_reset(&b);
		buf_add_text(&b, cases[i].text);
		mask_buf(m, &b);
		assert_string_equal(buf_text(&b), cases[i].masked);
	}
	assert_true(mask_finds(m, STR("x sk-0123456789"), 13));
	assert_false(mask_finds(m, STR("x sk-0123456789"), 14));
	buf_clear(&b);
	mask_free(m);
	target_free(t);
}

/* A mask longer than its secret may not overflow the buffer's maximum, nor bring the secret back.
 */
static void
test_a_full_buffer_is_cut(void **state)
{
	static const struct kv tiny = { { "api_key", 7 }, { "abcd", 4 } };
	struct msg_conf_target m = { .generation = 1,
		.id = STR("id"),
		.provider = STR("openai"),
		.dialect = STR("openai"),
		.secrets = { &tiny, 1 },
		.model = STR(""),
		.api_base = STR(""),
		.extra_body = STR(""),
		.ca_file = STR(""),
		.client_cert = STR(""),
		.client_key = STR(""),
		.proxy = STR(""),
		.no_proxy = STR("") };
	struct buf b = BUF_INIT(12);
	struct target *t = NULL;
	struct mask *mask;

	assert_int_equal(target_new(&m, &t), 0);
	mask = mask_new(t);
	buf_add_text(&b, "abcdabcdabcd");
	mask_buf(mask, &b);
	assert_null(strstr(buf_text(&b), "abcd"));
	assert_true(b.len <= 12);
	buf_clear(&b);
	mask_free(mask);
	target_free(t);
}

static void
test_headers(void **state)
{
	static const struct {
		const char *name;
		bool hidden;
	} cases[] = { { "Authorization", true }, { "X-API-KEY", true }, { "api-key", true },
		{ "X-Auth-Token", true }, { "Client-Secret", true }, { "X-Passwd", true },
		{ "Content-Type", false }, { "User-Agent", false }, { "", false } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(mask_hides_header(str_of(cases[i].name)), cases[i].hidden);
}

/* Of a text in pieces: what may be the beginning of a secret waits. */
static void
test_hold(void **state)
{
	static const struct {
		const char *text;
		size_t held;
	} cases[] = { { "", 0 }, { "nothing here", 0 }, { "key s", 1 }, { "sk", 2 }, { "sk-0123456789", 13 }, { "a sk-0123456789-", 14 }, { "a sk-0123456789.", 0 }, { "a sk-012345678989", 2 },
		{ "sk-0123456789-sk-0123456789", 13 }, { "89-begins-where-one-end", 23 },
		{ "x sk-012345678", 12 }, { "sk-01sk-01", 5 }, { "sk-0123456789s", 1 },
		{ "sk-0123456789a\\\"b", 4 }, { "…header-key-7", 12 }, { "in-header-9", 11 } };
	struct target *t = make_target();
	struct mask *mask = mask_new(t);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(mask_hold(mask, str_of(cases[i].text)), cases[i].held);
	mask_free(mask);
	target_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_a_full_buffer_is_cut),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
