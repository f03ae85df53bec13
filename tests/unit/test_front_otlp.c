/* SPDX-License-Identifier: Apache-2.0 */
/* The exporter's queues when there is no worker to send for it. */
#include "supervisor/front/otlp.h"

#include <event2/event.h>

#include "supervisor/front/scheduler.h"
#include "tests/unit/front_test.h"
#include "tests/unit/unit.h"

#define SPANS 100000

/* The largest queue in the smallest batches, and the end: each is given up, none on another's stack. */
static void
test_flush_without_a_worker(void **state)
{
	struct front_test ft;
	struct otlp_counts counts;
	struct otlp *o;
	int turns = 0;

	(void)state;
	ft_open(&ft);
	ft_set(&ft, SETTING_OTLP_TRACES_ENDPOINT, "http://127.0.0.1:9/v1/traces");
	ft_set(&ft, SETTING_OTLP_QUEUE, "100000");
	ft_configure(&ft, 1, 1, 1);
	o = otlp_new(ft.base, ft.fleet, scheduler_pool(ft.scheduler));
	/* Nothing is due before the queue is full. */
	ft_set(&ft, SETTING_OTLP_BATCH, "10000");
	ft_set(&ft, SETTING_OTLP_DELAY, "600s");
	ft_configure(&ft, 2, 1, 1);
	otlp_configure(o);
	for (int i = 0; i < SPANS; i++) {
		struct msg_result r = ft_result(1, true, FT_WALL_MS + i);

		(void)fleet_apply(ft.fleet, fleet_at(ft.fleet, 0), &r);
	}
	otlp_counts(o, EXPORT_TRACES, &counts);
	assert_int_equal(counts.queued, SPANS);
	ft_set(&ft, SETTING_OTLP_BATCH, "1");
	ft_configure(&ft, 3, 1, 1);
	otlp_flush(o);
	while (!otlp_idle(o) && turns++ < 2 * SPANS)
		event_base_loop(ft.base, EVLOOP_ONCE);
	otlp_counts(o, EXPORT_TRACES, &counts);
	assert_int_equal(counts.queued, 0);
	assert_int_equal(counts.dropped, SPANS);
	assert_int_equal(counts.exported, 0);
	otlp_free(o);
	ft_close(&ft);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flush_without_a_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
