/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a YAML text means: cases of our own, each with what Python's repr(yaml.safe_load(text)) says
 * (PyYAML 6.0.3).
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "supervisor/config/pytext.h"
#include "tests/unit/config_test.h"
#include "tests/unit/problems_format.h"

struct value_case {
	const char *yaml;
	const char *repr;
};

static const struct value_case booleans_and_nulls[] = {
	{ "yes", "True" },
	{ "Yes", "True" },
	{ "YES", "True" },
	{ "no", "False" },
	{ "NO", "False" },
	{ "true", "True" },
	{ "True", "True" },
	{ "TRUE", "True" },
	{ "tRUE", "'tRUE'" },
	{ "false", "False" },
	{ "on", "True" },
	{ "On", "True" },
	{ "off", "False" },
	{ "OFF", "False" },
	{ "y", "'y'" },
	{ "n", "'n'" },
	{ "Y", "'Y'" },
	{ "N", "'N'" },
	{ "~", "None" },
	{ "null", "None" },
	{ "Null", "None" },
	{ "NULL", "None" },
	{ "nULL", "'nULL'" },
	{ "", "None" },
	{ "a: ", "{'a': None}" },
	{ "- ", "[None]" },
	{ "none", "'none'" },
	{ "None", "'None'" },
	{ "\"yes\"", "'yes'" },
	{ "'null'", "'null'" },
	{ "!!str yes", "'yes'" },
	{ "!!bool 'on'", "True" },
	{ "!!null x", "None" },
};

static const struct value_case integers[] = {
	{ "0", "0" },
	{ "7", "7" },
	{ "-7", "-7" },
	{ "+7", "7" },
	{ "017", "15" },
	{ "-017", "-15" },
	{ "08", "'08'" },
	{ "09", "'09'" },
	{ "0o17", "'0o17'" },
	{ "0b101", "5" },
	{ "-0b11", "-3" },
	{ "0b", "'0b'" },
	{ "0x1F", "31" },
	{ "0xfg", "'0xfg'" },
	{ "-0x1f", "-31" },
	{ "1_000", "1000" },
	{ "1__0_", "10" },
	{ "_1", "'_1'" },
	{ "1:30", "90" },
	{ "1:30:00", "5400" },
	{ "-1:30", "-90" },
	{ "190:20:30", "685230" },
	{ "1:60", "'1:60'" },
	{ "1:5", "65" },
	{ "60:1:1", "216061" },
	{ "1,000", "'1,000'" },
	{ "12e3", "'12e3'" },
	{ "9223372036854775807", "9223372036854775807" },
	{ "9223372036854775808", "9223372036854775808" },
	{ "-9223372036854775809", "-9223372036854775809" },
	{ "123456789012345678901234567890", "123456789012345678901234567890" },
	{ "0x10000000000000000", "18446744073709551616" },
	{ "!!int '0b1'", "1" },
	{ "!!int '12'", "12" },
	{ "0_7", "7" },
	{ "0x_1", "1" },
	{ "+0", "0" },
	{ "-0", "0" },
	{ "00", "0" },
};

