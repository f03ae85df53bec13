/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict of several witnesses: when it turns, whose words count, and what is refused. */
#include "supervisor/front/quorum.h"

#include <string.h>

#include "shared/clock.h"
#include "supervisor/front/scheduler.h"
#include "supervisor/front/store/store.h"
#include "tests/unit/front_test.h"
#include "tests/unit/unit.h"

static struct {
	const char *names[STORE_WITNESSES_MAX];
	size_t n;
	int64_t offset_ms;
} world;

static size_t
fake_witnesses(const void *state, struct str id, struct str *out, size_t room)
{
	for (size_t i = 0; i < world.n; i++)
		out[i] = str_of(world.names[i]);
	return world.n;
}

static int
fake_open(const struct store_options *o, void **state)
{
	return 0;
}

static int64_t
fake_offset(const void *state)
{
	return world.offset_ms;
}

static void
fake_status(const void *state, struct store_status *status)
{
	status->witness = STR("a");
	status->quorum = 2;
}

static void
fake_close(void *state)
{
}

static const struct store_ops fake = {
	.name = "fake",
	.open = fake_open,
	.clock_offset_ms = fake_offset,
	.witnesses = fake_witnesses,
	.status = fake_status,
	.close = fake_close,
};

struct fixture {
	struct front_test ft;
	struct store *store;
	struct deployment *d;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct store_options o = { 0 };

	ft_open(&f->ft);
	ft_set(&f->ft, SETTING_INTERVAL, "60s");
	ft_configure(&f->ft, 1, 1, 1);
	assert_int_equal(store_open(&fake, &o, &f->store), 0);
	f->d = fleet_at(f->ft.fleet, 0);
	memset(&world, 0, sizeof(world));
	world.names[0] = "a";
	world.names[1] = "b";
	world.names[2] = "c";
	world.n = 3;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	ft_close(&f->ft);
	free(f);
	return 0;
}

static unsigned
hear(struct fixture *f, const char *witness, bool healthy)
{
	struct buf b = BUF_INIT(QUORUM_VIEW_MAX);
	struct msg_result r = ft_result(1, healthy, clock_wall_ms());
	struct store_item item = { .id = str_of(f->d->id), .witness = str_of(witness) };
	struct deployment *found;
	unsigned what;

	clock_fake_advance_us(10000);
	quorum_add_result(&b, &r, world.offset_ms);
	item.sight = buf_str(&b);
	what = quorum_heard(f->ft.fleet, f->store, &item, &found);
	assert_ptr_equal(found, f->d);
	buf_clear(&b);
	return what;
}

static bool
see(struct fixture *f, bool healthy)
{
	struct msg_result r = ft_result(1, healthy, clock_wall_ms());

	clock_fake_advance_us(10000);
	return quorum_result(f->ft.fleet, f->store, f->d, &r);
}

static void
test_two_of_three(void **state)
{
	struct fixture *f = *state;

	/* The first to fail is not believed before another has spoken. */
	assert_true(see(f, false));
	assert_int_equal(f->d->verdict.state, VERDICT_UNKNOWN);
	assert_int_equal(fleet_pending(f->ft.fleet), 1);
	assert_int_equal(hear(f, "b", true), QUORUM_CHANGED);
	assert_int_equal(f->d->verdict.state, VERDICT_HEALTHY);
	assert_int_equal(fleet_pending(f->ft.fleet), 0);
	assert_int_equal(hear(f, "c", true), QUORUM_NOTHING);
	assert_true(see(f, false));
	assert_int_equal(f->d->verdict.state, VERDICT_HEALTHY);
	assert_null(f->d->verdict.error);
	assert_int_equal(f->d->verdict.failures, 1); /* counted once there was a verdict */
	/* A second one: dead, with words of one who says so. */
	assert_int_equal(hear(f, "c", false), QUORUM_CHANGED);
	assert_int_equal(f->d->verdict.state, VERDICT_UNHEALTHY);
	assert_string_equal(f->d->verdict.error, "litellm.InternalServerError: no");
	assert_int_equal(f->d->verdict.reason, REASON_SERVER_ERROR);
	/* And back. */
	assert_true(see(f, true));
	assert_int_equal(f->d->verdict.state, VERDICT_HEALTHY);
	assert_int_equal(hear(f, "c", true), QUORUM_NOTHING);
	/* We say that it is well: an alarm, and no second one. */
	assert_int_equal(hear(f, "b", false), QUORUM_ALARM);
	assert_int_equal(hear(f, "b", false), QUORUM_NOTHING);
}

