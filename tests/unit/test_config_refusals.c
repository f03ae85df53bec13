/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is refused, where, and in which words. Where PyYAML refuses a text too, it is at the same
 * place; the limits are our own.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "supervisor/config/pytext.h"
#include "tests/unit/config_test.h"
#include "tests/unit/problems_format.h"

/* A text that may hold NUL. */
#define BYTES(literal) literal, sizeof(literal) - 1

struct refusal {
	const char *yaml;
	size_t n;
	const char *told; /* after "t.yaml:" */
};

/* PyYAML reads the two values that hold themselves and UTF-16; LiteLLM could use neither. */
static const struct refusal refusals[] = {
	{ BYTES("a: b: c"), "1:5: error: found ': ' where no value can begin, expected one ': ' in "
			    "a line and the same indentation (or quotes)\n" },
	{ BYTES("a: [1, 2"), "1:9: error: found a list without its end, expected ',' or ']'\n" },
	{ BYTES("a: {b"), "1:6: error: found a mapping without its end, expected ',' or '}'\n" },
	{ BYTES("a: 'x"), "1:6: error: found the end of the file, expected the closing quote\n" },
	{ BYTES("\"x"), "1:3: error: found the end of the file, expected the closing quote\n" },
	{ BYTES("a:\n\t- b"), "2:1: error: found a character that no value begins with, expected a "
			      "text with @, ` or % in quotes, and no tabs\n" },
	{ BYTES("a: b\n\tc: d"),
	    "2:1: error: found a tab character, expected spaces as indentation\n" },
	{ BYTES("a:\tb"), "1:3: error: found a tab character where a value or a key can begin, "
			  "expected spaces\n" },
	{ BYTES("- a\n b: c"), "2:3: error: found ': ' where no value can begin, expected one ': ' "
			       "in a line and the same indentation (or quotes)\n" },
	{ BYTES("a: @x"), "1:4: error: found a character that no value begins with, expected a "
			  "text with @, ` or % in quotes, and no tabs\n" },
	{ BYTES("a: `x"), "1:4: error: found a character that no value begins with, expected a "
			  "text with @, ` or % in quotes, and no tabs\n" },
	{ BYTES("a: %x"), "1:4: error: found a character that no value begins with, expected a "
			  "text with @, ` or % in quotes, and no tabs\n" },
	{ BYTES("*x"), "1:1: error: found an alias (*) of an anchor that is not defined, expected "
		       "&name before it, or the text quoted\n" },
	{ BYTES("- &a b\n- &a c"),
	    "2:3: error: found an anchor (&) a second time, expected another name\n" },
	{ BYTES("a: &a [*a]"), "1:8: error: found an alias (*) inside the value that it stands "
			       "for, expected no cycle\n" },
	{ BYTES("a: &a {b: *a}"), "1:11: error: found an alias (*) inside the value that it stands "
				  "for, expected no cycle\n" },
	{ BYTES("x: &a.b c"), "1:6: error: found no name after * or &, expected letters, digits, - "
			      "or _ (quote a text that begins with * or &)\n" },
	{ BYTES("{[1]: 2}"), "1:2: error: found a list as a key, expected a text (quote it)\n" },
	{ BYTES("? {a: 1}\n: 2"),
	    "1:3: error: found a mapping as a key, expected a text (quote it)\n" },
	{ BYTES("? - a\n: b"), "1:3: error: found a list as a key, expected a text (quote it)\n" },
	{ BYTES("a: !foo b"),
	    "1:4: error: found a tag (!) that is not known, expected none, or the text quoted\n" },
	{ BYTES("a: !!python/object:os.system x"),
	    "1:4: error: found a tag (!) that is not known, expected none, or the text quoted\n" },
	{ BYTES("a: !!int abc"), "1:4: error: found a value that its form or tag does not allow, "
				 "expected a whole number of at most 4300 digits\n" },
	{ BYTES("a: !!float x"),
	    "1:4: error: found a value that its form or tag does not allow, expected a number\n" },
	{ BYTES("a: !!seq b"),
	    "1:4: error: found a value that cannot have the tag `!!seq`, expected none\n" },
	{ BYTES("a: !!map [b]"),
	    "1:4: error: found a value that cannot have the tag `!!map`, expected none\n" },
	{ BYTES("a: !!str [b]"),
	    "1:4: error: found a value that cannot have the tag `!!str`, expected none\n" },
	{ BYTES("a: !!omap [1]"), "1:12: error: found a whole number in ordered pairs, expected a "
				  "mapping of length 1\n" },
	{ BYTES("a: !!pairs {b: c}"),
	    "1:4: error: found a value that cannot have the tag `!!pairs`, expected none\n" },
	{ BYTES("a: 2001-02-30"), "1:4: error: found a value that its form or tag does not allow, "
				  "expected a date that exists (quote it to keep it as a text)\n" },
	{ BYTES("a: 2001-13-01"), "1:4: error: found a value that its form or tag does not allow, "
				  "expected a date that exists (quote it to keep it as a text)\n" },
	{ BYTES("a: 0b_"), "1:4: error: found a value that its form or tag does not allow, "
			   "expected a whole number of at most 4300 digits\n" },
	{ BYTES("a: !!timestamp x"),
	    "1:4: error: found a value that its form or tag does not allow, expected a date that "
	    "exists (quote it to keep it as a text)\n" },
	{ BYTES("a: !!bool maybe"), "1:4: error: found a value that its form or tag does not "
				    "allow, expected true or false\n" },
	{ BYTES("--- a\n--- b\n"),
	    "2:1: error: found a second document, expected one in a file\n" },
	{ BYTES("a: 1\n...\nb: 2\n"),
	    "3:1: error: found more after the end of the text, expected nothing\n" },
	{ BYTES("<<: 1"), "1:5: error: found a whole number after `<<:`, expected a mapping or a "
			  "list of mappings\n" },
	{ BYTES("<<: [1]"), "1:6: error: found a whole number after `<<:`, expected mappings\n" },
	{ BYTES("x: {<<: [[a]]}"), "1:10: error: found a list after `<<:`, expected mappings\n" },
	{ BYTES("<<:"), "1:4: error: found nothing (null) after `<<:`, expected a mapping or a "
			"list of mappings\n" },
	{ BYTES("a: <<"), "1:4: error: found a bare `<<` as a value, expected it quoted\n" },
	{ BYTES("a: ="), "1:4: error: found a bare `=` as a value, expected it quoted\n" },
	{ BYTES("- <<"), "1:3: error: found a bare `<<` as a value, expected it quoted\n" },
	{ BYTES("a: \"\\q\""), "1:6: error: found an unknown escape after a backslash, expected "
			       "\\\\ for a backslash (or single quotes)\n" },
	{ BYTES("a: \"\\xZZ\""), "1:7: error: found too few hexadecimal digits, expected 2 after "
				 "\\x, 4 after \\u and 8 after \\U\n" },
	{ BYTES("a: |0\n x"), "1:5: error: found 0 after | or >, expected 1 to 9\n" },
	{ BYTES("a: |x\n y"), "1:5: error: found more text after | or >, expected a line break\n" },
	{ BYTES("a: |#c\n y"),
	    "1:5: error: found more text after | or >, expected a line break\n" },
	{ BYTES("a\nb: c"), "2:2: error: found ': ' where no value can begin, expected one ': ' in "
			    "a line and the same indentation (or quotes)\n" },
	{ BYTES("- a\nb: c"), "2:1: error: found something else than '- ', expected '- ' at the "
			      "indentation of the list\n" },
	{ BYTES("a: 1\n- b"), "2:1: error: found something else than a key, expected a key at the "
			      "indentation of the mapping\n" },
	{ BYTES("a: 1\n  b: 2"), "2:4: error: found ': ' where no value can begin, expected one ': "
				 "' in a line and the same indentation (or quotes)\n" },
	{ BYTES("[a: b: c]"), "1:6: error: found a list without its end, expected ',' or ']'\n" },
	{ BYTES("]"), "1:1: error: found no value, expected one before this\n" },
	{ BYTES("x: [1]]"), "1:7: error: found something else than a key, expected a key at the "
			    "indentation of the mapping\n" },
	{ BYTES("%YAML 2.0\n--- a"), "1:1: error: found another version, expected `%YAML 1.1`\n" },
	{ BYTES("%YAML 1.1\n%YAML 1.1\n---\na"),
	    "2:1: error: found duplicate %YAML directive, expected YAML 1.1\n" },
	{ BYTES("%TAG ! x\n%TAG ! y\n---\na"),
	    "2:1: error: found duplicate %TAG directive, expected YAML 1.1\n" },
	{ BYTES("a: !<x y"),
	    "1:7: error: found no '>' after '!<', expected one (or the text quoted)\n" },
	{ BYTES("[a? b]"),
	    "1:3: error: found '?' in an unquoted text inside [] or {}, expected it quoted\n" },
	{ BYTES("{a: b}}"),
	    "1:7: error: found more after the end of the text, expected nothing\n" },
	{ BYTES("a: \"x\n---\ny\""),
	    "2:1: error: found '---' or '...' inside quotes, expected the closing quote\n" },
	{ BYTES("[a, , b]"), "1:5: error: found no value, expected one before this\n" },
	{ BYTES("a: [\nb: c"), "2:5: error: found a list without its end, expected ',' or ']'\n" },
	{ BYTES("a: 'b' c"), "1:8: error: found something else than a key, expected a key at the "
			     "indentation of the mapping\n" },
	{ BYTES("- - - ]"), "1:7: error: found no value, expected one before this\n" },
	{ BYTES("!!int ''"), "1:1: error: found a value that its form or tag does not allow, "
			     "expected a whole number of at most 4300 digits\n" },
	{ BYTES("\"a\": b\"c\": d"), "1:10: error: found ': ' where no value can begin, expected "
				     "one ': ' in a line and the same indentation (or quotes)\n" },
	{ BYTES("a: |\n  b\n c"), "3:2: error: found something else than a key, expected a key at "
				  "the indentation of the mapping\n" },
	{ BYTES("..."), "1:1: error: found no value, expected one before this\n" },
	{ BYTES("a: !!set [b]"),
	    "1:4: error: found a value that cannot have the tag `!!set`, expected none\n" },
	{ BYTES("a: \x00"
		"b"),
	    "1:4: error: found character U+0000, expected text without control characters\n" },
	{ BYTES("a: \x07"),
	    "1:4: error: found character U+0007, expected text without control characters\n" },
	{ BYTES("a: b\nc: \x7f"),
	    "2:4: error: found character U+007F, expected text without control characters\n" },
	{ BYTES("a: \xff"),
	    "1:4: error: found byte 0xff, which is not UTF-8, expected UTF-8 text\n" },
	{ BYTES("a: 1\nbc: \xc0\xaf"),
	    "2:5: error: found byte 0xc0, which is not UTF-8, expected UTF-8 text\n" },
	{ BYTES("a: \xed\xa0\x80"),
	    "1:4: error: found byte 0xed, which is not UTF-8, expected UTF-8 text\n" },
	{ BYTES("a: \xf4\x90\x80\x80"),
	    "1:4: error: found byte 0xf4, which is not UTF-8, expected UTF-8 text\n" },
	{ BYTES("a: \xe4\xbd"),
	    "1:4: error: found byte 0xe4, which is not UTF-8, expected UTF-8 text\n" },
	{ BYTES("a: \xef\xbf\xbe"),
	    "1:4: error: found character U+FFFE, expected text without control characters\n" },
	{ BYTES("\xff\xfe"
		"a\x00:\x00"),
	    "1:1: error: found UTF-16 text, expected UTF-8\n" },
	{ BYTES("\xfe\xff\x00"
		"a\x00:"),
	    "1:1: error: found UTF-16 text, expected UTF-8\n" },
	{ BYTES("caf\xc3\xa9: \x00"),
	    "1:7: error: found character U+0000, expected text without control characters\n" },
	{ BYTES("a: '\xe4\xbd\xa0' x"), "1:8: error: found something else than a key, expected a "
					"key at the indentation of the mapping\n" },
	{ BYTES("%FOO bar\na: 1\n"),
	    "2:1: error: found no `---` after a line that begins with %, expected one\n" },
	{ BYTES("%FOO bar\n\n# c\n  a: 1\n"),
	    "4:3: error: found no `---` after a line that begins with %, expected one\n" },
	{ BYTES("%FOO"),
	    "1:5: error: found no `---` after a line that begins with %, expected one\n" },
	{ BYTES("%FOO\r\n----\r\n"),
	    "2:1: error: found no `---` after a line that begins with %, expected one\n" },
	{ BYTES("a: 1\n\xef\xbb\xbf"
		"b: 2\n"),
	    "2:1: error: found a byte order mark inside the text, expected it at the beginning "
	    "only\n" },
	{ BYTES("a: !!binary aA"), "1:4: error: found a value that its form or tag does not allow, "
				   "expected base64 data\n" },
	{ BYTES("a: !!binary aA=:ry aA="), "1:4: error: found a value that its form or tag does "
					   "not allow, expected base64 data\n" },
	{ BYTES("a: >2-\n    b\n\t- c\n"),
	    "3:1: error: found a tab character, expected spaces as indentation\n" },
	{ BYTES("{a:[b, !x c]}"),
	    "1:8: error: found a tag (!) that is not known, expected none, or the text quoted\n" },
	{ BYTES("{a :?b}"), "1:5: error: found ':' inside an unquoted text in [] or {}, expected "
			    "the text quoted\n" },
	{ BYTES("[!!str, a]"),
	    "1:2: error: found a tag (!) that is not known, expected none, or the text quoted\n" },
};

