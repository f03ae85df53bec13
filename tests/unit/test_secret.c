/* SPDX-License-Identifier: Apache-2.0 */
/* Masking of values and of echoed secrets in others' text. */
#include "shared/secret.h"

#include "tests/unit/unit.h"

static void
test_value(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "", "*****" },
		{ "abcd", "*****" },
		{ "abcde", "ab****de" },
		{ "sk-1234567890", "sk****90" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(100);

		secret_mask_value(&b, str_of(cases[i].in));
		assert_string_equal(buf_text(&b), cases[i].want);
		buf_clear(&b);
	}
}

static void
test_text(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "", "" },
		{ "nothing here", "nothing here" },
		{ "sk-canary-1", "sk****-1" },
		{ "wrong key sk-canary-1!", "wrong key sk****-1!" },
		{ "sk-canary-1sk-canary-1", "sk****-1sk****-1" },
		{ "sk-canary-1-longer", "sk****er" }, /* the longest of those that match */
		{ "sk-canary-", "sk-canary-" },
		{ "abc is too short to look for", "abc is too short to look for" },
	};
	struct secret *secrets[] = { secret_new(STR("sk-canary-1")),
		secret_new(STR("sk-canary-1-longer")), secret_new(STR("abc")),
		secret_new(STR("")) };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(100);

		secret_mask_text(&b, str_of(cases[i].in), (const struct secret *const *)secrets,
		    ARRAY_LEN(secrets));
		assert_string_equal(buf_text(&b), cases[i].want);
		buf_clear(&b);
	}
	assert_true(str_is(secret_reveal(secrets[0]), "sk-canary-1"));
	assert_int_equal(secret_reveal(NULL).n, 0);
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		secret_free(secrets[i]);
	secret_free(NULL);
}

static void
test_wipe(void **state)
{
	char text[16] = "sk-canary-1";

	secret_wipe(text, sizeof(text));
	for (size_t i = 0; i < sizeof(text); i++)
		assert_int_equal(text[i], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_value),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_wipe),
	};

	return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
