/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 1 to 32 instances that join, leave and die at random, on a clock that the test moves: real
 * fleets and schedulers over a shared store that keeps the Redis backend's rules in memory. Judged
 * is the record of all probes.
 */
#include <event2/event.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/hash.h"
#include "supervisor/front/keep.h"
#include "supervisor/front/schedule.h"
#include "supervisor/front/scheduler.h"
#include "supervisor/front/store/members.h"
#include "supervisor/front/store/store.h"
#include "supervisor/front/verdict_pack.h"
#include "tests/unit/front_test.h"
#include "tests/unit/unit.h"

#define SLOTS 96 /* instances over the whole run */
#define DEPLOYMENTS 120
#define INTERVAL_MS 10000
#define HEARTBEAT_MS 5000
#define BEAT_MS (HEARTBEAT_MS / 5)
#define STEP_MS 100
#define CLAIMS 65536

enum life { LIFE_NONE, LIFE_UP, LIFE_DEAD, LIFE_LEFT };

struct instance {
	struct front_test ft;
	struct store *store;
	enum life life;
	char name[16];
	int64_t beat_ms; /* the server's record of it; 0: none */
	struct members members;
	struct store_events events;
	void *events_arg;
	struct answer {
		store_claim_cb cb;
		void *arg;
		bool granted;
	} answers[DEPLOYMENTS * 2];
	size_t n_answers, judged;
};

/* What the server holds. */
static struct {
	struct instance instances[SLOTS];
	struct claim_record {
		uint64_t key;
		int64_t end_ms;
		int holder; /* index + 1; 0: free */
	} claims[CLAIMS];
	struct kept {
		char *packed;
		size_t n;
		int64_t checked_at_ms;
	} kept[DEPLOYMENTS];
	int opening;
	size_t claimed;
} world;

static struct {
	int64_t last_ms[DEPLOYMENTS];
	uint64_t slot[DEPLOYMENTS];
	uint64_t probes, doubled;
	int64_t longest_ms;
} seen;

static int
number_of(struct str id)
{
	char text[32];

	snprintf(text, sizeof(text), "%.*s", (int)id.n, id.p);
	return atoi(text + 4); /* "dep-17-0123…" */
}

static bool
is_alive(const struct instance *in)
{
	return in->beat_ms && clock_mono_ms() - in->beat_ms < HEARTBEAT_MS - BEAT_MS;
}

static void
beat(struct instance *in)
{
	struct str names[SLOTS];
	size_t n = 0;

	in->beat_ms = clock_mono_ms();
	for (int i = 0; i < SLOTS; i++)
		if (is_alive(&world.instances[i]))
			names[n++] = str_of(world.instances[i].name);
	if (members_set(&in->members, names, n) && in->events.members)
		in->events.members(in->events_arg);
}

static int
sim_open(const struct store_options *o, void **state)
{
	*state = &world.instances[world.opening];
	return 0;
}

static int
sim_put(void *state, const struct store_item *item)
{
	struct kept *k = &world.kept[number_of(item->id)];

	if (k->checked_at_ms >= item->checked_at_ms)
		return 0;
	free(k->packed);
	k->packed = str_dup(item->packed);
	memcpy(k->packed, item->packed.p, item->packed.n);
	k->n = item->packed.n;
	k->checked_at_ms = item->checked_at_ms;
	for (int i = 0; i < SLOTS; i++) {
		struct instance *other = &world.instances[i];

		if (other != state && other->life == LIFE_UP && other->events.item)
			other->events.item(item, other->events_arg);
	}
	return 0;
}

static void
sim_remove(void *state, struct str id)
{
}

static int
sim_load(void *state, store_load_cb cb, void *arg)
{
	return ERR_CLOSED;
}

static void
sim_watch(void *state, const struct store_events *events, void *arg)
{
	struct instance *in = state;

	in->events = *events;
	in->events_arg = arg;
}

