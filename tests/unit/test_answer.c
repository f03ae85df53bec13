/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON reader of answers: what it accepts, what it finds, and the words for what it refuses. */
#include "tests/unit/fixture.h"

#include <sys/stat.h>

#include "workers/dialects/answer.h"

static const struct answer_place places[] = {
	{ -1, NULL },  /* 0 */
	{ 0, "a" },    /* 1 */
	{ 1, "[]" },   /* 2 */
	{ 2, "b" },    /* 3 */
	{ 0, "usage" } /* 4 */
};
#define N ARRAY_LEN(places)

/* Reads a copy of exactly its size, so that a read past its end is seen. */
static int
read_exact(struct str body, struct answer_value *v, struct answer_fault *fault)
{
	char *exact = malloc(body.n ? body.n : 1);
	int err;

	memcpy(exact, body.p, body.n);
	err = answer_read((struct str){ exact, body.n }, places, N, v, fault);
	for (size_t i = 0; i < N && err == 0; i++)
		if (v[i].raw.p)
			v[i].raw.p = body.p + (v[i].raw.p - exact);
	free(exact);
	return err;
}

static void
test_places(void **state)
{
	struct answer_value v[N];
	struct answer_fault fault;

	assert_int_equal(
	    read_exact(STR(" {\"x\":{\"a\":1},\"a\":[{\"b\":\"t\\n\"},{\"b\":2}],\"usage\":17} \n"),
		v, &fault),
	    0);
	assert_int_equal(v[0].kind, ANSWER_OBJECT);
	assert_int_equal(v[0].count, 3);
	assert_int_equal(v[1].kind, ANSWER_ARRAY);
	assert_int_equal(v[1].count, 2);
	assert_int_equal(v[2].kind, ANSWER_OBJECT);
	assert_int_equal(v[3].kind, ANSWER_STRING);
	assert_true(str_is(v[3].raw, "t\\n"));
	assert_int_equal(answer_count(&v[4]), 17);

	/* The last of two counts, and nothing of the first stays. */
	assert_int_equal(read_exact(STR("{\"a\":[{\"b\":1}],\"a\":[7]}"), v, &fault), 0);
	assert_int_equal(v[2].kind, ANSWER_NUMBER);
	assert_int_equal(v[3].kind, ANSWER_ABSENT);
	assert_int_equal(read_exact(STR("{\"a\":[{\"b\":1}],\"a\":null}"), v, &fault), 0);
	assert_int_equal(v[1].kind, ANSWER_NULL);
	assert_int_equal(v[2].kind, ANSWER_ABSENT);
	assert_int_equal(v[3].kind, ANSWER_ABSENT);

	assert_int_equal(read_exact(STR("[{\"b\":1}]"), v, &fault), 0);
	assert_int_equal(v[0].kind, ANSWER_ARRAY);
	assert_int_equal(v[1].kind, ANSWER_ABSENT);
	assert_int_equal(answer_read(STR("true"), NULL, 0, NULL, &fault), 0);
}

