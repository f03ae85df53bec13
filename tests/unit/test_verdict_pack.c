/* SPDX-License-Identifier: Apache-2.0 */
/* What was packed comes back; what is torn, foreign or of another version does not. */
#include "supervisor/front/verdict_pack.h"

#include <string.h>

#include "supervisor/front/verdict.h"
#include "tests/unit/front_test.h"
#include "tests/unit/unit.h"

static const struct verdict_rules rules = { .rise = 2, .fall = 2, .history = 16 };

static void
make(struct deployment *d, bool healthy, int results)
{
	static const struct kv headers[] = { { STR("x-ratelimit-remaining-requests"), STR("99") },
		{ STR("x-ms-region"), STR("") } };

	memset(d, 0, sizeof(*d));
	for (int i = 0; i < results; i++) {
		struct msg_result r = ft_result(1, healthy, FT_WALL_MS + i);

		r.headers = (struct kvs){ headers, 2 };
		r.raw_request = healthy ? STR("") : STR("{\"raw_request_api_base\":\"http://h\"}");
		r.asked_model = STR("gpt-4o-mini \xe2\x82\xac");
		r.exception_status = -1;
		r.dns_us = 1;
		r.connect_us = 300;
		r.tls_us = 70000;
		r.first_byte_us = UINT32_MAX;
		r.tokens_in = UINT32_MAX;
		assert_true(verdict_apply(d, &r, &rules, FT_WALL_MS + 1000));
	}
}

static void
clear(struct deployment *d)
{
	verdict_clear(&d->verdict);
	free(d->history);
}

static void
same_text(const char *a, const char *b)
{
	assert_int_equal(a == NULL, b == NULL);
	if (a)
		assert_string_equal(a, b);
}

static void
test_roundtrip(void **state)
{
	for (int c = 0; c < 4; c++) {
		struct buf b = BUF_INIT(VERDICT_PACKED_MAX);
		struct verdict_unpacked u;
		struct deployment d;
		struct verdict *v = &d.verdict;

		make(&d, c % 2, c < 2 ? 1 : 40);
		v->falling = 1;
		assert_int_equal(verdict_pack(&d, &b), 0);
		assert_int_equal(verdict_unpack(buf_str(&b), &u), 0);
		assert_int_equal(u.verdict.state, v->state);
		assert_int_equal(u.verdict.since_ms, v->since_ms);
		assert_int_equal(u.verdict.checked_at_ms, v->checked_at_ms);
		assert_int_equal(u.verdict.reason, v->reason);
		assert_int_equal(u.verdict.exception_status, v->exception_status);
		assert_int_equal(u.verdict.http_status, v->http_status);
		assert_int_equal(u.verdict.dns_us, 1);
		assert_int_equal(u.verdict.connect_us, 300);
		assert_int_equal(u.verdict.tls_us, 70000);
		assert_int_equal(u.verdict.first_byte_us, UINT32_MAX);
		assert_int_equal(u.verdict.total_us, v->total_us);
		assert_int_equal(u.verdict.falling, 1);
		assert_int_equal(u.verdict.tokens_in, v->tokens_in);
		assert_int_equal(u.verdict.probes, v->probes);
		assert_int_equal(u.verdict.failures, v->failures);
		same_text(u.verdict.error, v->error);
		same_text(u.verdict.detail, v->detail);
		same_text(u.verdict.raw_request, v->raw_request);
		same_text(u.verdict.asked_model, v->asked_model);
		assert_memory_equal(u.verdict.headers, v->headers, 48);
		assert_int_equal(u.n_history, d.history_len);
		for (size_t i = 0; i < u.n_history; i++)
			assert_memory_equal(
			    &u.history[i], deployment_history(&d, i), sizeof(u.history[i]));
		verdict_unpacked_clear(&u);
		buf_clear(&b);
		clear(&d);
	}
}

static void
test_truncated(void **state)
{
	struct buf b = BUF_INIT(VERDICT_PACKED_MAX);
	struct verdict_unpacked u;
	struct deployment d;

	make(&d, false, 5);
	assert_int_equal(verdict_pack(&d, &b), 0);
	for (size_t n = 0; n < b.len; n++) {
		char *copy = malloc(n + 1); /* so that a read past the end is seen */

		memcpy(copy, b.data, n);
		copy = realloc(copy, n ? n : 1);
		assert_int_equal(verdict_unpack((struct str){ copy, n }, &u), ERR_SYNTAX);
		free(copy);
	}
	buf_add_char(&b, '\0');
	assert_int_equal(verdict_unpack(buf_str(&b), &u), ERR_SYNTAX);
	buf_clear(&b);
	clear(&d);
}

