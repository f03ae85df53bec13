/* SPDX-License-Identifier: Apache-2.0 */
/* How values are written: str(), json.dumps() of Python 3.11 and our compact JSON. */
#include "tests/unit/unit.h"

#include <string.h>

#include "supervisor/config/pytext.h"
#include "tests/unit/config_test.h"

static const struct {
	const char *yaml, *str, *json, *compact;
} cases[] = {
	{ "{a: 1, b: [x, null, true, 1.5, -0.0], c: {}}",
	    "{'a': 1, 'b': ['x', None, True, 1.5, -0.0], 'c': {}}",
	    "{\"a\": 1, \"b\": [\"x\", null, true, 1.5, -0.0], \"c\": {}}",
	    "{\"a\":1,\"b\":[\"x\",null,true,1.5,-0.0],\"c\":{}}" },
	{ "[.inf, -.inf, .nan, 1e400]", "[inf, -inf, nan, '1e400']",
	    "[Infinity, -Infinity, NaN, \"1e400\"]", "[null,null,null,\"1e400\"]" },
	{ "\"\\\"\\\\\\n\\r\\t\\f\\b\\x07\\e/\"", "\"\\\n\r\t\x0c\x08\x07\x1b/",
	    "\"\\\"\\\\\\n\\r\\t\\f\\b\\u0007\\u001b/\"",
	    "\"\\\"\\\\\\n\\r\\t\\f\\b\\u0007\\u001b/\"" },
	{ "caf\xc3\xa9 \xf0\x9f\x98\x80 \xe4\xbd\xa0", "caf\xc3\xa9 \xf0\x9f\x98\x80 \xe4\xbd\xa0",
	    "\"caf\\u00e9 \\ud83d\\ude00 \\u4f60\"",
	    "\"caf\xc3\xa9 \xf0\x9f\x98\x80 \xe4\xbd\xa0\"" },
	{ "{1: a, 1.5: b, null: c, false: d, yes: e}", "{1: 'e', 1.5: 'b', None: 'c', False: 'd'}",
	    "{\"1\": \"e\", \"1.5\": \"b\", \"null\": \"c\", \"false\": \"d\"}",
	    "{\"1\":\"e\",\"1.5\":\"b\",\"null\":\"c\",\"false\":\"d\"}" },
	{ "123456789012345678901234567890", "123456789012345678901234567890",
	    "123456789012345678901234567890", "123456789012345678901234567890" },
	{ "\"\\u2028\\x85\\xa0\\u200b\"", "\xe2\x80\xa8\xc2\x85\xc2\xa0\xe2\x80\x8b",
	    "\"\\u2028\\u0085\\u00a0\\u200b\"", "\"\xe2\x80\xa8\xc2\x85\xc2\xa0\xe2\x80\x8b\"" },
	{ "[[], {}, '', 0]", "[[], {}, '', 0]", "[[], {}, \"\", 0]", "[[],{},\"\",0]" },
	{ "it's \"both\"", "it's \"both\"", "\"it's \\\"both\\\"\"", "\"it's \\\"both\\\"\"" },
	{ "\"it's\"", "it's", "\"it's\"", "\"it's\"" },
	{ "'say \"x\"'", "say \"x\"", "\"say \\\"x\\\"\"", "\"say \\\"x\\\"\"" },
	{ "{k: \"\\x7f\\0\"}", "{'k': '\\x7f\\x00'}", "{\"k\": \"\\u007f\\u0000\"}",
	    "{\"k\":\"\x7f\\u0000\"}" },
	{ "[1.0e+16, 1.0e+15, 1.0e-4, 1.0e-5, 0.1, 7.120236347223045e-307, 8.98846567431158e+307]",
	    "[1e+16, 1000000000000000.0, 0.0001, 1e-05, 0.1, 7.120236347223045e-307, "
	    "8.98846567431158e+307]",
	    "[1e+16, 1000000000000000.0, 0.0001, 1e-05, 0.1, 7.120236347223045e-307, "
	    "8.98846567431158e+307]",
	    "[1e+16,1000000000000000.0,0.0001,1e-05,0.1,7.120236347223045e-307,8.98846567431158e+"
	    "307]" },
};

static void
test_texts(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct arena *arena = arena_new();
		struct problems *problems = problems_new();
		struct buf b = BUF_INIT(1 << 16);
		struct node *node;

		assert_int_equal(parse_yaml(arena, str_of(cases[i].yaml), problems, &node), 0);
		pytext_str(&b, node);
		assert_string_equal(buf_text(&b), cases[i].str);
		buf_reset(&b);
		assert_int_equal(pytext_json(&b, node), 0);
		assert_string_equal(buf_text(&b), cases[i].json);
		buf_reset(&b);
		pytext_compact(&b, node);
		assert_string_equal(buf_text(&b), cases[i].compact);
		buf_clear(&b);
		problems_free(problems);
		arena_free(arena);
	}
}

/* What json.dumps() has no word for. */
static void
test_others(void **state)
{
	struct arena *arena = arena_new();
	struct problems *problems = problems_new();
	struct buf b = BUF_INIT(1 << 16);
	struct node *node;

	assert_int_equal(
	    parse_yaml(arena,
		STR("{d: 2001-12-14, b: !!binary aGk=, s: !!set {x}, t: 2001-12-14 1:02:03}"),
		problems, &node),
	    0);
	pytext_compact(&b, node);
	assert_string_equal(buf_text(&b),
	    "{\"d\":\"2001-12-14\",\"b\":\"b'hi'\",\"s\":[\"x\"],\"t\":\"2001-12-14 01:02:03\"}");
	buf_reset(&b);
	assert_int_equal(parse_yaml(arena, STR("{2001-12-14: x}"), problems, &node), 0);
	assert_int_equal(pytext_json(&b, node), ERR_INVALID);
	buf_clear(&b);
	problems_free(problems);
	arena_free(arena);
}

/* A full buffer ends the writing, also where aliases would go on for long. */
static void
test_full(void **state)
{
	struct arena *arena = arena_new();
	struct problems *problems = problems_new();
	struct buf yaml = BUF_INIT(1 << 16), b = BUF_INIT(100);
	struct node *node;

	buf_add_text(&yaml, "a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 5; i++)
		buf_addf(&yaml,
		    "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
		    i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	assert_int_equal(parse_yaml(arena, buf_str(&yaml), problems, &node), 0);
	pytext_repr(&b, node);
	assert_false(buf_ok(&b));
	assert_true(b.len <= 100);
	buf_clear(&b);
	buf_clear(&yaml);
	problems_free(problems);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