static int
parse(struct str text, struct buf *told)
{
	struct arena *arena = arena_new();
	struct problems *problems = problems_new();
	struct node *node = NULL;
	int rc = parse_yaml(arena, text, problems, &node);

	assert_int_equal(rc<0, problems_errors(problems)> 0);
	assert_true(rc == 0 || node == NULL);
	problems_format(problems, told);
	problems_free(problems);
	arena_free(arena);
	return rc;
}

static void
test_refusals(void **state)
{
	int bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct buf told = BUF_INIT(1 << 16), wanted = BUF_INIT(1 << 16);

		buf_addf(&wanted, "t.yaml:%s", refusals[i].told);
		if (parse((struct str){ refusals[i].yaml, refusals[i].n }, &told) == 0 ||
		    strcmp(buf_text(&told), buf_text(&wanted)) != 0) {
			fprintf(stderr, "# %s\n# %snot %s", refusals[i].yaml, buf_text(&told),
			    buf_text(&wanted));
			bad++;
		}
		buf_clear(&told);
		buf_clear(&wanted);
	}
	assert_int_equal(bad, 0);
}

static void
tells(const char *yaml, const char *wanted)
{
	struct buf told = BUF_INIT(1 << 20);

	parse(str_of(yaml), &told);
	assert_string_equal(buf_text(&told), wanted);
	buf_clear(&told);
}