static const struct value_case floats[] = {
	{ "1.0", "1.0" },
	{ "1.", "1.0" },
	{ "-1.5", "-1.5" },
	{ "+1.5", "1.5" },
	{ ".5", "0.5" },
	{ "-.5", "'-.5'" },
	{ "1e5", "'1e5'" },
	{ "1e-5", "'1e-5'" },
	{ "1.0e5", "'1.0e5'" },
	{ "1.0e+5", "100000.0" },
	{ "1.0E-5", "1e-05" },
	{ "1.e+3", "1000.0" },
	{ ".5e+1", "5.0" },
	{ "1_0.5_0", "10.5" },
	{ "1.5e5", "'1.5e5'" },
	{ "1.0e+400", "inf" },
	{ "-1.0e+400", "-inf" },
	{ "1.0e-400", "0.0" },
	{ ".inf", "inf" },
	{ "-.inf", "-inf" },
	{ "+.inf", "inf" },
	{ ".Inf", "inf" },
	{ ".INF", "inf" },
	{ ".iNF", "'.iNF'" },
	{ ".nan", "nan" },
	{ ".NaN", "nan" },
	{ ".NAN", "nan" },
	{ "1:30.5", "90.5" },
	{ "-1:30.5", "-90.5" },
	{ "190:20:30.15", "685230.15" },
	{ "0.1", "0.1" },
	{ "0.30000000000000004", "0.30000000000000004" },
	{ "1.0e+16", "1e+16" },
	{ "1.0e+15", "1000000000000000.0" },
	{ "0.0001", "0.0001" },
	{ "0.00001", "1e-05" },
	{ "123456789.123456789", "123456789.12345679" },
	{ "1.7976931348623157e+308", "1.7976931348623157e+308" },
	{ "5.0e-324", "5e-324" },
	{ "-0.0", "-0.0" },
	{ "1.2.3", "'1.2.3'" },
	{ "1._", "1.0" },
	{ "!!float '1'", "1.0" },
	{ "!!float '1e3'", "1000.0" },
	{ "!!float .5", "0.5" },
	{ "1e+5", "'1e+5'" },
	{ "6.02e23", "'6.02e23'" },
};

static const struct value_case dates[] = {
	{ "2001-12-14", "datetime.date(2001, 12, 14)" },
	{ "2001-1-1", "'2001-1-1'" },
	{ "2001-12-14t21:59:43.10-05:00",
	    "datetime.datetime(2001, 12, 14, 21, 59, 43, 100000, "
	    "tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=68400)))" },
	{ "2001-12-14 21:59:43.10 -5",
	    "datetime.datetime(2001, 12, 14, 21, 59, 43, 100000, "
	    "tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=68400)))" },
	{ "2001-12-15 2:59:43.10", "datetime.datetime(2001, 12, 15, 2, 59, 43, 100000)" },
	{ "2001-12-15T02:59:43Z",
	    "datetime.datetime(2001, 12, 15, 2, 59, 43, tzinfo=datetime.timezone.utc)" },
	{ "2001-12-15 02:59:43 +05:30",
	    "datetime.datetime(2001, 12, 15, 2, 59, 43, "
	    "tzinfo=datetime.timezone(datetime.timedelta(seconds=19800)))" },
	{ "2001-12-15 02:59:43.123456789", "datetime.datetime(2001, 12, 15, 2, 59, 43, 123456)" },
	{ "'2001-12-14'", "'2001-12-14'" },
	{ "2024-02-29", "datetime.date(2024, 2, 29)" },
	{ "2024-02-15-preview", "'2024-02-15-preview'" },
	{ "2001-12-14 ", "datetime.date(2001, 12, 14)" },
	{ "0001-01-01", "datetime.date(1, 1, 1)" },
	{ "2001-12-14T21:59:43+00:00",
	    "datetime.datetime(2001, 12, 14, 21, 59, 43, tzinfo=datetime.timezone.utc)" },
	{ "!!timestamp '2001-1-1'", "datetime.date(2001, 1, 1)" },
	{ "2001-12-14T21:59", "'2001-12-14T21:59'" },
};

