/* SPDX-License-Identifier: Apache-2.0 */
/* Who is asked when, on a clock that the test moves. */
#include "supervisor/front/scheduler.h"

#include <event2/event.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "supervisor/front/ask.h"
#include "supervisor/front/hash.h"
#include "supervisor/front/pool.h"
#include "supervisor/front/ratelimit.h"
#include "supervisor/front/schedule.h"
#include "tests/unit/front_test.h"
#include "tests/unit/unit.h"

/* That many deployments at so many hosts, one worker, and the first round begins. */
static void
start(struct front_test *ft, size_t deployments, unsigned hosts)
{
	ft_configure(ft, 1, deployments, hosts);
	ft_worker_add(ft, 0);
	scheduler_start(ft->scheduler);
	ft_advance(ft, 1);
}

static void
test_spread(void **state)
{
	enum { N = 5000, SECONDS = 600 };
	static unsigned per_second[SECONDS], times[N + 1];
	struct front_test ft;
	size_t first;
	unsigned most = 0;

	memset(per_second, 0, sizeof(per_second));
	memset(times, 0, sizeof(times));
	ft_open(&ft);
	ft_set(&ft, SETTING_CONCURRENCY, "100000");
	ft_set(&ft, SETTING_PER_HOST, "100000");
	ft_configure(&ft, 1, N, 40);
	ft_worker_add(&ft, 0);
	ft_worker_add(&ft, 1);
	assert_int_equal(fleet_pending(ft.fleet), N);
	scheduler_start(ft.scheduler);
	ft_advance(&ft, 10);
	/* Everything once, at once. */
	assert_int_equal(ft.n_jobs, N);
	assert_int_equal(fleet_pending(ft.fleet), 0);
	/* In model_list's order, each at its own worker. */
	for (size_t i = 0; i < N; i++)
		assert_int_equal(ft.jobs[i].worker, ft.jobs[i].handle % 2);

	first = ft.n_jobs;
	for (int second = 0; second < SECONDS; second++) {
		for (int step = 0; step < 4; step++)
			ft_advance(&ft, 250);
		per_second[second] = (unsigned)(ft.n_jobs - first);
		first = ft.n_jobs;
	}
	for (int s = 0; s < SECONDS; s++)
		if (per_second[s] > most)
			most = per_second[s];
	/* 16.7 a second on average; a herd would be thousands. */
	assert_in_range(most, 17, 45);
	/* In each whole interval everyone has its turn once. */
	for (size_t i = N; i < ft.n_jobs; i++)
		if (ft.jobs[i].at_us > 1000000000 + 300000000)
			times[ft.jobs[i].handle]++;
	for (int i = 1; i <= N; i++)
		assert_in_range(times[i], 1, 2);
	ft_close(&ft);
}

static void
test_caps(void **state)
{
	struct front_test ft;
	size_t answered = 0;

	ft_open(&ft);
	ft.answer = FT_HOLD;
	ft_set(&ft, SETTING_CONCURRENCY, "10");
	ft_set(&ft, SETTING_PER_HOST, "3");
	start(&ft, 100, 5);
	assert_int_equal(ft.n_jobs, 10);
	while (answered < 100) {
		unsigned host[5] = { 0 };

		for (size_t i = answered; i < ft.n_jobs; i++)
			host[(ft.jobs[i].handle - 1) % 5]++;
		assert_true(ft.n_jobs - answered <= 10);
		for (int i = 0; i < 5; i++)
			assert_true(host[i] <= 3);
		ft_answer(&ft, answered++, true);
		ft_settle(&ft);
	}
	/* A full cap delays; nothing is dropped. */
	assert_int_equal(ft.n_jobs, 100);
	assert_int_equal(ft_counts(&ft).in_flight, 0);
	assert_int_equal(fleet_pending(ft.fleet), 0);
	ft_close(&ft);
}