/* Whatever is no syntax does not end the reading; what follows a syntax error cannot be known. */
static void
test_all_at_once(void **state)
{
	static const char first[] = "t.yaml:1:4: error: found a tag (!) that is not known, "
				    "expected none, or the text quoted\n"
				    "t.yaml:2:5: error: found a value that its form or tag does "
				    "not allow, expected a date that exists (quote it to "
				    "keep it as a text)\n"
				    "t.yaml:2:17: error: found a value that its form or tag does "
				    "not allow, expected a whole number of at most 4300 "
				    "digits\n"
				    "t.yaml:3:9: error: found a whole number after `<<:`, expected "
				    "a mapping or a list of mappings\n";
	static const char text[] = "a: !x 1\nb: [2001-13-01, !!int z]\nc: {<<: 3}\n";
	struct buf b = BUF_INIT(4096), wanted = BUF_INIT(4096);

	buf_addf(&b, "%s? [k]\n: =\nd: !!float x\n", text);
	buf_addf(&wanted,
	    "%st.yaml:4:3: error: found a list as a key, expected a text (quote it)\n"
	    "t.yaml:5:3: error: found a bare `=` as a value, expected it quoted\n"
	    "t.yaml:6:4: error: found a value that its form or tag does not allow, expected a "
	    "number\n",
	    first);
	tells(buf_text(&b), buf_text(&wanted));
	buf_reset(&b);
	buf_reset(&wanted);
	buf_addf(&b, "%sd: [1, 2\ne: !y 1\n", text);
	buf_addf(&wanted,
	    "%st.yaml:5:2: error: found a list without its end, expected ',' or ']'\n", first);
	tells(buf_text(&b), buf_text(&wanted));
	buf_clear(&b);
	buf_clear(&wanted);
}