static const struct value_case texts[] = {
	{ "plain", "'plain'" },
	{ "a b", "'a b'" },
	{ "'it''s'", "\"it's\"" },
	{ "\"a\\nb\\t\\x41\\u00e9\\U0001F600\\0\\e\"",
	    "'a\\nb\\tA\xc3\xa9\xf0\x9f\x98\x80\\x00\\x1b'" },
	{ "\"a\\\n  b\"", "'ab'" },
	{ "\"a\n  b\n\n  c\"", "'a b\\nc'" },
	{ "'a\n  b\n\n  c'", "'a b\\nc'" },
	{ "a\n  b\n\n  c", "'a b\\nc'" },
	{ "- a\n  b\n- c", "['a b', 'c']" },
	{ "caf\xc3\xa9: \xe4\xbd\xa0\xe5\xa5\xbd", "{'caf\xc3\xa9': '\xe4\xbd\xa0\xe5\xa5\xbd'}" },
	{ "\"\\N\\_\\L\\P\"", "'\\x85\\xa0\\u2028\\u2029'" },
	{ "a#b", "'a#b'" },
	{ "a #b", "'a'" },
	{ "'#'", "'#'" },
	{ "a: b#c", "{'a': 'b#c'}" },
	{ "- -a", "['-a']" },
	{ "- --- ", "['---']" },
	{ "'---'", "'---'" },
	{ "x: http://h:80/p?q=1#f", "{'x': 'http://h:80/p?q=1#f'}" },
	{ "x: a:b", "{'x': 'a:b'}" },
	{ "x: [a:b, c]", "{'x': ['a:b', 'c']}" },
	{ "- \"\\/\"", "['/']" },
	{ "\"quote \\\" and \\\\\"", "'quote \" and \\\\'" },
	{ "\"emoji \xf0\x9f\x98\x80\"", "'emoji \xf0\x9f\x98\x80'" },
	{ "x: =y", "{'x': '=y'}" },
	{ "x: '@'", "{'x': '@'}" },
	{ "!!str 12", "'12'" },
	{ "! 12", "12" },
	{ "! a", "'a'" },
	{ "! ''", "None" },
	{ "key with spaces: v", "{'key with spaces': 'v'}" },
	{ "'a': 1\n\"b\": 2", "{'a': 1, 'b': 2}" },
	{ "? a\n: b", "{'a': 'b'}" },
	{ "? a", "{'a': None}" },
	{ "? |\n  block\n: v", "{'block\\n': 'v'}" },
	{ "{? a : b}", "{'a': 'b'}" },
	{ "'x'", "'x'" },
	{ "x: \"\\xe9\"", "{'x': '\xc3\xa9'}" },
	{ "'\ttab'", "'\\ttab'" },
	{ "\"\ttab\"", "'\\ttab'" },
	{ "a", "'a'" },
	{ "x: 'a\xe2\x80\xa8"
	  "b'",
	    "{'x': 'a\\u2028b'}" },
};

static const struct value_case block_scalars[] = {
	{ "|\n a\n b\n", "'a\\nb\\n'" },
	{ "|-\n a\n b\n\n", "'a\\nb'" },
	{ "|+\n a\n\n\n", "'a\\n\\n\\n'" },
	{ ">\n a\n b\n\n c\n", "'a b\\nc\\n'" },
	{ ">-\n a\n  b\n c\n", "'a\\n b\\nc'" },
	{ ">+\n a\n\n", "'a\\n\\n'" },
	{ "x: |2\n    a\n   b\n", "{'x': '  a\\n b\\n'}" },
	{ "x: |\n\n  a\n   b\n\n  c\ny: 1", "{'x': '\\na\\n b\\n\\nc\\n', 'y': 1}" },
	{ "x: >\n  a\n  b\n\n    more\n  end\n", "{'x': 'a b\\n\\n  more\\nend\\n'}" },
	{ "|1\n  a", "' a'" },
	{ "x: |-\n  # no comment\ny: 1", "{'x': '# no comment', 'y': 1}" },
	{ "x: | # comment\n  a\n", "{'x': 'a\\n'}" },
	{ "x: >2-\n   a\n   b\n", "{'x': ' a\\n b'}" },
	{ "- |\n a\n- >\n b\n", "['a\\n', 'b\\n']" },
	{ "x: |\ny: 1", "{'x': '', 'y': 1}" },
	{ "|", "''" },
	{ "x: |\n  a\r\n  b\r\n", "{'x': 'a\\nb\\n'}" },
	{ "x: |\n \ta\n", "{'x': '\\ta\\n'}" },
	{ "|\n  \ta\n  b", "'\\ta\\nb'" },
	{ "x: |\n  key: [1\n  \"\n", "{'x': 'key: [1\\n\"\\n'}" },
};

