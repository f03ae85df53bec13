/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of a schedule: the grid, back-off, Retry-After and rate-limit headers. */
#include "supervisor/front/schedule.h"

#include <event2/event.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "supervisor/front/ask.h"
#include "supervisor/front/hash.h"
#include "supervisor/front/pool.h"
#include "supervisor/front/ratelimit.h"
#include "tests/unit/front_test.h"
#include "tests/unit/unit.h"

static void
test_grid(void **state)
{
	struct schedule_rules r = { .interval_ms = 300000, .recheck_ms = 15000 };

	for (r.hash = 0; r.hash < 5000000; r.hash += 123457) {
		int64_t at = schedule_grid(&r, FT_WALL_MS);

		assert_in_range(at - FT_WALL_MS, 0, 299999);
		assert_int_equal(schedule_grid(&r, at), at);
		assert_int_equal(schedule_grid(&r, at + 1), at + 300000);
		assert_int_equal(schedule_slot(&r, at), schedule_slot(&r, at + 299999));
		assert_int_equal(schedule_slot(&r, at) + 1, schedule_slot(&r, at + 300000));
	}
	/* Before 1970 too: a machine without a clock. */
	assert_in_range(schedule_grid(&r, -5) + 5, 0, 299999);
}

static void
test_backoff(void **state)
{
	struct schedule_rules r = { .interval_ms = 300000, .recheck_ms = 15000, .hash = 0 };
	int64_t at = schedule_grid(&r, FT_WALL_MS), last = 0, d;
	bool off;

	for (unsigned streak = 1; streak < 6; streak++) {
		d = schedule_delay(&r, at, streak, -1, &off);
		assert_int_equal(d, 15000 << (streak - 1));
		assert_true(off);
		assert_true(d > last);
		last = d;
	}
	for (unsigned streak = 6; streak < 200; streak++) {
		assert_int_equal(schedule_delay(&r, at, streak, -1, &off), 300000);
		assert_false(off);
	}
	/* Jitter is at most a quarter. */
	r.hash = UINT64_MAX;
	assert_in_range(schedule_delay(&r, at, 1, -1, &off), 15000, 18750);
	/* A re-check slower than the interval is none. */
	r = (struct schedule_rules){ .interval_ms = 5000, .recheck_ms = 15000 };
	assert_in_range(schedule_delay(&r, at, 1, -1, &off), 1, 5000);
	assert_false(off);
}

/* Wherever in the grid a probe fell, the next one comes within an interval, and is another slot's. */
static void
test_gap(void **state)
{
	static const int64_t intervals[] = { 1000, 5000, 30000, 300000 };

	for (size_t i = 0; i < ARRAY_LEN(intervals); i++) {
		struct schedule_rules r = { intervals[i], 15000, 123457 };
		int64_t grid = schedule_grid(&r, FT_WALL_MS);

		for (int64_t at = grid; at < grid + r.interval_ms; at += r.interval_ms / 500 + 1) {
			bool off;
			int64_t delay = schedule_delay(&r, at, 0, -1, &off);

			assert_in_range(delay, 1, r.interval_ms);
			assert_false(off);
			assert_true(schedule_slot(&r, at + delay) > schedule_slot(&r, at));
			/* A second's worth of the grid at most is it away from its place. */
			at += delay;
			assert_in_range(schedule_grid(&r, at) - at, 0, 1000);
			at -= delay;
		}
	}
}

static void
test_retry_after(void **state)
{
	struct schedule_rules r = { .interval_ms = 60000, .recheck_ms = 15000, .hash = 0 };
	int64_t at = schedule_grid(&r, FT_WALL_MS);
	bool off;

	assert_int_equal(schedule_delay(&r, at, 1, 100000, &off), 100000);
	assert_true(off);
	assert_int_equal(schedule_delay(&r, at, 1, 1000, &off), 15000);
	/* Ten years are an hour. */
	assert_int_equal(schedule_delay(&r, at, 1, INT64_MAX, &off), 3600000);
	r.interval_ms = 86400000;
	assert_int_equal(
	    schedule_delay(&r, schedule_grid(&r, FT_WALL_MS), 1, INT64_MAX, &off), 86400000);
}

static void
test_rate_limit_headers(void **state)
{
	static const struct {
		const char *remaining, *reset;
		int64_t ms;
	} cases[] = {
		{ "1", "6m0s", -1 },
		{ "0", "6m0s", 360000 },
		{ "00", "1.5s", 1500 },
		{ "0", "120ms", 120 },
		{ "0", "1h2m3.004s", 3723004 },
		{ "0", "2d", 172800000 },
		{ "0", "17", 17000 },
		{ "0", "0", 0 },
		{ "", "17", -1 },
		{ "0", "", -1 },
		{ "0", "soon", -1 },
		{ "0", "6m0", 360000 },
		{ "0", "ms", -1 },
		{ "0", "-5s", -1 },
		{ "0", "1..5s", -1 },
		{ "0", "1s2x", -1 },
		{ "0", "99999999999999999999999999h", (int64_t)366 * 86400000 },
		{ "0", "Wed, 21 Oct 2026 07:28:00 GMT", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct kv v[] = { { STR("x-ratelimit-reset-tokens"), STR("9h") },
			{ STR("x-ratelimit-remaining-requests"), str_of(cases[i].remaining) },
			{ STR("X-RateLimit-Reset-Requests"), str_of(cases[i].reset) },
			{ STR("x-ratelimit-remaining-tokens"), STR("149984") },
			{ STR("x-ratelimit-remaining-"), STR("0") } };

		assert_int_equal(ratelimit_wait_ms((struct kvs){ v, ARRAY_LEN(v) }), cases[i].ms);
	}
	assert_int_equal(ratelimit_wait_ms((struct kvs){ NULL, 0 }), -1);
}

/* The real thing. */

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grid),
		cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_rate_limit_headers),
	};

	return cmocka_run_group_tests_name("front_schedule", tests, NULL, NULL);
}
