/* SPDX-License-Identifier: Apache-2.0 */
/* Workers that die, refuse, hang and lie. */
#include "supervisor/front/pool.h"

#include <event2/event.h>

#include "shared/clock.h"
#include "shared/peer.h"
#include "supervisor/front/scheduler.h"
#include "tests/unit/front_test.h"
#include "tests/unit/unit.h"

static void
open_with(struct front_test *ft, size_t n, enum ft_answer answer, unsigned workers)
{
	ft_open(ft);
	ft->answer = answer;
	ft_configure(ft, 1, n, 1);
	for (unsigned i = 0; i < workers; i++)
		ft_worker_add(ft, i);
	scheduler_start(ft->scheduler);
	ft_advance(ft, 1);
}

static void
test_affinity(void **state)
{
	struct front_test ft;

	open_with(&ft, 40, FT_HEALTHY, 4);
	ft_advance(&ft, 400000);
	assert_true(ft.n_jobs >= 80);
	for (size_t i = 0; i < ft.n_jobs; i++)
		assert_int_equal(ft.jobs[i].worker, ft.jobs[i].handle % 4);
	/* While its worker is gone another one does it; then it goes home. */
	ft_worker_kill(&ft, 2);
	ft_settle(&ft);
	ft.n_jobs = 0;
	ft_advance(&ft, 400000);
	for (size_t i = 0; i < ft.n_jobs; i++)
		assert_int_equal(
		    ft.jobs[i].worker, ft.jobs[i].handle % 4 == 2 ? 3 : ft.jobs[i].handle % 4);
	ft_worker_add(&ft, 2);
	ft.n_jobs = 0;
	ft_advance(&ft, 400000);
	assert_true(ft.n_jobs >= 40);
	for (size_t i = 0; i < ft.n_jobs; i++)
		assert_int_equal(ft.jobs[i].worker, ft.jobs[i].handle % 4);
	ft_close(&ft);
}

static void
test_requeued_once(void **state)
{
	struct front_test ft;
	struct deployment *d;

	open_with(&ft, 10, FT_HOLD, 1);
	assert_int_equal(ft.n_jobs, 10);
	ft_answer(&ft, 0, true);
	ft_settle(&ft);
	ft_worker_kill(&ft, 0);
	ft_settle(&ft);
	/* They wait; /health still has what it had. */
	assert_int_equal(ft_counts(&ft).in_flight, 9);
	assert_int_equal(fleet_pending(ft.fleet), 9);
	ft_worker_add(&ft, 0);
	ft_settle(&ft);
	assert_int_equal(ft.n_jobs, 19);
	ft_answer(&ft, 10, true);
	ft_settle(&ft);
	/* The second death is a verdict. */
	ft_worker_kill(&ft, 0);
	ft_settle(&ft);
	assert_int_equal(ft_counts(&ft).in_flight, 0);
	assert_int_equal(fleet_pending(ft.fleet), 0);
	for (size_t i = 0; i < 10; i++) {
		d = fleet_at(ft.fleet, i);
		assert_int_equal(d->verdict.state == VERDICT_HEALTHY, i < 2);
		if (i < 2)
			continue;
		assert_int_equal(d->verdict.reason, REASON_PROBE_CRASHED);
		assert_non_null(d->verdict.error);
	}
	/* And the re-check comes when there is a worker. */
	ft.answer = FT_HEALTHY;
	ft_worker_add(&ft, 0);
	ft_advance(&ft, 20000);
	assert_int_equal(fleet_at(ft.fleet, 9)->verdict.state, VERDICT_HEALTHY);
	ft_close(&ft);
}

static void
test_other_worker_takes_over(void **state)
{
	struct front_test ft;

	open_with(&ft, 10, FT_HOLD, 2);
	ft.answer = FT_HEALTHY;
	ft_worker_kill(&ft, 1);
	ft_settle(&ft);
	/* Five jobs were with the dead one: asked once more, at the other. */
	assert_int_equal(ft.n_jobs, 15);
	for (size_t i = 10; i < 15; i++)
		assert_int_equal(ft.jobs[i].worker, 0);
	assert_int_equal(fleet_pending(ft.fleet), 5);
	ft_close(&ft);
}