static void
test_who_counts(void **state)
{
	struct fixture *f = *state;

	see(f, true);
	hear(f, "b", true);
	hear(f, "c", true);
	hear(f, "stranger", false);
	hear(f, "c", false);
	assert_int_equal(f->d->verdict.state, VERDICT_HEALTHY);
	/* Who has gone says nothing any more; the two that are left need both. */
	world.n = 2;
	assert_false(quorum_settle(f->ft.fleet, f->store, f->d));
	hear(f, "b", false);
	assert_int_equal(f->d->verdict.state, VERDICT_HEALTHY);
	world.n = 1;
	see(f, false);
	assert_int_equal(f->d->verdict.state, VERDICT_UNHEALTHY);
	assert_null(quorum_sight(f->d, 1));
	/* The proxies are one more. */
	hear(f, QUORUM_LITELLM, true);
	assert_int_equal(f->d->verdict.state, VERDICT_HEALTHY);
	hear(f, QUORUM_LITELLM, false);
	assert_int_equal(f->d->verdict.state, VERDICT_UNHEALTHY);
}

static void
test_silence(void **state)
{
	struct fixture *f = *state;

	/* Nobody else ever speaks: after two intervals we decide. */
	see(f, false);
	assert_int_equal(f->d->verdict.state, VERDICT_UNKNOWN);
	clock_fake_advance_us(120000000);
	see(f, false);
	assert_int_equal(f->d->verdict.state, VERDICT_UNHEALTHY);
	/* Old words do not count. */
	hear(f, "b", true);
	hear(f, "c", true);
	assert_int_equal(f->d->verdict.state, VERDICT_HEALTHY);
	clock_fake_advance_us(181000000);
	see(f, false);
	assert_int_equal(f->d->verdict.state, VERDICT_UNHEALTHY);
	assert_null(quorum_sight(f->d, 1));
}

static void
test_clocks_and_rubbish(void **state)
{
	static const char *const texts[] = { "", "{", "null", "[]", "{\"state\":\"unhealthy\"}",
		"{\"state\":\"unhealthy\",\"checked_at_ms\":-5}",
		"{\"state\":\"unhealthy\",\"checked_at_ms\":99999999999999999999}",
		"{\"state\":\"unhealthy\",\"checked_at_ms\":1e300}",
		"{\"state\":\"unhealthy\",\"checked_at_ms\":1760000000000} x",
		"{\"state\":[[[[{}]]]],\"checked_at_ms\":\"now\"}" };
	struct fixture *f = *state;

	see(f, true);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct store_item item = { .id = str_of(f->d->id),
			.witness = STR("b"),
			.sight = str_of(texts[i]) };
		struct deployment *found;

		assert_int_equal(
		    quorum_heard(f->ft.fleet, f->store, &item, &found), QUORUM_NOTHING);
		assert_null(quorum_sight(f->d, 1));
	}
	/* Times are the store's. */
	world.offset_ms = 3600000;
	hear(f, "b", false);
	assert_in_range(clock_wall_ms() - quorum_sight(f->d, 1)->checked_at_ms, 0, 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_of_three, setup, teardown),
		cmocka_unit_test_setup_teardown(test_who_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clocks_and_rubbish, setup, teardown),
	};

	return cmocka_run_group_tests_name("quorum", tests, NULL, NULL);
}