static int
sim_claim(void *state, struct str id, uint64_t slot, int64_t lease_ms, unsigned flags,
    int64_t since_ms, store_claim_cb cb, void *arg)
{
	struct instance *in = state;
	uint64_t key = hash_bytes(id.p, id.n, slot), at = key % CLAIMS;
	bool granted =
	    (flags & STORE_CLAIM_ANYBODY) || members_owns(&in->members, str_of(in->name), id);

	while (granted && world.claims[at].holder && world.claims[at].key != key)
		at = (at + 1) % CLAIMS;
	if (granted) {
		struct claim_record *c = &world.claims[at];

		if (c->holder && c->end_ms > clock_mono_ms() &&
		    &world.instances[c->holder - 1] != in &&
		    is_alive(&world.instances[c->holder - 1]))
			granted = false;
		else
			*c = (struct claim_record){ key, clock_mono_ms() + lease_ms,
				(int)(in - world.instances) + 1 };
		world.claimed++;
		assert_true(world.claimed < CLAIMS);
	}
	assert_true(in->n_answers < ARRAY_LEN(in->answers));
	in->answers[in->n_answers++] = (struct answer){ cb, arg, granted };
	return 0;
}

static int64_t
sim_again(const void *state)
{
	return HEARTBEAT_MS;
}

static int
sim_flush(void *state)
{
	return 0;
}

static void
sim_close(void *state)
{
}

static const struct store_ops sim = {
	.name = "simulated",
	.open = sim_open,
	.put = sim_put,
	.remove = sim_remove,
	.load = sim_load,
	.watch = sim_watch,
	.claim = sim_claim,
	.again_ms = sim_again,
	.flush = sim_flush,
	.close = sim_close,
};

static void
on_item(const struct store_item *item, void *arg)
{
	struct instance *in = arg;
	struct deployment *d = keep_take(in->ft.fleet, item);

	if (d)
		scheduler_renewed(in->ft.scheduler, d);
}

static void
on_members(void *arg)
{
	struct instance *in = arg;

	scheduler_replan(in->ft.scheduler);
}

static void
join(int i)
{
	static const struct store_events events = { on_item, on_members, NULL, NULL };
	struct instance *in = &world.instances[i];
	struct store_options o = {
		.base = in->ft.base, .settings = &in->ft.settings, .state_file = "", .state_fd = -1
	};

	snprintf(in->name, sizeof(in->name), "instance-%d", i);
	ft_set(&in->ft, SETTING_INTERVAL, "10s");
	ft_configure(&in->ft, 1, DEPLOYMENTS, 4);
	ft_worker_add(&in->ft, 0);
	world.opening = i;
	assert_int_equal(store_open(&sim, &o, &in->store), 0);
	scheduler_set_store(in->ft.scheduler, in->store);
	store_watch(in->store, &events, in);
	beat(in);
	for (size_t d = 0; d < DEPLOYMENTS; d++)
		if (world.kept[d].packed) {
			const struct store_item item = { .id =
							     str_of(fleet_at(in->ft.fleet, d)->id),
				.packed = { world.kept[d].packed, world.kept[d].n },
				.checked_at_ms = world.kept[d].checked_at_ms };

			on_item(&item, in);
		}
	in->life = LIFE_UP;
	scheduler_start(in->ft.scheduler);
	/* It says that it came: the others look at once. */
	for (int j = 0; j < SLOTS; j++)
		if (j != i && world.instances[j].life == LIFE_UP)
			beat(&world.instances[j]);
}

static void
leave(int i, enum life how)
{
	struct instance *in = &world.instances[i];

	in->life = how;
	scheduler_stop(in->ft.scheduler);
	if (how == LIFE_DEAD)
		return;
	in->beat_ms = 0;
	for (int j = 0; j < SLOTS; j++)
		if (world.instances[j].life == LIFE_UP)
			beat(&world.instances[j]);
}

static void
judge(struct instance *in)
{
	for (; in->judged < in->ft.n_jobs; in->judged++) {
		const struct ft_job *j = &in->ft.jobs[in->judged];
		uint32_t d = j->handle - 1;
		int64_t at = FT_WALL_MS + (j->at_us - 1000000000) / 1000;
		const struct schedule_rules rules = { INTERVAL_MS, 15000,
			hash_str(str_of(fleet_find(in->ft.fleet, j->handle)->id)) };
		uint64_t slot = schedule_slot(&rules, at);

		if (seen.last_ms[d] && seen.slot[d] == slot)
			seen.doubled++;
		if (seen.last_ms[d] && at - seen.last_ms[d] > seen.longest_ms)
			seen.longest_ms = at - seen.last_ms[d];
		seen.last_ms[d] = at;
		seen.slot[d] = slot;
		seen.probes++;
	}
}