static void
test_slow_host_holds_up_nobody(void **state)
{
	struct front_test ft;
	size_t others = 0;

	ft_open(&ft);
	ft.answer = FT_HOLD;
	ft_set(&ft, SETTING_CONCURRENCY, "8");
	ft_set(&ft, SETTING_PER_HOST, "2");
	start(&ft, 100, 4);
	/* Host 0 never answers. */
	for (size_t i = 0; i < ft.n_jobs; i++) {
		if ((ft.jobs[i].handle - 1) % 4 == 0)
			continue;
		ft_answer(&ft, i, true);
		ft_settle(&ft);
		others++;
	}
	assert_int_equal(others, 75);
	assert_int_equal(ft_counts(&ft).in_flight, 2);
	assert_int_equal(ft_counts(&ft).queued, 23);
	ft_close(&ft);
}

static void
test_per_second(void **state)
{
	static const struct {
		const char *limit;
		unsigned n;
	} cases[] = { { "1", 1 }, { "7", 7 }, { "50", 50 }, { "400", 400 } };

	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		struct front_test ft;
		size_t n;

		ft_open(&ft);
		ft_set(&ft, SETTING_CONCURRENCY, "100000");
		ft_set(&ft, SETTING_PER_SECOND, cases[c].limit);
		ft_configure(&ft, 1, 1000, 0);
		ft_worker_add(&ft, 0);
		scheduler_start(ft.scheduler);
		for (int i = 0; i < 2000; i++)
			ft_advance(&ft, 1);
		n = ft.n_jobs;
		/* Two seconds' worth, less what rounding to whole milliseconds costs. */
		assert_in_range(n, 2 * cases[c].n - cases[c].n / 10 - 1, 2 * cases[c].n + 1);
		/* In no second more than the limit. */
		for (size_t i = cases[c].n; i < n; i++)
			assert_true(ft.jobs[i].at_us - ft.jobs[i - cases[c].n].at_us >= 999000);
		ft_close(&ft);
	}
}

static void
test_recheck(void **state)
{
	struct front_test ft;
	static const int64_t wanted_s[] = { 15, 30, 60, 120, 240 };
	int64_t last;

	ft_open(&ft);
	ft.answer = FT_FAIL;
	ft_set(&ft, SETTING_HC_INTERVAL, "100000");
	start(&ft, 1, 1);
	assert_int_equal(ft.n_jobs, 1);
	last = ft.jobs[0].at_us;
	for (size_t i = 0; i < ARRAY_LEN(wanted_s); i++) {
		while (ft.n_jobs == i + 1)
			ft_advance(&ft, 500);
		assert_in_range((ft.jobs[i + 1].at_us - last) / 1000, wanted_s[i] * 1000,
		    wanted_s[i] * 1250 + 500);
		last = ft.jobs[i + 1].at_us;
	}
	/* Healthy again: no more re-checks. */
	ft.answer = FT_HEALTHY;
	while (ft.n_jobs == 6)
		ft_advance(&ft, 500);
	assert_true(
	    scheduler_due_us(fleet_at(ft.fleet, 0)) - clock_mono_us() > 10000 * (int64_t)1000000);
	ft_close(&ft);
}

static void
test_retry_after_is_honoured(void **state)
{
	struct front_test ft;
	int64_t due;

	ft_open(&ft);
	ft.answer = FT_FAIL;
	ft.retry_after_ms = 40000;
	start(&ft, 1, 1);
	due = scheduler_due_us(fleet_at(ft.fleet, 0));
	assert_in_range((due - clock_mono_us()) / 1000, 40000, 40000);
	ft_close(&ft);
}

/* Who is told to wait for longer than a verdict lasts is not late. */
static void
test_retry_after_is_not_stale(void **state)
{
	struct front_test ft;
	struct deployment *d;
	int64_t last = 0;

	ft_open(&ft);
	ft.answer = FT_FAIL;
	ft.retry_after_ms = 3600000; /* three intervals are 15 minutes */
	start(&ft, 1, 1);
	d = fleet_at(ft.fleet, 0);
	last = d->verdict.checked_at_ms;
	assert_int_equal(fleet_state(ft.fleet, d, last + 3600000), VERDICT_UNHEALTHY);
	assert_int_equal(
	    fleet_state(ft.fleet, d, last + 3600000 + d->timeout_ms), VERDICT_UNHEALTHY);
	/* Nobody has asked when it could be asked again. */
	assert_int_equal(fleet_state(ft.fleet, d, last + 3600002 + d->timeout_ms), VERDICT_STALE);
	/* The next answer asks for nothing. */
	ft.retry_after_ms = -1;
	ft_advance(&ft, 3600001);
	assert_true(d->verdict.checked_at_ms > last);
	last = d->verdict.checked_at_ms;
	assert_int_equal(fleet_state(ft.fleet, d, last + 900001), VERDICT_STALE);
	ft_close(&ft);
}

