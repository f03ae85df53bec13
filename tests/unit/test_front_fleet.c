/* SPDX-License-Identifier: Apache-2.0 */
/* Two phases of a configuration, rise and fall, history, staleness, and what a deployment costs. */
#include "supervisor/front/fleet.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "shared/clock.h"
#include "supervisor/front/scheduler.h"
#include "tests/unit/front_test.h"
#include "tests/unit/unit.h"

static int
send(struct front_test *ft, uint32_t generation, uint32_t i)
{
	struct msg_conf_deployment m;

	ft_deployment(&m, i, 2);
	m.generation = generation;
	return fleet_conf_deployment(ft->fleet, &m);
}

static int
commit(struct front_test *ft, uint32_t generation, uint32_t count)
{
	struct msg_conf_commit m = { generation, count };

	return fleet_conf_commit(ft->fleet, &m);
}

static int
take_out(struct front_test *ft, uint32_t generation, uint32_t handle)
{
	struct msg_conf_remove m = { generation, handle };

	return fleet_conf_remove(ft->fleet, &m);
}

static struct deployment *
by_number(struct front_test *ft, uint32_t i)
{
	struct msg_conf_deployment m;

	ft_deployment(&m, i, 2);
	return fleet_find_id(ft->fleet, m.id);
}

static bool
apply(struct front_test *ft, struct deployment *d, bool healthy)
{
	struct msg_result r = ft_result(d->handle, healthy, clock_wall_ms());

	clock_fake_advance_us(1000000);
	return fleet_apply(ft->fleet, d, &r);
}

static void
test_two_phases(void **state)
{
	struct front_test ft;
	uint64_t version;

	ft_open(&ft);
	assert_int_equal(send(&ft, 1, 0), ERR_INVALID);
	assert_int_equal(commit(&ft, 1, 0), ERR_INVALID);
	assert_int_equal(take_out(&ft, 1, 1), ERR_INVALID);
	assert_int_equal(ft_begin(&ft, 1, true), 0);
	assert_int_equal(send(&ft, 2, 0), ERR_INVALID);
	for (uint32_t i = 5; i-- > 0;)
		assert_int_equal(send(&ft, 1, i), 0);
	version = fleet_version(ft.fleet);
	assert_int_equal(fleet_size(ft.fleet), 0);
	assert_int_equal(commit(&ft, 1, 5), 0);
	assert_true(fleet_version(ft.fleet) > version);
	assert_int_equal(fleet_generation(ft.fleet), 1);
	assert_int_equal(fleet_size(ft.fleet), 5);
	assert_int_equal(fleet_pending(ft.fleet), 5);
	/* In model_list's order, whatever the order of sending. */
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(fleet_at(ft.fleet, i)->position, i);
		assert_ptr_equal(fleet_find(ft.fleet, i + 1), fleet_at(ft.fleet, i));
		assert_ptr_equal(by_number(&ft, i), fleet_at(ft.fleet, i));
	}
	assert_null(fleet_find(ft.fleet, 77));
	assert_null(fleet_find_id(ft.fleet, STR("")));
	ft_close(&ft);
}

