/* SPDX-License-Identifier: Apache-2.0 */
/* When a dead child comes back: the table, on a clock that is only numbers. */
#include "supervisor/restart.h"

#include <signal.h>

#include "shared/exitcode.h"
#include "tests/unit/unit.h"

#define EXITED(status) ((status) << 8)

static void
test_first_death_is_answered_at_once(void **state)
{
	struct restart r;
	int64_t delay = -1;

	restart_init(&r);
	restart_started(&r, 1000);
	assert_int_equal(restart_died(&r, 1001, SIGKILL, &delay), RESTART_AFTER);
	assert_int_equal(delay, 0);
}

static void
test_repeats_back_off(void **state)
{
	static const int64_t wanted[] = { 0, 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600,
		30000, 30000 };
	struct restart r;
	int64_t now = 5000, delay;

	restart_init(&r);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		restart_started(&r, now);
		now += 10;
		assert_int_equal(restart_died(&r, now, SIGSEGV, &delay), RESTART_AFTER);
		assert_int_equal(delay, wanted[i]);
		now += delay;
	}
	/* However often: no overflow, no longer wait. */
	restart_started(&r, now);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(restart_died(&r, now, SIGSEGV, &delay), RESTART_AFTER);
	assert_int_equal(delay, RESTART_MAX_MS);
}

static void
test_a_steady_life_clears_the_sheet(void **state)
{
	struct restart r;
	int64_t delay;

	restart_init(&r);
	restart_started(&r, 0);
	assert_int_equal(restart_died(&r, 1, SIGKILL, &delay), RESTART_AFTER);
	restart_started(&r, 1);
	assert_int_equal(
	    restart_died(&r, 1 + RESTART_STEADY_MS - 1, SIGKILL, &delay), RESTART_AFTER);
	assert_int_equal(delay, RESTART_FIRST_MS);
	restart_started(&r, 20000);
	assert_int_equal(
	    restart_died(&r, 20000 + RESTART_STEADY_MS, SIGKILL, &delay), RESTART_AFTER);
	assert_int_equal(delay, 0);
}

static void
test_permanent_failures(void **state)
{
	static const struct {
		int status;
		enum restart_action action;
	} cases[] = {
		{ EXITED(EXITCODE_START), RESTART_NEVER },
		{ EXITED(EXITCODE_USAGE), RESTART_NEVER },
		{ EXITED(EXITCODE_CANNOT_RUN), RESTART_AFTER },
		{ EXITED(EXITCODE_OK), RESTART_AFTER },
		{ EXITED(EXITCODE_UNHEALTHY), RESTART_AFTER },
		{ EXITED(127), RESTART_AFTER },
		{ SIGKILL, RESTART_AFTER },
		{ SIGABRT | 0x80, RESTART_AFTER }, /* with a core */
		/* A signal whose number is that of a permanent status is still a signal. */
		{ EXITCODE_START, RESTART_AFTER },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct restart r;
		int64_t delay;

		restart_init(&r);
		restart_started(&r, 0);
		assert_int_equal(restart_died(&r, 1, cases[i].status, &delay), cases[i].action);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_death_is_answered_at_once),
		cmocka_unit_test(test_repeats_back_off),
		cmocka_unit_test(test_a_steady_life_clears_the_sheet),
		cmocka_unit_test(test_permanent_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