static const struct value_case flow[] = {
	{ "[]", "[]" },
	{ "{}", "{}" },
	{ "[a, b, ]", "['a', 'b']" },
	{ "[a, [b, {c: d}]]", "['a', ['b', {'c': 'd'}]]" },
	{ "{a: 1, b: [2], c: {d: e}}", "{'a': 1, 'b': [2], 'c': {'d': 'e'}}" },
	{ "{a, b: 1}", "{'a': None, 'b': 1}" },
	{ "{a: , b: }", "{'a': None, 'b': None}" },
	{ "[a: b, c]", "[{'a': 'b'}, 'c']" },
	{ "[{a: b}, c: d]", "[{'a': 'b'}, {'c': 'd'}]" },
	{ "{\"a\":1,'b':2}", "{'a': 1, 'b': 2}" },
	{ "{a:1}", "{'a:1': None}" },
	{ "{a:[1]}", "{'a': [1]}" },
	{ "{a:{b: 1}}", "{'a': {'b': 1}}" },
	{ "{a :1}", "{'a :1': None}" },
	{ "[a\n, b]", "['a', 'b']" },
	{ "{a: b\n c}", "{'a': 'b c'}" },
	{ "[\"a\", 'b']", "['a', 'b']" },
	{ "{a: 1, # c\n b: 2}", "{'a': 1, 'b': 2}" },
	{ "[a,b]", "['a', 'b']" },
	{ "[-1]", "[-1]" },
	{ "x: [a, b]\ny: {c: d}", "{'x': ['a', 'b'], 'y': {'c': 'd'}}" },
	{ "{? a, ? b : c}", "{'a': None, 'b': 'c'}" },
	{ "[a]", "['a']" },
	{ "{a:}", "{'a': None}" },
	{ "{a:,b: 1}", "{'a': None, 'b': 1}" },
	{ "[a:,b]", "[{'a': None}, 'b']" },
	{ "{'a':b}", "{'a': 'b'}" },
	{ "[http://x:1/y, z]", "['http://x:1/y', 'z']" },
	{ "{x: http://a/b,y: 1}", "{'x': 'http://a/b', 'y': 1}" },
};

static const struct value_case blocks[] = {
	{ "a: 1\nb:\n  c: 2\n  d:\n    - 1\n    - 2\n", "{'a': 1, 'b': {'c': 2, 'd': [1, 2]}}" },
	{ "a:\n- 1\n- 2\nb: 3", "{'a': [1, 2], 'b': 3}" },
	{ "- - 1\n  - 2\n- 3", "[[1, 2], 3]" },
	{ "- a: 1\n  b: 2\n- c: 3", "[{'a': 1, 'b': 2}, {'c': 3}]" },
	{ "-\n  a: 1\n-\n  - 2", "[{'a': 1}, [2]]" },
	{ "a:\n  - b:\n      c", "{'a': [{'b': 'c'}]}" },
	{ "# c\na: 1 # d\n# e\nb: 2\n", "{'a': 1, 'b': 2}" },
	{ "---\na: 1\n...\n", "{'a': 1}" },
	{ "--- a", "'a'" },
	{ "%YAML 1.1\n---\na: 1\n", "{'a': 1}" },
	{ "%YAML 1.2\n---\nx: yes\n", "{'x': True}" },
	{ "%FOO bar\n---\na", "'a'" },
	{ "%FOO\n# c\n\n%BAR x\r\n--- a", "'a'" },
	{ " 'a\n%YAML 1.5\n'", "'a %YAML 1.5 '" },
	{ "%TAG !e! tag:yaml.org,2002:\n---\n!e!str 12", "'12'" },
	{ "a:\r\n  b: 1\r\nc: 2\r\n", "{'a': {'b': 1}, 'c': 2}" },
	{ "a: 1\rb: 2", "{'a': 1, 'b': 2}" },
	{ "a:    \n  b: 1", "{'a': {'b': 1}}" },
	{ "a:\n\n\n  b: 1", "{'a': {'b': 1}}" },
	{ "a : 1", "{'a': 1}" },
	{ "\n\n- 1", "[1]" },
	{ "---", "None" },
	{ "--- # x", "None" },
	{ "a:\n b:\n  c:\n   - d", "{'a': {'b': {'c': ['d']}}}" },
};