static void
test_reload_keeps_the_place(void **state)
{
	struct front_test ft;
	int64_t due[50];

	ft_open(&ft);
	start(&ft, 50, 3);
	for (size_t i = 0; i < 50; i++)
		due[i] = scheduler_due_us(fleet_at(ft.fleet, i));
	clock_fake_advance_us(700000);
	/* The same again, ten more: nobody who stayed is asked again. */
	ft_configure(&ft, 2, 60, 3);
	ft_advance(&ft, 1);
	assert_int_equal(ft.n_jobs, 60);
	for (size_t i = 0; i < 50; i++)
		assert_int_equal(scheduler_due_us(fleet_at(ft.fleet, i)), due[i]);
	/* Fewer: what has gone is not asked, and frees what waited for it. */
	ft_configure(&ft, 3, 20, 3);
	ft_advance(&ft, 400000);
	for (size_t i = 60; i < ft.n_jobs; i++)
		assert_true(ft.jobs[i].handle <= 20);
	ft_close(&ft);
}

static void
test_changed_deployment_is_asked_again(void **state)
{
	struct front_test ft;
	struct msg_conf_deployment m;
	struct msg_conf_commit commit = { 2, 3 };

	ft_open(&ft);
	start(&ft, 3, 1);
	assert_int_equal(ft_begin(&ft, 2, false), 0);
	ft_deployment(&m, 1, 1);
	m.generation = 2;
	m.model = STR("openai/other");
	assert_int_equal(fleet_conf_deployment(ft.fleet, &m), 0);
	assert_int_equal(fleet_conf_commit(ft.fleet, &commit), 0);
	scheduler_configure(ft.scheduler);
	ft_advance(&ft, 1);
	assert_int_equal(ft.n_jobs, 4);
	assert_int_equal(ft.jobs[3].handle, 2);
	assert_int_equal(ft.jobs[3].generation, 2);
	ft_close(&ft);
}

static void
test_not_in_background(void **state)
{
	struct front_test ft;
	struct msg_conf_commit commit = { 1, 4 };

	ft_open(&ft);
	assert_int_equal(ft_begin(&ft, 1, true), 0);
	for (uint32_t i = 0; i < 4; i++) {
		struct msg_conf_deployment m;

		ft_deployment(&m, i, 1);
		m.flags = i == 1 ? DEPLOYMENT_DISABLED : i == 2 ? DEPLOYMENT_OUTSIDE : 0;
		if (i == 3) {
			m.problem_reason = REASON_CONFIG;
			m.problem = STR("no key");
		}
		assert_int_equal(fleet_conf_deployment(ft.fleet, &m), 0);
	}
	assert_int_equal(fleet_conf_commit(ft.fleet, &commit), 0);
	scheduler_configure(ft.scheduler);
	ft_worker_add(&ft, 0);
	scheduler_start(ft.scheduler);
	ft_advance(&ft, 400000);
	assert_true(ft.n_jobs >= 1);
	for (size_t i = 0; i < ft.n_jobs; i++)
		assert_int_equal(ft.jobs[i].handle, 1);
	assert_int_equal(
	    fleet_state(ft.fleet, fleet_at(ft.fleet, 1), clock_wall_ms()), VERDICT_DISABLED);
	assert_int_equal(
	    fleet_state(ft.fleet, fleet_at(ft.fleet, 3), clock_wall_ms()), VERDICT_UNHEALTHY);
	ft_close(&ft);
}

static size_t answered;

static void
on_answered(void *arg)
{
	answered++;
}

static size_t
ask_all(struct front_test *ft, struct ask **out, int64_t max_age_ms)
{
	static struct deployment *all[5000];
	size_t n = fleet_size(ft->fleet);

	for (size_t i = 0; i < n; i++)
		all[i] = fleet_at(ft->fleet, i);
	assert_int_equal(ask_new(ft->scheduler, all, n, max_age_ms, STR("request-1"), on_answered, NULL, out), 0);
	return n;
}