static void
test_same_index_again(void **state)
{
	struct front_test ft;
	struct peer *old;

	open_with(&ft, 4, FT_HOLD, 1);
	old = ft.workers[0];
	/* The supervisor replaces it before its end has been seen. */
	ft_worker_add(&ft, 0);
	assert_int_equal(pool_workers(scheduler_pool(ft.scheduler)), 1);
	peer_free(old);
	ft_settle(&ft);
	assert_int_equal(ft.n_jobs, 8);
	for (size_t i = 4; i < 8; i++)
		ft_answer(&ft, i, true);
	ft_settle(&ft);
	assert_int_equal(fleet_pending(ft.fleet), 0);
	ft_close(&ft);
}

static void
test_gone_is_read_to_the_end(void **state)
{
	struct front_test ft;

	open_with(&ft, 4, FT_HOLD, 1);
	for (size_t i = 0; i < 4; i++)
		ft_answer(&ft, i, true);
	pool_gone(scheduler_pool(ft.scheduler), 0);
	pool_gone(scheduler_pool(ft.scheduler), 17);
	pool_gone(scheduler_pool(ft.scheduler), UINT32_MAX);
	ft_settle(&ft);
	assert_int_equal(fleet_pending(ft.fleet), 0);
	assert_int_equal(pool_workers(scheduler_pool(ft.scheduler)), 1);
	/* But a socket that nobody closes is not waited for. */
	ft_advance(&ft, 1000);
	assert_int_equal(pool_workers(scheduler_pool(ft.scheduler)), 0);
	ft_close(&ft);
}

static void
test_generation(void **state)
{
	struct front_test ft;

	ft_open(&ft);
	ft.answer = FT_REFUSE_GENERATION;
	ft.worker_generation = 2;
	ft_configure(&ft, 1, 5, 1);
	ft_worker_add(&ft, 0);
	scheduler_start(ft.scheduler);
	ft_advance(&ft, 1);
	assert_int_equal(ft.n_jobs, 5);
	ft_advance(&ft, 100);
	assert_int_equal(fleet_pending(ft.fleet), 5);
	/* The configuration comes into force here too. */
	ft_configure(&ft, 2, 5, 1);
	ft_settle(&ft);
	assert_int_equal(fleet_pending(ft.fleet), 0);
	assert_int_equal(ft.jobs[ft.n_jobs - 1].generation, 2);
	ft_close(&ft);
}

static void
test_refused_for_ever(void **state)
{
	struct front_test ft;

	ft_open(&ft);
	ft.answer = FT_REFUSE_GENERATION;
	ft.worker_generation = 9;
	ft_configure(&ft, 1, 1, 1);
	ft_worker_add(&ft, 0);
	scheduler_start(ft.scheduler);
	ft_advance(&ft, 1);
	for (int i = 0; i < 64; i++)
		ft_advance(&ft, 1000);
	assert_int_equal(fleet_pending(ft.fleet), 1);
	ft_advance(&ft, 2000);
	assert_int_equal(fleet_at(ft.fleet, 0)->verdict.reason, REASON_TIMEOUT);
	ft_close(&ft);
}

static void
test_unknown_to_the_worker(void **state)
{
	struct front_test ft;
	struct msg_job_refused m;

	open_with(&ft, 1, FT_HOLD, 1);
	m = (struct msg_job_refused){ ft.jobs[0].job, 1, 1, REFUSED_UNKNOWN };
	assert_int_equal(peer_send(ft.workers[0], MSG_JOB_REFUSED, 0, &m), 0);
	ft_settle(&ft);
	assert_int_equal(fleet_at(ft.fleet, 0)->verdict.reason, REASON_CONFIG);
	assert_int_equal(ft_counts(&ft).in_flight, 0);
	ft_close(&ft);
}

