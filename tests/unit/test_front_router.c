/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts of routers: from whom they follow, circles, time, reloads, and who is asked for them. */
#include "supervisor/front/router.h"

#include <stdio.h>
#include <string.h>

#include "shared/clock.h"
#include "supervisor/front/ask.h"
#include "supervisor/front/scheduler.h"
#include "supervisor/front/turn.h"
#include "tests/unit/front_test.h"
#include "tests/unit/unit.h"

/* Deployments by letter, of the group of that letter; routers in capitals, with their groups. */
struct entry {
	const char *name;
	const char *needs; /* "ab": a router */
	unsigned flags;
	bool problem;
};

static void
configure(struct front_test *ft, uint32_t generation, const struct entry *entries, size_t n)
{
	struct msg_conf_commit commit = { generation, (uint32_t)n };

	assert_int_equal(ft_begin(ft, generation, true), 0);
	for (size_t i = 0; i < n; i++) {
		struct msg_conf_deployment m;
		struct kv needs[8];
		char words[8][32], group[2] = { entries[i].name[0], 0 };
		const char *p = entries[i].needs ? entries[i].needs : "";
		size_t k = 0;

		ft_deployment(&m, (uint32_t)i, 1);
		for (; p[k]; k++) {
			snprintf(words[k], sizeof(words[k]), "tier model '%c'", p[k]);
			needs[k] = (struct kv){ str_of(words[k]), { p + k, 1 } };
		}
		m.generation = generation;
		m.id = str_of(entries[i].name);
		m.model_name = str_of(group);
		m.depends = (struct kvs){ needs, k };
		m.flags = entries[i].flags;
		if (entries[i].problem) {
			m.problem_reason = REASON_CONFIG;
			m.problem = STR("wrong");
		}
		assert_int_equal(fleet_conf_deployment(ft->fleet, &m), 0);
	}
	assert_int_equal(fleet_conf_commit(ft->fleet, &commit), 0);
	scheduler_configure(ft->scheduler);
}

static struct deployment *
find(struct front_test *ft, const char *name)
{
	struct deployment *d = fleet_find_id(ft->fleet, str_of(name));

	assert_non_null(d);
	return d;
}

static void
say(struct front_test *ft, const char *name, bool healthy)
{
	struct deployment *d = find(ft, name);
	struct msg_result r = ft_result(d->handle, healthy, clock_wall_ms());

	clock_fake_advance_us(1000000);
	(void)fleet_apply(ft->fleet, d, &r);
}

static void
is(struct front_test *ft, const char *name, enum verdict_state state)
{
	enum verdict_state now = fleet_state(ft->fleet, find(ft, name), clock_wall_ms());

	if (now != state)
		fail_msg("%s is %s", name, verdict_state_name(now));
}

static void
test_follows(void **state)
{
	static const struct entry entries[] = { { "a1", NULL, 0, false }, { "a2", NULL, 0, false },
		{ "b1", NULL, 0, false }, { "R", "ab", 0, false } };
	struct front_test ft;
	int64_t first;

	(void)state;
	ft_open(&ft);
	configure(&ft, 1, entries, ARRAY_LEN(entries));
	is(&ft, "R", VERDICT_UNKNOWN);
	assert_int_equal(fleet_pending(ft.fleet), 3);
	first = clock_wall_ms();
	say(&ft, "a1", true);
	is(&ft, "R", VERDICT_UNKNOWN);
	say(&ft, "b1", true);
	is(&ft, "R", VERDICT_HEALTHY);
	assert_int_equal(find(&ft, "R")->verdict.checked_at_ms, first);
	/* A group lives as long as one of it does. */
	say(&ft, "a2", false);
	is(&ft, "R", VERDICT_HEALTHY);
	say(&ft, "a1", false);
	is(&ft, "R", VERDICT_UNHEALTHY);
	assert_string_equal(find(&ft, "R")->verdict.error, "tier model 'a' has no healthy deployment");
	assert_string_equal(find(&ft, "R")->verdict.detail,
	    "tier model 'a' has no healthy deployment: of its 2 the first is down by server_error");
	assert_int_equal(find(&ft, "R")->verdict.reason, REASON_SERVER_ERROR);
	assert_int_equal(find(&ft, "R")->verdict.exception_status, reason_status(REASON_SERVER_ERROR));
	say(&ft, "a2", true);
	is(&ft, "R", VERDICT_HEALTHY);
	assert_null(find(&ft, "R")->verdict.error);
	assert_int_equal(find(&ft, "R")->history_len, 3);
	assert_int_equal(find(&ft, "R")->verdict.probes, 0);
	ft_close(&ft);
}

static void
test_unasked(void **state)
{
	static const struct entry entries[] = { { "a1", NULL, DEPLOYMENT_DISABLED, false },
		{ "a2", NULL, 0, false }, { "b1", NULL, 0, true }, { "R", "a", 0, false },
		{ "S", "ab", 0, false } };
	struct front_test ft;

	(void)state;
	ft_open(&ft);
	configure(&ft, 1, entries, ARRAY_LEN(entries));
	is(&ft, "S", VERDICT_UNHEALTHY);
	assert_int_equal(find(&ft, "S")->verdict.reason, REASON_CONFIG);
	say(&ft, "a2", false);
	/* The one that nobody asks may serve. */
	is(&ft, "R", VERDICT_UNKNOWN);
	say(&ft, "a2", true);
	is(&ft, "R", VERDICT_HEALTHY);
	/* What was said too long ago says nothing. */
	ft_advance(&ft, 24 * 3600 * 1000);
	fleet_refresh(ft.fleet, clock_wall_ms());
	is(&ft, "a2", VERDICT_STALE);
	is(&ft, "R", VERDICT_UNKNOWN);
	ft_close(&ft);
}