static void
test_refused_changes_nothing(void **state)
{
	struct front_test ft;
	struct msg_conf_deployment m;

	ft_open(&ft);
	ft_configure(&ft, 1, 3, 2);
	apply(&ft, fleet_at(ft.fleet, 0), true);
	/* A wrong count. */
	assert_int_equal(ft_begin(&ft, 2, false), 0);
	assert_int_equal(take_out(&ft, 2, 1), 0);
	assert_int_equal(take_out(&ft, 2, 1), ERR_INVALID);
	assert_int_equal(take_out(&ft, 2, 99), ERR_INVALID);
	assert_int_equal(commit(&ft, 2, 3), ERR_INVALID);
	/* The same id twice, the same handle twice. */
	assert_int_equal(ft_begin(&ft, 3, true), 0);
	assert_int_equal(send(&ft, 3, 0), 0);
	assert_int_equal(send(&ft, 3, 0), 0);
	assert_int_equal(commit(&ft, 3, 2), ERR_INVALID);
	assert_int_equal(ft_begin(&ft, 4, false), 0);
	assert_int_equal(send(&ft, 4, 7), 0);
	ft_deployment(&m, 8, 1);
	m.generation = 4;
	m.handle = 2;
	assert_int_equal(fleet_conf_deployment(ft.fleet, &m), 0);
	assert_int_equal(commit(&ft, 4, 5), ERR_INVALID);
	/* Begun and never committed; begun again. */
	assert_int_equal(ft_begin(&ft, 5, true), 0);
	assert_int_equal(send(&ft, 5, 9), 0);
	assert_int_equal(ft_begin(&ft, 6, false), 0);
	assert_int_equal(send(&ft, 5, 9), ERR_INVALID);
	/* Nonsense. */
	ft_deployment(&m, 8, 1);
	m.generation = 6;
	m.problem_reason = 1000;
	assert_int_equal(fleet_conf_deployment(ft.fleet, &m), ERR_INVALID);
	m.problem_reason = 0;
	m.id = STR("");
	assert_int_equal(fleet_conf_deployment(ft.fleet, &m), ERR_INVALID);
	assert_int_equal(fleet_generation(ft.fleet), 1);
	assert_int_equal(fleet_size(ft.fleet), 3);
	assert_int_equal(fleet_at(ft.fleet, 0)->verdict.state, VERDICT_HEALTHY);
	ft_close(&ft);
}

static void
test_difference(void **state)
{
	struct front_test ft;
	struct deployment *kept, *changed;
	struct msg_conf_deployment m;

	ft_open(&ft);
	ft_configure(&ft, 1, 4, 2);
	for (size_t i = 0; i < 4; i++)
		apply(&ft, fleet_at(ft.fleet, i), i != 2);
	kept = fleet_at(ft.fleet, 1);
	changed = fleet_at(ft.fleet, 2);
	assert_int_equal(ft_begin(&ft, 2, false), 0);
	assert_int_equal(take_out(&ft, 2, 1), 0);
	assert_int_equal(send(&ft, 2, 8), 0);
	ft_deployment(&m, 2, 2);
	m.generation = 2;
	m.position = 50;
	assert_int_equal(fleet_conf_deployment(ft.fleet, &m), 0);
	assert_int_equal(commit(&ft, 2, 4), 0);
	assert_null(by_number(&ft, 0));
	assert_null(fleet_find(ft.fleet, 1));
	/* The same structs, with their verdicts. */
	assert_ptr_equal(by_number(&ft, 1), kept);
	assert_int_equal(kept->verdict.state, VERDICT_HEALTHY);
	assert_ptr_equal(by_number(&ft, 2), changed);
	assert_ptr_equal(fleet_at(ft.fleet, 3), changed);
	assert_int_equal(changed->verdict.state, VERDICT_UNHEALTHY);
	assert_int_equal(changed->history_len, 1);
	/* Another place is no other configuration. */
	assert_int_equal(changed->generation, 1);
	assert_int_equal(fleet_pending(ft.fleet), 1);
	/* A full one keeps by id too. */
	ft_configure(&ft, 3, 3, 2);
	assert_ptr_equal(by_number(&ft, 1), kept);
	assert_int_equal(kept->verdict.state, VERDICT_HEALTHY);
	assert_null(by_number(&ft, 8));
	ft_close(&ft);
}

static void
test_problem(void **state)
{
	struct front_test ft;
	struct msg_conf_deployment m;
	struct deployment *d;

	ft_open(&ft);
	ft_configure(&ft, 1, 2, 1);
	d = fleet_at(ft.fleet, 0);
	apply(&ft, d, true);
	assert_int_equal(ft_begin(&ft, 2, false), 0);
	ft_deployment(&m, 0, 1);
	m.generation = 2;
	m.problem_reason = REASON_CONFIG;
	m.problem_status = 400;
	m.problem = STR("OPENAI_API_KEY is not set");
	assert_int_equal(fleet_conf_deployment(ft.fleet, &m), 0);
	assert_int_equal(commit(&ft, 2, 2), 0);
	assert_int_equal(d->verdict.state, VERDICT_UNHEALTHY);
	assert_int_equal(d->verdict.reason, REASON_CONFIG);
	assert_string_equal(d->verdict.error, "OPENAI_API_KEY is not set");
	/* A late result of what it was does not count. */
	assert_false(apply(&ft, d, true));
	/* Put right: nothing is known of it again. */
	assert_int_equal(ft_begin(&ft, 3, false), 0);
	assert_int_equal(send(&ft, 3, 0), 0);
	assert_int_equal(commit(&ft, 3, 2), 0);
	assert_int_equal(d->verdict.state, VERDICT_UNKNOWN);
	assert_null(d->verdict.error);
	assert_int_equal(fleet_pending(ft.fleet), 2);
	ft_close(&ft);
}