static const struct value_case duplicates[] = {
	{ "a: 1\na: 2", "{'a': 2}" },
	{ "{a: 1, b: 2, a: 3}", "{'a': 3, 'b': 2}" },
	{ "1: a\n1.0: b\ntrue: c", "{1: 'c'}" },
	{ "0: a\nno: b\n-0.0: c", "{0: 'c'}" },
	{ "'1': a\n1: b", "{'1': 'a', 1: 'b'}" },
	{ "null: a\n~: b\n'null': c", "{None: 'b', 'null': 'c'}" },
	{ "a: 1\nb: 2\na: {c: 3}", "{'a': {'c': 3}, 'b': 2}" },
	{ "2001-01-01: a\n'2001-01-01': b", "{datetime.date(2001, 1, 1): 'a', '2001-01-01': 'b'}" },
	{ "x: &x 1\n*x : a\n1: b", "{'x': 1, 1: 'b'}" },
};

static const struct value_case anchors_and_merge[] = {
	{ "a: &a 1\nb: *a", "{'a': 1, 'b': 1}" },
	{ "- &a [1, 2]\n- *a\n- *a", "[[1, 2], [1, 2], [1, 2]]" },
	{ "a: &a {x: 1}\nb: {<<: *a, y: 2}", "{'a': {'x': 1}, 'b': {'x': 1, 'y': 2}}" },
	{ "a: &a {x: 1}\nb: {y: 2, <<: *a, x: 3}", "{'a': {'x': 1}, 'b': {'x': 3, 'y': 2}}" },
	{ "a: &a {x: 1, y: 1}\nb: &b {x: 2}\nc: {<<: [*a, *b]}",
	    "{'a': {'x': 1, 'y': 1}, 'b': {'x': 2}, 'c': {'x': 1, 'y': 1}}" },
	{ "a: &a {x: 1, y: 1}\nb: &b {x: 2}\nc: {<<: [*b, *a], z: 1}",
	    "{'a': {'x': 1, 'y': 1}, 'b': {'x': 2}, 'c': {'x': 2, 'y': 1, 'z': 1}}" },
	{ "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, z: 3}",
	    "{'a': {'x': 1}, 'b': {'x': 1, 'y': 2}, 'c': {'x': 1, 'y': 2, 'z': 3}}" },
	{ "a: {<<: {x: 1}, y: 2}", "{'a': {'x': 1, 'y': 2}}" },
	{ "<<: {a: 1}\n<<: {b: 2}\na: 3", "{'a': 3, 'b': 2}" },
	{ "'<<': 1", "{'<<': 1}" },
	{ "? \"<<\"\n: 1", "{'<<': 1}" },
	{ "a: &a {b: {c: 1}}\nd: {<<: *a, b: {e: 1}}",
	    "{'a': {'b': {'c': 1}}, 'd': {'b': {'e': 1}}}" },
	{ "a: &a\nb: *a", "{'a': None, 'b': None}" },
	{ "&k a: 1\nb: *k", "{'a': 1, 'b': 'a'}" },
	{ "&a a: &b b\n*a : *b", "{'a': 'b'}" },
	{ "a: &a !!str 12\nb: *a", "{'a': '12', 'b': '12'}" },
	{ "<<: []\na: 1", "{'a': 1}" },
	{ "x: {<<: {}}", "{'x': {}}" },
	{ "!!merge x: {a: 1}", "{'a': 1}" },
	{ "=: 1", "{'=': 1}" },
};

