/* SPDX-License-Identifier: Apache-2.0 */
/* Strict reading of strangers' JSON. */
#include "shared/json_read.h"

#include "tests/unit/unit.h"

static void
test_good(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ " { \"a\" : [ 1 , -2.5e+3 , true , null ] } ", "{\"a\":[1,-2.5e+3,true,null]}" },
		{ "\"\\u0041\\/\\n\\u00e9\"", "\"A/\\n\xc3\xa9\"" },
		{ "\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"" },
		{ "\"\\u006fs.environ\\u002fX\"", "\"os.environ/X\"" },
		{ "[]", "[]" }, { "0", "0" }, { "{}", "{}" }, { "[[],{}]", "[[],{}]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(1000);

		assert_int_equal(json_read(str_of(cases[i].in), &b, NULL), 0);
		assert_string_equal(buf_text(&b), cases[i].want);
		buf_clear(&b);
	}
}

static void
test_bad(void **state)
{
	static const struct {
		struct str in;
		size_t at;
	} cases[] = {
		{ STR(""), 0 }, { STR("{nope"), 1 }, { STR("[1,]"), 3 }, { STR("{\"a\"}"), 4 },
		{ STR("01"), 1 }, { STR("1."), 2 }, { STR("-"), 1 }, { STR("1e"), 2 },
		{ STR("nul"), 3 }, { STR("NaN"), 0 }, { STR("[1] x"), 4 }, { STR("\"a"), 2 },
		{ STR("\"\n\""), 1 }, { STR("\"\\x\""), 2 }, { STR("\"\\ud800\""), 7 },
		{ STR("\"\\udc00\""), 7 }, { STR("\"\xff\""), 0 }, { STR("\"\xed\xa0\x80\""), 0 },
		{ STR("[1 2]"), 3 }, { STR("\0"), 0 }, { STR("{\"a\":1,}"), 7 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(1000);
		size_t at = 99;

		assert_int_equal(json_read(cases[i].in, &b, &at), ERR_SYNTAX);
		assert_int_equal(at, cases[i].at);
		buf_clear(&b);
	}
}

static void
test_limits(void **state)
{
	struct buf text = BUF_INIT(100000), b = BUF_INIT(100000), small = BUF_INIT(4);

	for (int i = 0; i < JSON_READ_DEPTH; i++)
		buf_add_char(&text, '[');
	for (int i = 0; i < JSON_READ_DEPTH; i++)
		buf_add_char(&text, ']');
	assert_int_equal(json_read(buf_str(&text), &b, NULL), 0);
	buf_reset(&text);
	for (int i = 0; i <= 50000; i++)
		buf_add_char(&text, '[');
	assert_int_equal(json_read(buf_str(&text), &b, NULL), ERR_LIMIT);
	assert_int_equal(json_read(STR("[1,2,3]"), &small, NULL), ERR_LIMIT);
	buf_clear(&text);
	buf_clear(&b);
	buf_clear(&small);
}

static void
test_members(void **state)
{
	struct buf b = BUF_INIT(1000), text = BUF_INIT(1000);
	struct str value;

	assert_int_equal(json_read(STR("{\"a\": \"x\", \"a\": \"\\u0079\\\"\"}"), &b, NULL), 0);
	value = json_read_member(buf_str(&b), "a");
	assert_true(json_read_text(value, &text));
	assert_string_equal(buf_text(&text), "y\"");
	assert_int_equal(json_read_member(buf_str(&b), "b").n, 0);
	assert_false(json_read_text(STR("12"), &text));
	buf_clear(&b);
	buf_clear(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_members),
	};

	return cmocka_run_group_tests_name("json_read", tests, NULL, NULL);
}
