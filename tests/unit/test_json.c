/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON appender, and the UTF-8 rules of RFC 3629. */
#include "shared/json.h"

#include "tests/unit/unit.h"

static void
test_strings(void **state)
{
	static const struct {
		struct str in;
		const char *want;
	} cases[] = {
		{ STR(""), "\"\"" }, { STR("plain text"), "\"plain text\"" },
		{ STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"" },
		{ STR("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"" },
		{ STR("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\"" },
		{ STR("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"" },
		{ STR("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"" },
		{ STR("a\xffz"), "\"a\xef\xbf\xbdz\"" },
		{ STR("cut\xe2\x82"), "\"cut\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ STR("\xed\xa0\x80"),
		    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },    /* a surrogate */
		{ STR("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" }, /* overlong */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(1000);

		json_add_string(&b, cases[i].in);
		assert_string_equal(buf_text(&b), cases[i].want);
		assert_true(utf8_valid(buf_str(&b)));
		buf_clear(&b);
	}
}

static void
test_commas(void **state)
{
	struct buf b = BUF_INIT(1000);

	buf_add_char(&b, '{');
	json_add_key(&b, "a");
	buf_add_char(&b, '[');
	json_add_comma(&b);
	buf_add_int(&b, 1);
	json_add_comma(&b);
	buf_add_int(&b, -2);
	buf_add_char(&b, ']');
	json_add_key(&b, "b");
	json_add_string(&b, STR("x"));
	buf_add_char(&b, '}');
	assert_string_equal(buf_text(&b), "{\"a\":[1,-2],\"b\":\"x\"}");
	buf_clear(&b);
}

static void
test_utf8(void **state)
{
	static const struct str good[] = { STR(""), STR("\x7f"), STR("\xc2\x80"), STR("\xdf\xbf"),
		STR("\xe0\xa0\x80"), STR("\xed\x9f\xbf"), STR("\xee\x80\x80"), STR("\xef\xbf\xbf"),
		STR("\xf0\x90\x80\x80"), STR("\xf4\x8f\xbf\xbf"), STR("\0") };
	static const struct str bad[] = { STR("\x80"), STR("\xc1\xbf"), STR("\xc2"),
		STR("\xc2\x20"), STR("\xe0\x9f\xbf"), STR("\xed\xa0\x80"), STR("\xe2\x82"),
		STR("\xe2\x82\x20"), STR("\xf0\x8f\xbf\xbf"), STR("\xf4\x90\x80\x80"),
		STR("\xf5\x80\x80\x80"), STR("\xf0\x90\x80"), STR("\xfe"), STR("\xff") };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(utf8_valid(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(utf8_valid(bad[i]));
}

static void
test_members(void **state)
{
	static const struct str text =
	    STR("{\"a\": [1,{\"b\":\"}\"}] "
		",\"model_info\":{\"id\":\"x,\\\"y\",\"mode\":null},\"n\":-1.5}");
	static const char *const broken[] = { "", "[]", "{", "{\"a", "{\"a\"",
		"{\"a\":", "{\"a\":}", "{\"a\":[1", "{\"a\":\"x", "{a:1}" };
	struct str rest = text, key, value;

	assert_true(json_next_member(&rest, &key, &value));
	assert_true(str_is(key, "a"));
	assert_true(str_is(value, "[1,{\"b\":\"}\"}]"));
	assert_true(json_next_member(&rest, &key, &value));
	assert_true(str_is(key, "model_info"));
	assert_true(str_is(json_member(value, "mode"), "null"));
	assert_true(str_is(json_member(value, "id"), "\"x,\\\"y\""));
	assert_int_equal(json_member(value, "nope").n, 0);
	assert_true(json_next_member(&rest, &key, &value));
	assert_true(str_is(value, "-1.5"));
	assert_false(json_next_member(&rest, &key, &value));
	rest = STR("{ }");
	assert_false(json_next_member(&rest, &key, &value));
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		rest = str_of(broken[i]);
		if (json_next_member(&rest, &key, &value))
			fail_msg("%s", broken[i]);
	}
}

static void
test_elements(void **state)
{
	struct str rest = STR(" [1, \"a,]\" ,[2,{\"b\":[3]}],{}]"), value;
	static const char *const wanted[] = { "1", "\"a,]\"", "[2,{\"b\":[3]}]", "{}" };
	static const char *const none[] = { "", "[]", "[ ]", "{}", "1", "[\"cut" };

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		assert_true(json_next_element(&rest, &value));
		assert_true(str_is(value, wanted[i]));
	}
	assert_false(json_next_element(&rest, &value));
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		rest = str_of(none[i]);
		assert_false(json_next_element(&rest, &value));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_commas),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_elements),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