static void
test_foreign(void **state)
{
	struct buf b = BUF_INIT(VERDICT_PACKED_MAX);
	struct verdict_unpacked u;
	struct deployment d;

	make(&d, false, 3);
	assert_int_equal(verdict_pack(&d, &b), 0);
	/* Every byte changed to every kind of value: refused or read, never more. */
	for (size_t i = 0; i < b.len; i++) {
		static const unsigned char values[] = { 0x00, 0x7f, 0x80, 0x90, 0xa0, 0xc0, 0xc4,
			0xc6, 0xcf, 0xd3, 0xdb, 0xdd, 0xdf, 0xff };
		char was = b.data[i];

		for (size_t v = 0; v < sizeof(values); v++) {
			b.data[i] = (char)values[v];
			if (verdict_unpack(buf_str(&b), &u) == 0)
				verdict_unpacked_clear(&u);
		}
		b.data[i] = was;
	}
	b.data[3] = VERDICT_PACK_VERSION + 1;
	assert_int_equal(verdict_unpack(buf_str(&b), &u), ERR_INVALID);
	assert_int_equal(verdict_unpack(STR("{\"status\": \"healthy\"}"), &u), ERR_SYNTAX);
	buf_clear(&b);
	clear(&d);
}

/* As version 1 wrote it: it had no time of the first token, and everything else as now. */
static void
test_version_1(void **state)
{
	static const unsigned char recorded[] = {
#include "tests/fixtures/store/verdict-version-1.inc"
	};
	struct str v1 = { (const char *)recorded, sizeof(recorded) };
	struct buf now = BUF_INIT(VERDICT_PACKED_MAX);
	struct verdict_unpacked u;
	int64_t at;

	assert_int_equal(verdict_pack_version(v1), 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(verdict_unpack(i ? buf_str(&now) : v1, &u), 0);
		assert_int_equal(u.verdict.state, VERDICT_UNHEALTHY);
		assert_int_equal(u.verdict.reason, REASON_RATE_LIMITED);
		assert_int_equal(u.verdict.checked_at_ms, 1795230463507 + i * 1000);
		assert_int_equal(u.verdict.since_ms, 1795230401201 + i * 1000);
		assert_int_equal(u.verdict.exception_status, 429);
		assert_int_equal(u.verdict.http_status, 429);
		assert_int_equal(u.verdict.first_byte_us, 183000);
		assert_int_equal(u.verdict.total_us, 183022);
		assert_int_equal(u.verdict.probes, 412);
		assert_int_equal(u.verdict.failures, 3);
		assert_int_equal(u.verdict.tokens_out, 6592);
		assert_int_equal(u.verdict.first_token_us, 0);
		assert_string_equal(u.verdict.error, "litellm.RateLimitError: slow down");
		assert_string_equal(u.verdict.asked_model, "gpt-4o");
		assert_memory_equal(u.verdict.headers, "retry-after\0" "7\0", 14);
		assert_int_equal(u.n_history, 2);
		assert_int_equal(u.history[1].status, 429);
		verdict_unpacked_clear(&u);
		/* Written on, it is of our version. */
		if (i == 0)
			assert_int_equal(verdict_pack_move(v1, 1000, &now, &at), 0);
	}
	assert_int_equal(verdict_pack_version(buf_str(&now)), VERDICT_PACK_VERSION);
	/* A version that says another one's count of fields is neither. */
	for (size_t n = 0; n < v1.n; n++)
		assert_int_equal(verdict_unpack((struct str){ v1.p, n }, &u), ERR_SYNTAX);
	now.data[3 + 4 * (now.data[3] == (char)0xce)] = 1;
	assert_int_equal(verdict_unpack(buf_str(&now), &u), ERR_SYNTAX);
	buf_clear(&now);
}

static void
test_largest(void **state)
{
	static char text[300000];
	struct buf b = BUF_INIT(VERDICT_PACKED_MAX), small = BUF_INIT(100);
	struct verdict_rules most = { 1, 1, VERDICT_HISTORY_MAX, VERDICT_UNKNOWN };
	struct verdict_unpacked u;
	struct deployment d = { 0 };
	struct kv header = { STR("x-ratelimit"), { text, 8000 } };

	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 1500; i++) {
		struct msg_result r = ft_result(1, false, FT_WALL_MS + i);

		r.error = r.detail = r.asked_model = (struct str){ text, sizeof(text) };
		r.raw_request = (struct str){ text, VERDICT_RAW_REQUEST_MAX };
		r.headers = (struct kvs){ &header, 1 };
		assert_true(verdict_apply(&d, &r, &most, FT_WALL_MS + 10000));
	}
	assert_int_equal(verdict_pack(&d, &b), 0);
	assert_int_equal(verdict_unpack(buf_str(&b), &u), 0);
	assert_int_equal(u.n_history, VERDICT_HISTORY_MAX);
	assert_int_equal(strlen(u.verdict.raw_request), VERDICT_RAW_REQUEST_MAX);
	verdict_unpacked_clear(&u);
	assert_int_equal(verdict_pack(&d, &small), ERR_LIMIT);
	buf_clear(&b);
	buf_clear(&small);
	clear(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roundtrip),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests_name("verdict_pack", tests, NULL, NULL);
}