static void
test_stopping_worker(void **state)
{
	struct front_test ft;
	struct msg_job_refused m;

	open_with(&ft, 6, FT_HOLD, 2);
	ft.answer = FT_HEALTHY;
	for (size_t i = 0; i < 6; i++) {
		if (ft.jobs[i].worker != 1)
			continue;
		m = (struct msg_job_refused){ ft.jobs[i].job, 1, ft.jobs[i].handle,
			REFUSED_STOPPING };
		assert_int_equal(peer_send(ft.workers[1], MSG_JOB_REFUSED, 0, &m), 0);
	}
	ft_settle(&ft);
	assert_int_equal(pool_workers(scheduler_pool(ft.scheduler)), 1);
	assert_int_equal(fleet_pending(ft.fleet), 3);
	assert_int_equal(ft.n_jobs, 9);
	/* Its end is no crash: nothing was with it. */
	ft_worker_kill(&ft, 1);
	ft_settle(&ft);
	assert_int_equal(pool_workers(scheduler_pool(ft.scheduler)), 1);
	assert_int_equal(ft.n_jobs, 9);
	ft_close(&ft);
}

static void
test_timeout(void **state)
{
	struct front_test ft;

	open_with(&ft, 3, FT_HOLD, 1);
	ft_advance(&ft, 64000);
	assert_int_equal(fleet_pending(ft.fleet), 3);
	ft_advance(&ft, 1500);
	assert_int_equal(fleet_pending(ft.fleet), 0);
	assert_int_equal(ft.cancels, 3);
	assert_int_equal(fleet_at(ft.fleet, 0)->verdict.reason, REASON_TIMEOUT);
	assert_int_equal(fleet_at(ft.fleet, 0)->verdict.exception_status, 408);
	assert_string_equal(fleet_at(ft.fleet, 0)->verdict.error, "Timeout exceeded");
	/* What comes after all is of no job any more. */
	ft_answer(&ft, 0, true);
	ft_settle(&ft);
	assert_int_equal(fleet_at(ft.fleet, 0)->verdict.state, VERDICT_UNHEALTHY);
	ft_close(&ft);
}

static void
test_lies(void **state)
{
	struct front_test ft;
	struct msg_result r;
	struct msg_job_refused refused = { 12345, 1, 1, 99 };

	open_with(&ft, 2, FT_HOLD, 2);
	/* Of no job; of another worker's job; of another deployment. */
	r = ft_result(1, true, clock_wall_ms());
	r.job = 0xffffffff;
	assert_int_equal(peer_send(ft.workers[0], MSG_RESULT, 0, &r), 0);
	r.job = ft.jobs[0].job;
	r.handle = ft.jobs[0].handle;
	assert_int_equal(peer_send(ft.workers[!ft.jobs[0].worker], MSG_RESULT, 0, &r), 0);
	r.handle = 77;
	assert_int_equal(peer_send(ft.workers[ft.jobs[0].worker], MSG_RESULT, 0, &r), 0);
	assert_int_equal(peer_send(ft.workers[0], MSG_JOB_REFUSED, 0, &refused), 0);
	ft_settle(&ft);
	assert_int_equal(fleet_pending(ft.fleet), 2);
	/* The same result twice counts once. */
	ft_answer(&ft, 0, true);
	ft_answer(&ft, 0, false);
	ft_settle(&ft);
	assert_int_equal(fleet_find(ft.fleet, ft.jobs[0].handle)->verdict.probes, 1);
	ft_close(&ft);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_affinity),
		cmocka_unit_test(test_requeued_once),
		cmocka_unit_test(test_other_worker_takes_over),
		cmocka_unit_test(test_same_index_again),
		cmocka_unit_test(test_gone_is_read_to_the_end),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_refused_for_ever),
		cmocka_unit_test(test_unknown_to_the_worker),
		cmocka_unit_test(test_stopping_worker),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests_name("front_pool", tests, NULL, NULL);
}
