/* SPDX-License-Identifier: Apache-2.0 */
/* The client's half of a WebSocket: the accept key of RFC 6455, and what a provider may send. */
#include "tests/unit/unit.h"

#include <string.h>

#include "workers/websocket.h"

#define BYTES(s) (s), sizeof(s) - 1

static void
test_accept(void **state)
{
	char out[WEBSOCKET_ACCEPT_SIZE];

	(void)state;
	websocket_accept(out, STR("dGhlIHNhbXBsZSBub25jZQ=="));
	assert_string_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void
assert_event(struct websocket *w, const char *wanted)
{
	struct str event = websocket_event(w);

	assert_true(websocket_has_event(w));
	assert_int_equal(event.n, strlen(wanted));
	assert_memory_equal(event.p, wanted, event.n);
}

/* Byte by byte, in two fragments with a ping between them. */
static void
test_fragments(void **state)
{
	static const char in[] = "\x01\x02{\"\x89\x01p\x80\x02}!";
	struct websocket *w = websocket_new(STR(""));
	enum websocket_state s = WEBSOCKET_WAITS;
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(in) - 1; i++) {
		assert_int_equal(s, WEBSOCKET_WAITS);
		s = websocket_feed(w, in + i, 1);
		if (i == 6) {
			/* a masked pong of one byte */
			assert_int_equal(websocket_take(w, out, sizeof(out)), 7);
			assert_int_equal((unsigned char)out[0], 0x8a);
			assert_int_equal((unsigned char)out[1], 0x81);
			assert_int_equal(out[6] ^ out[2], 'p');
		}
	}
	assert_int_equal(s, WEBSOCKET_CLOSING);
	assert_event(w, "{\"}!");
	/* our close, masked: 1000 */
	assert_int_equal(websocket_take(w, out, sizeof(out)), 8);
	assert_int_equal((unsigned char)out[0], 0x88);
	assert_int_equal((unsigned char)out[1], 0x82);
	assert_int_equal((unsigned char)(out[6] ^ out[2]), 1000 >> 8);
	assert_int_equal((unsigned char)(out[7] ^ out[3]), 1000 & 255);
	assert_int_equal(websocket_take(w, out, sizeof(out)), 0);
	assert_int_equal(websocket_feed(w, BYTES("\x88\x02\x03\xe8")), WEBSOCKET_OVER);
	websocket_free(w);
}

/* Who has to speak first: one masked text message, then the answer. */
static void
test_first(void **state)
{
	struct websocket *w = websocket_new(STR("{\"setup\":1}"));
	char out[64], text[16] = { 0 };

	(void)state;
	assert_int_equal(websocket_take(w, out, sizeof(out)), 6 + 11);
	assert_int_equal((unsigned char)out[0], 0x81);
	assert_int_equal((unsigned char)out[1], 0x80 | 11);
	for (size_t i = 0; i < 11; i++)
		text[i] = (char)(out[6 + i] ^ out[2 + i % 4]);
	assert_string_equal(text, "{\"setup\":1}");
	assert_int_equal(websocket_take(w, out, sizeof(out)), 0);
	assert_int_equal(websocket_feed(w, BYTES("\x82\x02{}")), WEBSOCKET_CLOSING);
	assert_event(w, "{}");
	websocket_free(w);
}

static void
assert_bad(const char *in, size_t n, const char *words)
{
	struct websocket *w = websocket_new(STR(""));
	struct buf why = BUF_INIT(1024);

	assert_int_equal(websocket_feed(w, in, n), WEBSOCKET_OVER);
	assert_false(websocket_has_event(w));
	(void)websocket_why_not(w, &why);
	if (strstr(buf_text(&why), words) == NULL)
		fail_msg("said: %s", buf_text(&why));
	buf_clear(&why);
	websocket_free(w);
}

static void
test_bad(void **state)
{
	(void)state;
	assert_bad(BYTES("\x88\x08\x03\xf0no key"), "code 1008 before any event: no key");
	assert_bad(BYTES("\x88\x00"), "closed the WebSocket");
	assert_bad(BYTES("HTTP/1.1 200 OK\r\n\r\n"), "no WebSocket frame");
	assert_bad(BYTES("\x81\x81"
			 "aaaa"
			 "b"),
	    "no WebSocket frame");				     /* masked */
	assert_bad(BYTES("\x81\x02\xff\xff"), "no WebSocket frame"); /* not UTF-8 */
	assert_bad(BYTES("\x81\x7f\x00\x00\x00\x00\x7f\xff\xff\xff"
			 "x"),
	    "too large");
	assert_bad(BYTES("\xc1\x01x"), "no WebSocket frame"); /* compressed */
	assert_bad(BYTES("\x80\x01x"), "no WebSocket frame"); /* goes on with nothing */
}

/* A close before any event: its words first, its code else. */
static void
test_close_reasons(void **state)
{
	static const struct {
		unsigned code;
		const char *said;
		enum reason reason;
	} cases[] = {
		{ 1000, "", REASON_BAD_RESPONSE },
		{ 1001, "", REASON_SERVER_ERROR },
		{ 1003, "", REASON_BAD_REQUEST },
		{ 1007, "Request contains an invalid argument.", REASON_BAD_REQUEST },
		{ 1007, "API key not valid. Please pass a valid API key.", REASON_AUTH },
		{ 1008, "", REASON_PERMISSION },
		{ 1008, "no key", REASON_PERMISSION },
		{ 1008, "models/x is not found for API version v1beta", REASON_NOT_FOUND },
		{ 1009, "", REASON_BAD_REQUEST },
		{ 1011, "", REASON_SERVER_ERROR },
		{ 1011, "You exceeded your current quota", REASON_QUOTA },
		{ 1012, "", REASON_SERVER_ERROR },
		{ 1013, "", REASON_SERVER_ERROR },
		{ 1013, "Rate limit reached", REASON_RATE_LIMITED },
		{ 1014, "", REASON_SERVER_ERROR },
		{ 3000, "", REASON_AUTH },
		{ 3000, "invalid_request_error.invalid_api_key", REASON_AUTH },
		{ 3000, "insufficient_quota", REASON_QUOTA },
		{ 3003, "", REASON_PERMISSION },
		{ 3008, "", REASON_TIMEOUT },
		{ 3009, "", REASON_BAD_RESPONSE },
		{ 4001, "", REASON_BAD_RESPONSE },
		{ 4001, "INVALID_API_KEY", REASON_AUTH },
		{ 4004, "model_not_found", REASON_NOT_FOUND },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct websocket *w = websocket_new(STR(""));
		struct buf why = BUF_INIT(1024);
		size_t n = strlen(cases[i].said);
		enum reason reason;
		char in[128] = { '\x88', (char)(2 + n), (char)(cases[i].code >> 8),
			(char)cases[i].code };

		memcpy(in + 4, cases[i].said, n);
		assert_int_equal(websocket_feed(w, in, 4 + n), WEBSOCKET_OVER);
		reason = websocket_why_not(w, &why);
		if (reason != cases[i].reason)
			fail_msg("%u \"%s\": %s", cases[i].code, cases[i].said, reason_name(reason));
		assert_non_null(strstr(buf_text(&why), cases[i].said));
		buf_clear(&why);
		websocket_free(w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_accept),
		cmocka_unit_test(test_fragments), cmocka_unit_test(test_first),
		cmocka_unit_test(test_bad), cmocka_unit_test(test_close_reasons) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