static const struct value_case tags[] = {
	{ "!!set {a}", "{'a'}" },
	{ "!!omap [a: 1, b: 2]", "[('a', 1), ('b', 2)]" },
	{ "!!pairs [a: 1, a: 2]", "[('a', 1), ('a', 2)]" },
	{ "!!binary aGVsbG8=", "b'hello'" },
	{ "!!binary aA==ignored", "b'h'" },
	{ "!!binary 'a-G V\\sbG8='", "b'hello'" },
	{ "!!binary |\n aGVs\n bG8=\n", "b'hello'" },
	{ "!!seq [1]", "[1]" },
	{ "!!map {a: 1}", "{'a': 1}" },
	{ "!!float 3", "3.0" },
	{ "!!int 3", "3" },
	{ "!!str x", "'x'" },
	{ "!<tag:yaml.org,2002:str> 5", "'5'" },
	{ "!!null ''", "None" },
	{ "!!bool yes", "True" },
	{ "? !!str 1\n: 2", "{'1': 2}" },
	{ "!!set {}", "set()" },
	{ "!!omap []", "[]" },
};

static const struct value_case tabs[] = {
	{ "a: 1", "{'a': 1}" },
	{ "a: 'x\ty'", "{'a': 'x\\ty'}" },
	{ "# c\t\na: 1", "{'a': 1}" },
	{ "a: \"x\ty\"", "{'a': 'x\\ty'}" },
	{ "x: |\n  a\tb\n", "{'x': 'a\\tb\\n'}" },
	{ "a: 1 #\tc", "{'a': 1}" },
	{ "- 'x'", "['x']" },
};

/* How many of the cases do not mean what they should; each is told. */
static int
wrong(const struct value_case *cases, size_t n)
{
	int bad = 0;

	for (size_t i = 0; i < n; i++) {
		struct arena *arena = arena_new();
		struct problems *problems = problems_new();
		struct buf got = BUF_INIT(1 << 16);
		struct node *node = NULL;

		if (parse_yaml(arena, str_of(cases[i].yaml), problems, &node) < 0)
			problems_format(problems, &got);
		else if (node)
			pytext_repr(&got, node);
		else
			buf_add_text(&got, "None");
		if (strcmp(buf_text(&got), cases[i].repr) != 0) {
			fprintf(stderr, "# %s\n#  is %s\n#  not %s\n", cases[i].yaml,
			    buf_text(&got), cases[i].repr);
			bad++;
		}
		buf_clear(&got);
		problems_free(problems);
		arena_free(arena);
	}
	return bad;
}

static void
test_booleans_and_nulls(void **state)
{
	assert_int_equal(wrong(booleans_and_nulls, ARRAY_LEN(booleans_and_nulls)), 0);
}

static void
test_integers(void **state)
{
	assert_int_equal(wrong(integers, ARRAY_LEN(integers)), 0);
}

static void
test_floats(void **state)
{
	assert_int_equal(wrong(floats, ARRAY_LEN(floats)), 0);
}

static void
test_dates(void **state)
{
	assert_int_equal(wrong(dates, ARRAY_LEN(dates)), 0);
}

static void
test_texts(void **state)
{
	assert_int_equal(wrong(texts, ARRAY_LEN(texts)), 0);
}

static void
test_block_scalars(void **state)
{
	assert_int_equal(wrong(block_scalars, ARRAY_LEN(block_scalars)), 0);
}

static void
test_flow(void **state)
{
	assert_int_equal(wrong(flow, ARRAY_LEN(flow)), 0);
}

static void
test_blocks(void **state)
{
	assert_int_equal(wrong(blocks, ARRAY_LEN(blocks)), 0);
}

static void
test_duplicates(void **state)
{
	assert_int_equal(wrong(duplicates, ARRAY_LEN(duplicates)), 0);
}

static void
test_anchors_and_merge(void **state)
{
	assert_int_equal(wrong(anchors_and_merge, ARRAY_LEN(anchors_and_merge)), 0);
}

static void
test_tags(void **state)
{
	assert_int_equal(wrong(tags, ARRAY_LEN(tags)), 0);
}

static void
test_tabs(void **state)
{
	assert_int_equal(wrong(tabs, ARRAY_LEN(tabs)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_booleans_and_nulls),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_block_scalars),
		cmocka_unit_test(test_flow),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_anchors_and_merge),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_tabs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