/* A value is never part of what is said: it may be a key. */
static void
test_no_secrets(void **state)
{
	static const char *const texts[] = { "k: sk-secret: x", "k: \"sk-secret",
		"k: !!int sk-secret", "*sk-secret : 1", "k: !sk-secret x", "k: !!float sk-secret",
		"{sk-secret: [1}", "k: !!bool sk-secret", "k: 'sk-secret' x", "sk-secret\nb: c",
		"k: &sk-secret x\nl: &sk-secret y", "!!sk-secret x", "k: !sk-secret!x y",
		"%sk-secret\n- a\nb", "<<: sk-secret", "k: |sk-secret", "!<sk-secret" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf told = BUF_INIT(1 << 16);

		assert_true(parse(str_of(texts[i]), &told) < 0);
		if (strstr(buf_text(&told), "secret"))
			fail_msg("%s", buf_text(&told));
		buf_clear(&told);
	}
}

static void
repeat(struct buf *b, const char *text, int n)
{
	while (n-- > 0)
		buf_add_text(b, text);
}

/* What a text of parts is told: a prefix of it is compared, because the place depends on sizes. */
static void
refused_as(const struct buf *text, const char *what)
{
	struct buf told = BUF_INIT(1 << 16);

	assert_true(buf_ok(text));
	assert_int_equal(parse(buf_str(text), &told), ERR_LIMIT);
	if (strstr(buf_text(&told), what) == NULL)
		fail_msg("%s", buf_text(&told));
	buf_clear(&told);
}

