/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: what is read of a head, what is refused and with which status, both framings of a body.
 */
#include "tests/unit/unit.h"

#include "shared/buf.h"
#include "supervisor/front/http/parse.h"

/* The status that the head is refused with, or 0. */
static int
parse(const char *text, struct http_request *r)
{
	int status = 0;

	return http_parse_head(text, strlen(text), r, &status) < 0 ? status : 0;
}

static void
test_heads(void **state)
{
	struct http_request r;

	assert_int_equal(
	    parse("GET /health?model=a&b HTTP/1.1\r\nHost: h:1\r\nX-API-Key:\t k \r\n\r\n", &r), 0);
	assert_int_equal(r.method, HTTP_GET);
	assert_true(str_is(r.path, "/health"));
	assert_true(str_is(r.query, "model=a&b"));
	assert_true(str_is(r.host, "h:1"));
	assert_true(str_is(r.x_api_key, "k"));
	assert_null(r.authorization.p);
	assert_int_equal(r.minor, 1);
	assert_true(r.keep_alive);

	assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n", &r), 0);
	assert_false(r.keep_alive);
	assert_int_equal(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &r), 0);
	assert_true(r.keep_alive);
	assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", &r), 0);
	assert_false(r.keep_alive);
	assert_int_equal(parse("BREW http://host:1/pot?a=b HTTP/1.1\r\nHost: a\r\n\r\n", &r), 0);
	assert_int_equal(r.method, HTTP_OTHER);
	assert_true(str_is(r.path, "/pot"));
	assert_true(str_is(r.query, "a=b"));
	assert_int_equal(parse("GET http://host HTTP/1.1\r\nHost: a\r\n\r\n", &r), 0);
	assert_true(str_is(r.path, "/"));
	assert_int_equal(parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &r), 0);
	assert_true(str_is(r.path, "*"));
	/* The first of two counts; an empty one is there. */
	assert_int_equal(
	    parse("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nauthorization: b\r\nOrigin:\r\n\r\n", &r),
	    0);
	assert_true(str_is(r.authorization, "a"));
	assert_non_null(r.origin.p);
	assert_int_equal(r.origin.n, 0);
}

static void
test_refused(void **state)
{
	static const struct {
		int status;
		const char *head;
	} cases[] = {
		{ 400, "\r\n" },
		{ 400, "GET\r\n\r\n" },
		{ 400, "GET /\r\n\r\n" },
		{ 400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET / HTTP/1.1 \r\n\r\n" },
		{ 400, "GET / http/1.1\r\n\r\n" },
		{ 400, "GET / HTTP/1.10\r\n\r\n" },
		{ 400, "GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET /#part HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\n\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nA: b\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nA\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n folded\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nA: b\x01\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nA: b\r\n\r\n" },
		{ 400, "GET http://a/ HTTP/1.1\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n" },
		{ 400,
		    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
		       "chunked\r\n\r\n" },
		{ 400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ 417, "GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n" },
		{ 501, "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" },
		{ 505, "GET / HTTP/3.0\r\n\r\n" },
		{ 505, "PRI * HTTP/2.0\r\n\r\n" },
	};
	struct http_request r;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (parse(cases[i].head, &r) != cases[i].status)
			fail_msg("case %zu: %d", i, parse(cases[i].head, &r));
}

static void
test_many_headers(void **state)
{
	struct buf b = BUF_INIT(65536);
	struct http_request r;

	buf_add_text(&b, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 1; i < HTTP_MAX_HEADERS; i++)
		buf_add_text(&b, "A: b\r\n");
	buf_add_text(&b, "\r\n");
	assert_int_equal(parse(buf_text(&b), &r), 0);
	buf_drain(&b, 0);
	b.len -= 2;
	buf_add_text(&b, "A: b\r\n\r\n");
	assert_int_equal(parse(buf_text(&b), &r), 431);
	buf_clear(&b);
}

/* The end is found whatever the pieces, and never before it. */
static void
test_head_end(void **state)
{
	static const char *const heads[] = { "GET / HTTP/1.1\r\nA: b\r\n\r\nrest",
		"GET / HTTP/1.1\r\n\r\nrest", "a\n\nrest", "a\r\n\nrest", "a\n\r\nrest" };

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		size_t n = strlen(heads[i]), end = n - 4, scanned = 0;

		assert_int_equal(http_head_end(heads[i], n, &scanned), end);
		scanned = 0;
		for (size_t k = 0; k < end; k++)
			assert_int_equal(http_head_end(heads[i], k, &scanned), 0);
		assert_int_equal(http_head_end(heads[i], end, &scanned), end);
	}
}