static void
test_circles(void **state)
{
	static const struct entry entries[] = { { "a1", NULL, 0, false }, { "b1", NULL, 0, false },
		{ "R", "aS", 0, false }, { "S", "bR", 0, false }, { "T", "S", 0, false },
		{ "U", "Ua", 0, false } };
	struct front_test ft;

	(void)state;
	ft_open(&ft);
	configure(&ft, 1, entries, ARRAY_LEN(entries));
	say(&ft, "a1", true);
	is(&ft, "U", VERDICT_HEALTHY);
	is(&ft, "T", VERDICT_UNKNOWN);
	say(&ft, "b1", true);
	is(&ft, "R", VERDICT_HEALTHY);
	is(&ft, "S", VERDICT_HEALTHY);
	is(&ft, "T", VERDICT_HEALTHY);
	say(&ft, "a1", false);
	is(&ft, "R", VERDICT_UNHEALTHY);
	is(&ft, "S", VERDICT_UNHEALTHY);
	is(&ft, "T", VERDICT_UNHEALTHY);
	is(&ft, "U", VERDICT_UNHEALTHY);
	say(&ft, "a1", true);
	is(&ft, "T", VERDICT_HEALTHY);
	ft_close(&ft);
}

/* Nothing of another instance, of a state file or of a worker is a router's verdict. */
static void
test_takes_none(void **state)
{
	static const struct entry entries[] = { { "a1", NULL, 0, false }, { "R", "a", 0, false } };
	struct verdict v = { .state = VERDICT_HEALTHY, .checked_at_ms = FT_WALL_MS };
	struct front_test ft;

	(void)state;
	ft_open(&ft);
	configure(&ft, 1, entries, ARRAY_LEN(entries));
	say(&ft, "R", true);
	is(&ft, "R", VERDICT_UNKNOWN);
	assert_false(fleet_restore(ft.fleet, find(&ft, "R"), &v, NULL, 0));
	is(&ft, "R", VERDICT_UNKNOWN);
	assert_true(fleet_restore(ft.fleet, find(&ft, "a1"), &v, NULL, 0));
	is(&ft, "R", VERDICT_HEALTHY);
	ft_close(&ft);
}

static void
test_reload(void **state)
{
	static const struct entry before[] = { { "a1", NULL, 0, false }, { "b1", NULL, 0, false },
		{ "R", "a", 0, false } };
	static const struct entry after[] = { { "b1", NULL, 0, false }, { "R", "b", 0, false } };
	static const struct entry last[] = { { "b1", NULL, 0, false }, { "R", NULL, 0, false } };
	struct front_test ft;

	(void)state;
	ft_open(&ft);
	configure(&ft, 1, before, ARRAY_LEN(before));
	say(&ft, "a1", true);
	say(&ft, "b1", false);
	is(&ft, "R", VERDICT_HEALTHY);
	configure(&ft, 2, after, ARRAY_LEN(after));
	is(&ft, "R", VERDICT_UNHEALTHY);
	/* It becomes a deployment like others. */
	configure(&ft, 3, last, ARRAY_LEN(last));
	is(&ft, "R", VERDICT_UNKNOWN);
	say(&ft, "R", true);
	is(&ft, "R", VERDICT_HEALTHY);
	ft_close(&ft);
}

static void
on_done(void *arg)
{
	*(bool *)arg = true;
}

/* Who asks for a router gets those asked that it chooses from, once, and no job for itself. */
static void
test_asked(void **state)
{
	static const struct entry entries[] = { { "a1", NULL, 0, false }, { "b1", NULL, 0, false },
		{ "c1", NULL, 0, false }, { "b2", NULL, DEPLOYMENT_DISABLED, false },
		{ "R", "aS", 0, false }, { "S", "bR", 0, false } };
	struct front_test ft;
	struct deployment *asked[2];
	struct ask *a = NULL;
	bool done = false;

	(void)state;
	ft_open(&ft);
	ft.answer = FT_HEALTHY;
	ft_worker_add(&ft, 0);
	configure(&ft, 1, entries, ARRAY_LEN(entries));
	ft_settle(&ft);
	asked[0] = find(&ft, "R");
	assert_int_equal(ask_new(ft.scheduler, asked, 1, 0, STR(""), on_done, &done, &a), 0);
	ft_settle(&ft);
	assert_true(done);
	assert_int_equal(ft.n_jobs, 2);
	is(&ft, "R", VERDICT_HEALTHY);
	is(&ft, "S", VERDICT_HEALTHY);
	is(&ft, "c1", VERDICT_UNKNOWN);
	done = false;
	asked[1] = find(&ft, "a1");
	assert_int_equal(ask_new(ft.scheduler, asked, 2, 0, STR(""), on_done, &done, &a), 0);
	ft_settle(&ft);
	assert_true(done);
	assert_int_equal(ft.n_jobs, 4);
	/* In the background neither. */
	scheduler_start(ft.scheduler);
	ft_advance(&ft, 3600 * 1000);
	for (size_t i = 0; i < ft.n_jobs; i++)
		assert_true(ft.jobs[i].handle != find(&ft, "R")->handle &&
			    ft.jobs[i].handle != find(&ft, "S")->handle);
	ft_close(&ft);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_follows),
		cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_circles),
		cmocka_unit_test(test_takes_none),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