static void
test_deep(void **state)
{
	static const char what[] =
	    ": error: found values nested too deeply, expected at most 256 levels\n";
	struct buf b = BUF_INIT(1 << 20), told = BUF_INIT(1 << 16);

	repeat(&b, "[", 255);
	buf_add_text(&b, "x");
	repeat(&b, "]", 255);
	assert_int_equal(parse(buf_str(&b), &told), 0);
	buf_reset(&b);
	repeat(&b, "[", 256);
	buf_add_text(&b, "x");
	repeat(&b, "]", 256);
	refused_as(&b,
	    "t.yaml:1:257: error: found values nested too deeply, expected at most 256 levels\n");
	buf_reset(&b);
	repeat(&b, "[", 100000);
	refused_as(&b, what);
	buf_reset(&b);
	repeat(&b, "{a: ", 100000);
	refused_as(&b, what);
	buf_reset(&b);
	repeat(&b, "- ", 100000);
	refused_as(&b, what);
	buf_reset(&b);
	for (int i = 0; i < 400; i++) {
		repeat(&b, " ", i);
		buf_add_text(&b, "a:\n");
	}
	refused_as(&b, what);
	buf_clear(&b);
	buf_clear(&told);
}

/* Aliases of aliases: levels that no text shows. */
static void
test_deep_by_aliases(void **state)
{
	struct buf b = BUF_INIT(1 << 20);

	buf_add_text(&b, "- &a0 x\n");
	for (int i = 1; i < 300; i++)
		buf_addf(&b, "- &a%d [*a%d]\n", i, i - 1);
	refused_as(&b,
	    "t.yaml:257:3: error: found values nested too deeply, expected at most 256 levels\n");
	buf_clear(&b);
}