static void
test_bodies(void **state)
{
	static const struct {
		const char *text;
		int err;
		size_t used;
	} cases[] = {
		{ "5\r\nhello\r\n0\r\n\r\nrest", 0, 15 },
		{ "5;a=b\r\nhello\r\n0;c\r\n\r\nrest", 0, 21 },
		{ "3\r\nabc\r\nA\r\n0123456789\r\n0\r\nX: y\r\nZ: 1\r\n\r\nrest", 0, 40 },
		{ "5\r\nhello", ERR_AGAIN, 8 },
		{ "\r\n", ERR_SYNTAX, 0 },
		{ "x\r\n", ERR_SYNTAX, 0 },
		{ "5\nhello\r\n", ERR_SYNTAX, 0 },
		{ "5\r\nhelloX\r\n", ERR_SYNTAX, 0 },
		{ "00000000000000001\r\n", ERR_SYNTAX, 0 },
		{ "ffffffffffffffff\r\n", ERR_LIMIT, 0 },
		{ "65\r\n", ERR_LIMIT, 0 },
		{ "0\r\nX\n\r\n", ERR_SYNTAX, 0 },
	};
	struct http_request chunked = { .chunked = true };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_body_reader b;
		size_t used = 0, at = 0;
		int err;

		/* At once, and byte by byte. */
		assert_int_equal(http_body_begin(&b, &chunked, 100), 0);
		err = http_body_read(&b, cases[i].text, strlen(cases[i].text), &used);
		if (err != cases[i].err)
			fail_msg("case %zu: %d", i, err);
		if (cases[i].used)
			assert_int_equal(used, cases[i].used);
		assert_int_equal(http_body_begin(&b, &chunked, 100), 0);
		err = ERR_AGAIN;
		while (err == ERR_AGAIN && at < strlen(cases[i].text)) {
			err = http_body_read(&b, cases[i].text + at, 1, &used);
			at += used;
		}
		assert_int_equal(err, cases[i].err);
	}
}

/* Many small chunks count together. */
static void
test_chunk_total(void **state)
{
	struct http_request chunked = { .chunked = true };
	struct http_body_reader b;
	size_t used;
	int err = ERR_AGAIN;

	assert_int_equal(http_body_begin(&b, &chunked, 100), 0);
	for (int i = 0; i < 100; i++) {
		err = http_body_read(&b, "1\r\nx\r\n", 6, &used);
		assert_int_equal(err, ERR_AGAIN);
	}
	assert_int_equal(http_body_read(&b, "1\r\nx\r\n", 6, &used), ERR_LIMIT);
}

static void
test_length(void **state)
{
	struct http_request r = { .content_length = 5 };
	struct http_body_reader b;
	size_t used = 0;

	assert_int_equal(http_body_begin(&b, &r, 4), ERR_LIMIT);
	assert_int_equal(http_body_begin(&b, &r, 5), 0);
	assert_int_equal(http_body_read(&b, "hel", 3, &used), ERR_AGAIN);
	assert_int_equal(http_body_read(&b, "lorest", 6, &used), 0);
	assert_int_equal(used, 2);
	r.content_length = 0;
	assert_int_equal(http_body_begin(&b, &r, 0), 0);
	assert_int_equal(b.state, HTTP_BODY_DONE);
}

static void
test_etags(void **state)
{
	struct str etag = STR("\"ab-1\"");

	assert_true(http_etag_matches(STR("\"ab-1\""), etag));
	assert_true(http_etag_matches(STR("\"x\" , W/\"ab-1\""), etag));
	assert_true(http_etag_matches(STR("*"), etag));
	assert_false(http_etag_matches(STR(""), etag));
	assert_false(http_etag_matches((struct str){ NULL, 0 }, etag));
	assert_false(http_etag_matches(STR("ab-1"), etag));
	assert_false(http_etag_matches(STR("\"ab-10\",,"), etag));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_many_headers),
		cmocka_unit_test(test_head_end),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_chunk_total),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_etags),
	};

	return cmocka_run_group_tests_name("http_parse", tests, NULL, NULL);
}