static void
test_counts(void **state)
{
	static const struct {
		const char *body;
		uint32_t want;
	} cases[] = { { "{\"usage\":0}", 0 }, { "{\"usage\":4294967295}", UINT32_MAX },
		{ "{\"usage\":4294967296}", 0 }, { "{\"usage\":-1}", 0 }, { "{\"usage\":1.5}", 0 },
		{ "{\"usage\":1e3}", 0 }, { "{\"usage\":\"5\"}", 0 }, { "{\"usage\":null}", 0 },
		{ "{\"usage\":99999999999999999999999999999}", 0 }, { "{}", 0 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct answer_value v[N];
		struct answer_fault fault;

		assert_int_equal(read_exact(str_of(cases[i].body), v, &fault), 0);
		assert_int_equal(answer_count(&v[4]), cases[i].want);
	}
}

/* The words are those of CPython's json module for the same text. */
static void
test_faults(void **state)
{
	static const struct {
		const char *body;
		int err;
		const char *want;
	} cases[] = {
		{ "", ERR_SYNTAX, "Expecting value: line 1 column 1 (char 0)" },
		{ "not json", ERR_SYNTAX, "Expecting value: line 1 column 1 (char 0)" },
		{ "<html>", ERR_SYNTAX, "Expecting value: line 1 column 1 (char 0)" },
		{ "\xef\xbb\xbf{}", ERR_SYNTAX, "Expecting value: line 1 column 1 (char 0)" },
		{ "{\"a\":1", ERR_SYNTAX, "Expecting ',' delimiter: line 1 column 7 (char 6)" },
		{ "{\"a\"", ERR_SYNTAX, "Expecting ':' delimiter: line 1 column 5 (char 4)" },
		{ "{\"a\":", ERR_SYNTAX, "Expecting value: line 1 column 6 (char 5)" },
		{ "{", ERR_SYNTAX,
		    "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)" },
		{ "[1,\n 2,\n x]", ERR_SYNTAX, "Expecting value: line 3 column 2 (char 9)" },
		{ "[\"\xc3\xa4\xc3\xa4\", x]", ERR_SYNTAX,
		    "Expecting value: line 1 column 8 (char 7)" },
		{ "{} x", ERR_SYNTAX, "Extra data: line 1 column 4 (char 3)" },
		{ "01", ERR_SYNTAX, "Extra data: line 1 column 2 (char 1)" },
		{ "[\"abc", ERR_SYNTAX,
		    "Unterminated string starting at: line 1 column 2 (char 1)" },
		{ "[\"a\x01\"]", ERR_SYNTAX,
		    "Invalid control character at: line 1 column 4 (char 3)" },
		{ "[\"a\\x\"]", ERR_SYNTAX, "Invalid \\escape: line 1 column 4 (char 3)" },
		{ "[\"a\\u12g4\"]", ERR_SYNTAX,
		    "Invalid \\uXXXX escape: line 1 column 5 (char 4)" },
		{ "[NaN]", ERR_SYNTAX, "Expecting value: line 1 column 2 (char 1)" },
		{ "[-]", ERR_SYNTAX, "Expecting value: line 1 column 2 (char 1)" },
		{ "[tru]", ERR_SYNTAX, "Expecting value: line 1 column 2 (char 1)" },
		{ "[\"\xff\"]", ERR_INVALID, "Invalid UTF-8: line 1 column 3 (char 2)" },
		{ "[\"\xed\xa0\x80\"]", ERR_INVALID, "Invalid UTF-8: line 1 column 3 (char 2)" },
		{ "[\"\xc0\xaf\"]", ERR_INVALID, "Invalid UTF-8: line 1 column 3 (char 2)" },
		{ "[\"\xf4\x90\x80\x80\"]", ERR_INVALID,
		    "Invalid UTF-8: line 1 column 3 (char 2)" },
		{ "[\"\xe2\x82", ERR_INVALID, "Invalid UTF-8: line 1 column 3 (char 2)" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text = BUF_INIT(1000);
		struct answer_value v[N];
		struct answer_fault fault;

		assert_int_equal(read_exact(str_of(cases[i].body), v, &fault), cases[i].err);
		answer_fault_text(&text, str_of(cases[i].body), &fault);
		assert_string_equal(buf_text(&text), cases[i].want);
		buf_clear(&text);
	}
}

static void
test_depth(void **state)
{
	for (size_t depth = ANSWER_MAX_DEPTH - 1; depth <= ANSWER_MAX_DEPTH + 1; depth++) {
		struct buf body = BUF_INIT(10000);
		struct answer_value v[N];
		struct answer_fault fault;

		for (size_t i = 0; i < depth; i++)
			buf_add_char(&body, '[');
		for (size_t i = 0; i < depth; i++)
			buf_add_char(&body, ']');
		assert_int_equal(read_exact(buf_str(&body), v, &fault),
		    depth <= ANSWER_MAX_DEPTH ? 0 : ERR_LIMIT);
		buf_clear(&body);
	}
}

static void
test_text(void **state)
{
	static const struct {
		const char *raw, *want;
	} cases[] = {
		{ "", "" },
		{ "plain \xc3\xa4", "plain \xc3\xa4" },
		{ "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t" },
		{ "\\u0041\\u00e4\\u20AC", "A\xc3\xa4\xe2\x82\xac" },
		{ "\\ud83d\\ude00x", "\xf0\x9f\x98\x80x" },
		{ "\\ud83dx", "\xef\xbf\xbdx" },
		{ "\\ude00\\ud83d", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\\ud83d\\u0041", "\xef\xbf\xbd"
				    "A" },
		{ "\\u0000", "\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text = BUF_INIT(1000);

		answer_text(&text, str_of(cases[i].raw));
		assert_string_equal(buf_text(&text), cases[i].want);
		buf_clear(&text);
	}
}

static void
test_members(void **state)
{
	struct str object = STR(" { \"a\" : 1 , \"b\\n\":[1,{\"x\":2}],\"c\":\"d,e\" }"), key,
		   value;
	size_t at = 0;

	assert_true(answer_member(object, &at, &key, &value));
	assert_true(str_is(key, "a") && str_is(value, "1"));
	assert_true(answer_member(object, &at, &key, &value));
	assert_true(str_is(key, "b\\n") && str_is(value, "[1,{\"x\":2}]"));
	assert_true(answer_member(object, &at, &key, &value));
	assert_true(str_is(key, "c") && str_is(value, "\"d,e\""));
	assert_false(answer_member(object, &at, &key, &value));
	at = 0;
	assert_false(answer_member(STR("{}"), &at, &key, &value));
	at = 0;
	assert_false(answer_member(STR("[1]"), &at, &key, &value));
}

static size_t
decode_base64(const char *text, unsigned char *out)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	size_t n = 0;
	int have = 0;

	for (; *text && *text != '='; text++) {
		bits = bits << 6 | (uint32_t)(strchr(digits, *text) - digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (unsigned char)(bits >> have);
		}
	}
	return n;
}

/* JSONTestSuite, where it is: what must be accepted is, what must be refused is. */
static void
test_corpus(void **state)
{
	static const char corpus[] = "../shared/corpus/json/parsing.json";
	json_t *whole, *c;
	struct stat st;
	size_t i;

	if (stat(unit_source_path(corpus), &st) < 0) {
		print_message("skipped: no %s\n", corpus);
		skip();
	}
	whole = fixture_load(corpus);
	json_array_foreach(json_object_get(whole, "cases"), i, c)
	{
		const char *text = fixture_text(c, "base64"), *expect = fixture_text(c, "expect");
		unsigned char *body = malloc(strlen(text) + 1);
		size_t n = decode_base64(text, body);
		struct answer_value v[N];
		struct answer_fault fault;
		int err;

		assert_int_equal(n, json_integer_value(json_object_get(c, "bytes")));
		err = read_exact((struct str){ (const char *)body, n }, v, &fault);
		if ((strcmp(expect, "accept") == 0 && err < 0) ||
		    (strcmp(expect, "reject") == 0 && err == 0))
			fail_msg("%s: %d, expected %s", fixture_text(c, "name"), err, expect);
		free(body);
	}
	assert_true(i > 300);
	json_decref(whole);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_corpus),
	};

	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