static void
test_rise_and_fall(void **state)
{
	static const struct {
		const char *rise, *fall, *results, *states; /* +: healthy, -: not */
	} cases[] = {
		{ "1", "1", "+-+--++", "+-+--++" },
		{ "1", "3", "+--+---+",
		    "+++++"
		    "+-+" },
		{ "2", "1", "+-+-++-++", "+----+--+" },
		{ "3", "2", "-++-+++--+",
		    "------+"
		    "+--" },
	};

	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		struct front_test ft;
		struct deployment *d;

		ft_open(&ft);
		ft_set(&ft, SETTING_RISE, cases[c].rise);
		ft_set(&ft, SETTING_FALL, cases[c].fall);
		ft_configure(&ft, 1, 1, 1);
		d = fleet_at(ft.fleet, 0);
		for (size_t i = 0; cases[c].results[i]; i++) {
			int64_t now = clock_wall_ms(), since = d->verdict.since_ms;
			enum verdict_state before = d->verdict.state;

			assert_true(apply(&ft, d, cases[c].results[i] == '+'));
			assert_int_equal(
			    d->verdict.state == VERDICT_HEALTHY, cases[c].states[i] == '+');
			/* What is shown fits the state, also after a result that opposes it. */
			assert_int_equal(
			    d->verdict.error == NULL, d->verdict.state == VERDICT_HEALTHY);
			assert_int_equal(
			    d->verdict.reason == REASON_OK, d->verdict.state == VERDICT_HEALTHY);
			assert_int_equal(
			    d->verdict.since_ms, d->verdict.state == before ? since : now);
			assert_int_equal(d->verdict.checked_at_ms, now);
			assert_int_equal(d->verdict.probes, i + 1);
			assert_int_equal(d->verdict.tokens_in, 8 * (i + 1));
		}
		ft_close(&ft);
	}
}

static void
test_history(void **state)
{
	struct front_test ft;
	struct deployment *d;
	int64_t start;

	ft_open(&ft);
	ft_set(&ft, SETTING_HISTORY, "5");
	ft_configure(&ft, 1, 1, 1);
	d = fleet_at(ft.fleet, 0);
	start = clock_wall_ms();
	for (int i = 0; i < 23; i++)
		apply(&ft, d, i % 2);
	assert_int_equal(d->history_len, 5);
	for (int i = 0; i < 5; i++) {
		const struct history_item *item = deployment_history(d, (size_t)i);

		assert_int_equal(item->checked_at_ms, start + (18 + i) * 1000);
		assert_int_equal(item->reason == REASON_OK, (18 + i) % 2);
		assert_int_equal(item->status, (18 + i) % 2 ? 200 : 500);
	}
	assert_null(deployment_history(d, 5));
	/* Fewer from now on: the newest stay. */
	ft_set(&ft, SETTING_HISTORY, "2");
	ft_configure(&ft, 2, 1, 1);
	assert_int_equal(d->history_len, 2);
	assert_int_equal(deployment_history(d, 1)->checked_at_ms, start + 22000);
	ft_set(&ft, SETTING_HISTORY, "0");
	ft_configure(&ft, 3, 1, 1);
	apply(&ft, d, true);
	assert_int_equal(d->history_len, 0);
	ft_close(&ft);
}