static void
step(void)
{
	clock_fake_advance_us(STEP_MS * 1000);
	for (int i = 0; i < SLOTS; i++) {
		struct instance *in = &world.instances[i];

		if (in->life != LIFE_UP)
			continue;
		if (clock_mono_ms() - in->beat_ms >= BEAT_MS)
			beat(in);
		scheduler_run(in->ft.scheduler);
		for (int turns = 0; turns < 4; turns++) {
			struct answer answers[ARRAY_LEN(in->answers)];
			size_t n = in->n_answers;

			memcpy(answers, in->answers, n * sizeof(answers[0]));
			in->n_answers = 0;
			for (size_t a = 0; a < n; a++)
				answers[a].cb(answers[a].granted, answers[a].arg);
			event_base_loop(in->ft.base, EVLOOP_NONBLOCK);
		}
		judge(in);
	}
}

static int
random_up(unsigned *random, int *count)
{
	int up[SLOTS], n = 0;

	for (int i = 0; i < SLOTS; i++)
		if (world.instances[i].life == LIFE_UP)
			up[n++] = i;
	*count = n;
	*random = *random * 1103515245 + 12345;
	return n ? up[*random / 65536 % (unsigned)n] : -1;
}

static void
check_end(uint64_t doubled_max)
{
	int64_t now = clock_wall_ms();

	for (int d = 0; d < DEPLOYMENTS; d++) {
		assert_true(seen.last_ms[d] > 0);
		if (now - seen.last_ms[d] > seen.longest_ms)
			seen.longest_ms = now - seen.last_ms[d];
	}
	print_message("%llu probes, %llu twice in a slot, longest without one %lld ms\n",
	    (unsigned long long)seen.probes, (unsigned long long)seen.doubled,
	    (long long)seen.longest_ms);
	/* An interval, a heartbeat's time, and the steps of this clock. */
	assert_in_range(seen.longest_ms, 1, INTERVAL_MS + HEARTBEAT_MS + 2 * STEP_MS);
	assert_in_range(seen.doubled, 0, doubled_max);
}

static int
setup(void **state)
{
	memset(&world, 0, sizeof(world));
	memset(&seen, 0, sizeof(seen));
	for (int i = 0; i < SLOTS; i++)
		ft_open(&world.instances[i].ft);
	return 0;
}

static int
teardown(void **state)
{
	for (int i = 0; i < SLOTS; i++) {
		struct instance *in = &world.instances[i];

		scheduler_set_store(in->ft.scheduler, NULL);
		store_close(in->store);
		ft_close(&in->ft);
		members_clear(&in->members);
	}
	for (int d = 0; d < DEPLOYMENTS; d++)
		free(world.kept[d].packed);
	return 0;
}

static void
test_steady(void **state)
{
	for (int i = 0; i < 8; i++)
		join(i);
	for (int i = 0; i < 600; i++)
		step();
	/* Once at the start, then once in each slot: six or seven in a minute. */
	assert_in_range(seen.probes, DEPLOYMENTS * 6, DEPLOYMENTS * 7);
	check_end(0);
}

static void
test_coming_and_going(void **state)
{
	unsigned random = 20261121;
	int next = 4, up;

	for (int i = 0; i < 4; i++)
		join(i);
	for (int i = 0; i < 900; i++) {
		step();
		random = random * 1103515245 + 12345;
		if (random / 65536 % 100 < 6) {
			int who = random_up(&random, &up);
			unsigned what = random / 65536 % 5;

			if ((what < 3 || up <= 1) && next < SLOTS && up < 32)
				join(next++);
			else if (up > 1)
				leave(who, what == 3 ? LIFE_DEAD : LIFE_LEFT);
		}
	}
	(void)random_up(&random, &up);
	print_message("%d instances came, %d are there\n", next, up);
	assert_true(next > 10);
	check_end(seen.probes / 100);
}

static void
test_all_but_one_die(void **state)
{
	for (int i = 0; i < 32; i++)
		join(i);
	for (int i = 0; i < 150; i++)
		step();
	for (int i = 1; i < 32; i++)
		leave(i, LIFE_DEAD);
	for (int i = 0; i < 300; i++)
		step();
	check_end(seen.probes / 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_steady, setup, teardown),
		cmocka_unit_test_setup_teardown(test_coming_and_going, setup, teardown),
		cmocka_unit_test_setup_teardown(test_all_but_one_die, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