static void
test_background_off(void **state)
{
	struct front_test ft;
	struct ask *a;

	answered = 0;
	ft_open(&ft);
	ft_set(&ft, SETTING_BACKGROUND, "false");
	ft_configure(&ft, 1, 5, 1);
	ft_worker_add(&ft, 0);
	scheduler_start(ft.scheduler);
	ft_advance(&ft, 1000000);
	assert_int_equal(ft.n_jobs, 0);
	ask_all(&ft, &a, 0);
	assert_int_equal(answered, 0);
	ft_settle(&ft);
	assert_int_equal(answered, 1);
	assert_int_equal(ft.n_jobs, 5);
	ft_advance(&ft, 1000000);
	assert_int_equal(ft.n_jobs, 5);
	ft_close(&ft);
}

static void
test_single_flight(void **state)
{
	struct front_test ft;
	struct ask *asks[101];

	answered = 0;
	ft_open(&ft);
	ft.answer = FT_HOLD;
	ft_set(&ft, SETTING_BACKGROUND, "false");
	ft_configure(&ft, 1, 20, 2);
	ft_worker_add(&ft, 0);
	scheduler_start(ft.scheduler);
	for (int i = 0; i < 100; i++)
		ask_all(&ft, &asks[i], 0);
	ft_settle(&ft);
	assert_int_equal(ft.n_jobs, 20);
	/* One more while they run: waits for those. */
	ask_all(&ft, &asks[100], 0);
	ft_settle(&ft);
	assert_int_equal(ft.n_jobs, 20);
	assert_int_equal(ft_counts(&ft).shared, 100 * 20);
	/* Half of them give up. */
	for (int i = 0; i < 50; i++)
		ask_cancel(asks[i]);
	for (size_t i = 0; i < 19; i++)
		ft_answer(&ft, i, true);
	ft_settle(&ft);
	assert_int_equal(answered, 0);
	ft_answer(&ft, 19, false);
	ft_settle(&ft);
	assert_int_equal(answered, 51);
	assert_int_equal(ft_counts(&ft).waiters, 0);
	/* Fresh enough: nothing is asked, and the answer comes from the loop. */
	ask_all(&ft, &asks[0], 60000);
	assert_int_equal(answered, 51);
	ft_settle(&ft);
	assert_int_equal(answered, 52);
	assert_int_equal(ft.n_jobs, 20);
	ft_close(&ft);
}

static void
test_cancelled_ask_is_not_probed(void **state)
{
	struct front_test ft;
	struct ask *a;

	ft_open(&ft);
	ft.answer = FT_HOLD;
	ft_set(&ft, SETTING_BACKGROUND, "false");
	ft_set(&ft, SETTING_CONCURRENCY, "4");
	ft_configure(&ft, 1, 20, 2);
	ft_worker_add(&ft, 0);
	ask_all(&ft, &a, 0);
	ft_settle(&ft);
	assert_int_equal(ft.n_jobs, 4);
	ask_cancel(a);
	for (size_t i = 0; i < 4; i++)
		ft_answer(&ft, i, true);
	ft_settle(&ft);
	assert_int_equal(ft.n_jobs, 4);
	assert_int_equal(ft_counts(&ft).queued, 0);
	ft_close(&ft);
}

static void
test_ask_survives_reload(void **state)
{
	struct front_test ft;
	struct ask *a;

	answered = 0;
	ft_open(&ft);
	ft.answer = FT_HOLD;
	ft_set(&ft, SETTING_BACKGROUND, "false");
	ft_configure(&ft, 1, 4, 2);
	ft_worker_add(&ft, 0);
	ask_all(&ft, &a, 0);
	ft_settle(&ft);
	assert_int_equal(ft.n_jobs, 4);
	/* Two of the four end; their jobs are cancelled, and they count as answered. */
	ft_configure(&ft, 2, 2, 2);
	ft_settle(&ft);
	assert_int_equal(ft.cancels, 2);
	assert_int_equal(answered, 0);
	for (size_t i = 0; i < 4; i++)
		ft_answer(&ft, i, true);
	ft_settle(&ft);
	assert_int_equal(answered, 1);
	assert_int_equal(ft_counts(&ft).in_flight, 0);
	ft_close(&ft);
}