static void
test_time(void **state)
{
	struct front_test ft;
	struct deployment *d;
	struct msg_result r;
	uint64_t version;

	ft_open(&ft);
	ft_configure(&ft, 1, 1, 1);
	d = fleet_at(ft.fleet, 0);
	r = ft_result(1, true, clock_wall_ms());
	assert_true(fleet_apply(ft.fleet, d, &r));
	/* An older one does not count; one of the future counts as of now. */
	r = ft_result(1, false, clock_wall_ms() - 5);
	assert_false(fleet_apply(ft.fleet, d, &r));
	r = ft_result(1, false, INT64_MAX);
	assert_true(fleet_apply(ft.fleet, d, &r));
	assert_int_equal(d->verdict.checked_at_ms, clock_wall_ms());
	/* The clock is set back by an hour: results count again. */
	clock_fake_set(clock_mono_us(), FT_WALL_MS - 3600000);
	r = ft_result(1, true, clock_wall_ms());
	assert_true(fleet_apply(ft.fleet, d, &r));
	assert_int_equal(d->verdict.state, VERDICT_HEALTHY);
	/* Stale after three intervals; that is a change of what is shown. */
	version = fleet_version(ft.fleet);
	fleet_refresh(ft.fleet, clock_wall_ms() + 900000);
	assert_int_equal(fleet_version(ft.fleet), version);
	fleet_refresh(ft.fleet, clock_wall_ms() + 900001);
	assert_true(fleet_version(ft.fleet) > version);
	assert_int_equal(fleet_state(ft.fleet, d, clock_wall_ms() + 900001), VERDICT_STALE);
	ft_close(&ft);
}

static void
test_hostile_result(void **state)
{
	static char longer[200000];
	struct front_test ft;
	struct deployment *d;
	struct kv headers[600];
	struct msg_result r;

	ft_open(&ft);
	ft_configure(&ft, 1, 1, 1);
	d = fleet_at(ft.fleet, 0);
	memset(longer, 'x', sizeof(longer));
	memcpy(longer + 4095, "\xe2\x82\xac", 3);
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		headers[i] = (struct kv){ STR("x-ratelimit-remaining-requests"), STR("12345678") };
	headers[0] = (struct kv){ STR("a\0b"), STR("c") };
	r = ft_result(1, false, clock_wall_ms());
	r.reason = 4000000000u;
	r.error = (struct str){ longer, sizeof(longer) };
	r.detail = (struct str){ longer, 4096 };
	r.raw_request = r.error;
	r.headers = (struct kvs){ headers, ARRAY_LEN(headers) };
	assert_true(fleet_apply(ft.fleet, d, &r));
	assert_int_equal(d->verdict.reason, REASON_PROBE_CRASHED);
	/* Cut, and not within a character. */
	assert_int_equal(strlen(d->verdict.error), 4095);
	assert_int_equal(strlen(d->verdict.detail), 4096);
	assert_null(d->verdict.raw_request);
	assert_string_equal(d->verdict.headers, "x-ratelimit-remaining-requests");
	/* Unhealthy with "ok" is no answer. */
	r = ft_result(1, false, clock_wall_ms());
	r.reason = REASON_OK;
	assert_true(fleet_apply(ft.fleet, d, &r));
	assert_int_equal(d->verdict.reason, REASON_BAD_RESPONSE);
	ft_close(&ft);
}

/* The table itself, all texts and a full history of 16; what http renders comes on top. */
static void
test_memory(void **state)
{
#ifndef WITH_SANITIZERS
	enum { N = 5000 };
	struct front_test ft;
	size_t before, each;

	ft_open(&ft);
	before = mallinfo2().uordblks;
	ft_configure(&ft, 1, N, 40);
	for (int round = 0; round < 16; round++)
		for (size_t i = 0; i < N; i++) {
			struct msg_result r =
			    ft_result((uint32_t)i + 1, true, clock_wall_ms() + round);

			assert_true(fleet_apply(ft.fleet, fleet_at(ft.fleet, i), &r));
		}
	each = (mallinfo2().uordblks - before) / N;
	print_message("# %zu bytes a deployment\n", each);
	assert_in_range(each, 1, 1400);
	ft_close(&ft);
#else
	skip();
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_phases),
		cmocka_unit_test(test_refused_changes_nothing),
		cmocka_unit_test(test_difference),
		cmocka_unit_test(test_problem),
		cmocka_unit_test(test_rise_and_fall),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_hostile_result),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests_name("front_fleet", tests, NULL, NULL);
}