static void
test_billion_laughs(void **state)
{
	struct buf b = BUF_INIT(1 << 16);

	buf_add_text(&b, "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
	for (int i = 1; i < 10; i++) {
		buf_addf(&b, "a%d: &a%d [*a%d", i, i, i - 1);
		for (int j = 1; j < 10; j++)
			buf_addf(&b, ", *a%d", i - 1);
		buf_add_text(&b, "]\n");
	}
	refused_as(&b, "t.yaml:6:5: error: found aliases that expand to too much, expected at most "
		       "1000000 values and 256 "
		       "MiB of text\n");
	buf_clear(&b);
}

/* One large text, many aliases of it. */
static void
test_quadratic(void **state)
{
	struct buf b = BUF_INIT(1 << 20);

	buf_add_text(&b, "a: &a ");
	repeat(&b, "0123456789", 10000);
	buf_add_text(&b, "\nb: [");
	repeat(&b, "*a, ", 10000);
	buf_add_text(&b, "]\n");
	refused_as(&b, "t.yaml:2:4: error: found aliases that expand to too much");
	buf_clear(&b);
}

/* The same through keys, and through merge keys that are copied from mapping to mapping. */
static void
test_merge_bomb(void **state)
{
	struct buf b = BUF_INIT(1 << 24);

	buf_add_text(&b, "a: &a {");
	for (int i = 0; i < 3000; i++)
		buf_addf(&b, "k%d: 1, ", i);
	buf_add_text(&b, "}\nb:\n");
	for (int i = 0; i < 3000; i++)
		buf_add_text(&b, "- {<<: *a}\n");
	refused_as(&b, "t.yaml:336:3: error: found merge keys (<<) that add too much, expected at "
		       "most 1000000 entries\n");
	buf_clear(&b);
}

static void
test_many_values(void **state)
{
	struct buf b = BUF_INIT(1 << 23);

	buf_add_text(&b, "[");
	repeat(&b, "1,", 1000001);
	buf_add_text(&b, "]");
	refused_as(
	    &b, "t.yaml:1:2000000: error: found too many values, expected at most 1000000\n");
	buf_clear(&b);
}

static void
test_many_anchors(void **state)
{
	struct buf b = BUF_INIT(1 << 20);

	for (int i = 0; i < 10001; i++)
		buf_addf(&b, "- &a%d 1\n", i);
	refused_as(
	    &b, "t.yaml:10001:3: error: found too many anchors (&), expected at most 10000\n");
	buf_clear(&b);
}

static void
test_large_numbers(void **state)
{
	struct buf b = BUF_INIT(1 << 16), told = BUF_INIT(1 << 16);

	repeat(&b, "9", 4300);
	assert_int_equal(parse(buf_str(&b), &told), 0);
	repeat(&b, "9", 1);
	assert_int_equal(parse(buf_str(&b), &told), ERR_SYNTAX);
	assert_string_equal(buf_text(&told),
	    "t.yaml:1:1: error: found a value that its form or tag does not allow, expected a "
	    "whole number of at most "
	    "4300 digits\n");
	buf_clear(&b);
	buf_clear(&told);
}

/* Many mistakes: so many are kept, all are counted. */
static void
test_many_mistakes(void **state)
{
	struct buf b = BUF_INIT(1 << 20), told = BUF_INIT(1 << 20);

	repeat(&b, "- !x a\n", 1500);
	assert_int_equal(parse(buf_str(&b), &told), ERR_SYNTAX);
	assert_non_null(strstr(buf_text(&told), "t.yaml:1000:3: error: "));
	assert_null(strstr(buf_text(&told), "t.yaml:1001:3: error: "));
	assert_non_null(strstr(buf_text(&told), "500 more"));
	buf_clear(&b);
	buf_clear(&told);
}

/* More repairs of `{a:[` than a fixed count would allow, with the places still right. */
static void
test_many_repairs(void **state)
{
	struct buf b = BUF_INIT(1 << 20), told = BUF_INIT(1 << 16);

	repeat(&b, "- {a:[1], b:{c:[x]}}\n", 300);
	assert_int_equal(parse(buf_str(&b), &told), 0);
	buf_add_text(&b, "- {a:[1], b:{c:[x]}, d: !x e}\n");
	assert_int_equal(parse(buf_str(&b), &told), ERR_SYNTAX);
	assert_non_null(
	    strstr(buf_text(&told), "t.yaml:301:25: error: found a tag (!) that is not known"));
	buf_clear(&b);
	buf_clear(&told);
}

static void
test_byte_order_mark(void **state)
{
	struct buf told = BUF_INIT(1 << 16);

	assert_int_equal(parse(STR("\xef\xbb\xbf"
				   "a: 1\n"),
			     &told),
	    0);
	assert_int_equal(parse(STR("\xef\xbb\xbf"), &told), 0);
	assert_int_equal(parse(STR("\xef\xbb\xbf"
				   "a: b: c\n"),
			     &told),
	    ERR_SYNTAX);
	assert_int_equal(strncmp(buf_text(&told), "t.yaml:1:5: ", 12), 0);
	buf_clear(&told);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_no_secrets),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_deep_by_aliases),
		cmocka_unit_test(test_billion_laughs),
		cmocka_unit_test(test_quadratic),
		cmocka_unit_test(test_merge_bomb),
		cmocka_unit_test(test_many_values),
		cmocka_unit_test(test_many_anchors),
		cmocka_unit_test(test_large_numbers),
		cmocka_unit_test(test_many_mistakes),
		cmocka_unit_test(test_many_repairs),
		cmocka_unit_test(test_byte_order_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