/* The key's variable has gone: what runs is given up, and nobody waits for ever. */
static void
test_problem_while_asked(void **state)
{
	struct front_test ft;
	struct msg_conf_commit commit = { 2, 3 };
	struct ask *a;

	answered = 0;
	ft_open(&ft);
	ft.answer = FT_HOLD;
	ft_set(&ft, SETTING_CONCURRENCY, "1");
	start(&ft, 3, 1);
	ask_all(&ft, &a, 0);
	ft_settle(&ft);
	assert_int_equal(ft.n_jobs, 1);
	assert_int_equal(ft_begin(&ft, 2, false), 0);
	for (uint32_t i = 0; i < 3; i++) {
		struct msg_conf_deployment m;

		ft_deployment(&m, i, 1);
		m.generation = 2;
		m.problem_reason = REASON_CONFIG;
		m.problem = STR("no key");
		assert_int_equal(fleet_conf_deployment(ft.fleet, &m), 0);
	}
	assert_int_equal(fleet_conf_commit(ft.fleet, &commit), 0);
	scheduler_configure(ft.scheduler);
	ft_settle(&ft);
	assert_int_equal(answered, 1);
	assert_int_equal(ft.cancels, 1);
	assert_int_equal(ft_counts(&ft).in_flight + ft_counts(&ft).queued, 0);
	ft_advance(&ft, 1000000);
	assert_int_equal(ft.n_jobs, 1);
	ft_close(&ft);
}

static void
test_demand_first(void **state)
{
	struct front_test ft;
	struct ask *a;
	struct deployment *last;

	answered = 0;
	ft_open(&ft);
	ft.answer = FT_HOLD;
	ft_set(&ft, SETTING_CONCURRENCY, "2");
	start(&ft, 100, 3);
	assert_int_equal(ft.n_jobs, 2);
	last = fleet_at(ft.fleet, 99);
	assert_int_equal(ask_new(ft.scheduler, &last, 1, 0, STR(""), on_answered, NULL, &a), 0);
	ft_answer(&ft, 0, true);
	ft_settle(&ft);
	assert_int_equal(ft.n_jobs, 3);
	assert_int_equal(ft.jobs[2].handle, 100);
	ft_answer(&ft, 2, true);
	ft_settle(&ft);
	assert_int_equal(answered, 1);
	ft_close(&ft);
}

static void
test_no_worker(void **state)
{
	struct front_test ft;

	ft_open(&ft);
	ft_configure(&ft, 1, 10, 1);
	scheduler_start(ft.scheduler);
	ft_advance(&ft, 5000);
	assert_int_equal(ft_counts(&ft).queued, 10);
	ft_worker_add(&ft, 2);
	ft_settle(&ft);
	assert_int_equal(ft.n_jobs, 10);
	assert_int_equal(fleet_pending(ft.fleet), 0);
	ft_close(&ft);
}

static void
test_stop(void **state)
{
	struct front_test ft;

	ft_open(&ft);
	ft.answer = FT_HOLD;
	ft_set(&ft, SETTING_CONCURRENCY, "2");
	start(&ft, 10, 1);
	scheduler_stop(ft.scheduler);
	ft_answer(&ft, 0, true);
	ft_answer(&ft, 1, true);
	ft_advance(&ft, 1000000);
	assert_int_equal(ft.n_jobs, 2);
	assert_int_equal(ft_counts(&ft).in_flight + ft_counts(&ft).queued, 0);
	ft_close(&ft);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_slow_host_holds_up_nobody),
		cmocka_unit_test(test_per_second),
		cmocka_unit_test(test_recheck),
		cmocka_unit_test(test_retry_after_is_honoured),
		cmocka_unit_test(test_retry_after_is_not_stale),
		cmocka_unit_test(test_reload_keeps_the_place),
		cmocka_unit_test(test_changed_deployment_is_asked_again),
		cmocka_unit_test(test_not_in_background),
		cmocka_unit_test(test_background_off),
		cmocka_unit_test(test_single_flight),
		cmocka_unit_test(test_cancelled_ask_is_not_probed),
		cmocka_unit_test(test_ask_survives_reload),
		cmocka_unit_test(test_problem_while_asked),
		cmocka_unit_test(test_demand_first),
		cmocka_unit_test(test_no_worker),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests_name("front_scheduler", tests, NULL, NULL);
}
