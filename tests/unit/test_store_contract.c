/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every backend of the store must do, on memory (alone: the shared one before it is told of a
 * server) and on real redis-servers: one, one behind
 * TLS, a cluster, a master with sentinels (skipped where there are none); and what those that are
 * shared must do between two instances.
 */
#include "supervisor/front/store/store.h"

#include <event2/event.h>
#include <string.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/verdict_pack.h"
#include "tests/unit/redis_servers.h"
#include "tests/unit/store_contract.h"
#include "tests/unit/unit.h"

/* The servers of a backend are started for its first test and serve the others, too. */
static const struct backend backends[] = {
	{ "memory", &store_memory, false, REDIS_SERVERS_ONE },
	{ "alone", &store_redis, false, REDIS_SERVERS_ONE },
	{ "redis", &store_redis, true, REDIS_SERVERS_ONE },
	{ "tls", &store_redis, true, REDIS_SERVERS_TLS },
	{ "cluster", &store_redis, true, REDIS_SERVERS_CLUSTER },
	{ "sentinel", &store_redis, true, REDIS_SERVERS_SENTINEL },
};

static int
setup(void **state)
{
	static const struct backend *started;
	static const char *missing;
	static unsigned tests;
	const struct backend *backend = *state;
	struct fixture *f = calloc(1, sizeof(*f));

	log_init("test", LOG_FORMAT_TEXT, (enum log_level)0);
	f->backend = backend;
	f->ops = backend->ops;
	f->bases[0] = event_base_new();
	f->bases[1] = event_base_new();
	settings_init(&f->settings);
	if (backend->shared) {
		if (started != backend) {
			redis_servers_stop();
			missing = redis_servers_start(backend->servers);
			started = backend;
		}
		f->missing = missing;
		redis_servers_settings(backend->servers, &f->settings);
	}
	/* Each test has keys of its own, in a cluster on whichever slot. */
	snprintf(f->prefix, sizeof(f->prefix), "test%u", tests++);
	assert_int_equal(
	    settings_set(&f->settings, SETTING_REDIS_PREFIX, str_of(f->prefix), NULL), 0);
	assert_int_equal(settings_set(&f->settings, SETTING_REDIS_HEARTBEAT, STR("1s"), NULL), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	store_close(f->sides[0].store);
	store_close(f->sides[1].store);
	settings_clear(&f->settings);
	event_base_free(f->bases[0]);
	event_base_free(f->bases[1]);
	free(f);
	return 0;
}

void
need_server(const struct fixture *f)
{
	if (f->missing) {
		print_message("# SKIP %s: %s\n", f->backend->name, f->missing);
		skip();
	}
}

bool
is_online(const struct side *s)
{
	struct store_status status;

	store_status(s->store, &status);
	return status.connected;
}

static void
on_item(const struct store_item *item, void *arg)
{
	struct side *s = arg;

	s->items++;
	s->taken++;
	if (atoi(item->id.p + 4) < 100)
		s->checked[atoi(item->id.p + 4)] = item->checked_at_ms;
}

static void
on_members(void *arg)
{
	((struct side *)arg)->members++;
}

static void
on_refill(void *arg)
{
	((struct side *)arg)->refills++;
}

static void
on_sight(const struct store_item *item, void *arg)
{
	struct side *s = arg;

	s->sights++;
	snprintf(s->sight, sizeof(s->sight), "%.*s %.*s %.*s", (int)item->witness.n,
	    item->witness.p, (int)item->id.n, item->id.p, (int)item->sight.n, item->sight.p);
}

const struct store_events store_contract_events = { on_item, on_members, on_refill, on_sight };

void
open_side(struct fixture *f, int i)
{
	struct store_options o = { f->bases[i], &f->settings, "", -1 };

	memset(&f->sides[i], 0, sizeof(f->sides[i]));
	assert_int_equal(store_open(f->ops, &o, &f->sides[i].store), 0);
	store_watch(f->sides[i].store, &store_contract_events, &f->sides[i]);
	UNTIL(f, is_online(&f->sides[i]));
}

int
put(struct side *s, int i, int64_t checked_at_ms)
{
	struct history_item history = { .checked_at_ms = checked_at_ms, .status = 200 };
	struct deployment d = { .history = &history, .history_len = 1, .history_cap = 1 };
	struct buf b = BUF_INIT(VERDICT_PACKED_MAX);
	struct store_item item = {
		.checked_at_ms = checked_at_ms, .state = STR("healthy"), .view = STR("{}")
	};
	char id[32];
	int rc;

	d.verdict.state = VERDICT_HEALTHY;
	d.verdict.checked_at_ms = checked_at_ms;
	d.verdict.since_ms = checked_at_ms - 5;
	item.id = (struct str){ id, (size_t)snprintf(id, sizeof(id), "dep-%d", i) };
	assert_int_equal(verdict_pack(&d, &b), 0);
	item.packed = buf_str(&b);
	rc = store_put(s->store, &item);
	buf_clear(&b);
	return rc;
}

static void
on_load(const struct store_item *item, int err, void *arg)
{
	struct side *s = arg;
	struct verdict_unpacked u;

	if (item == NULL) {
		s->ended = true;
		s->err = err;
		return;
	}
	assert_int_equal(verdict_unpack(item->packed, &u), 0);
	assert_int_equal(u.verdict.checked_at_ms, item->checked_at_ms);
	assert_int_equal(u.verdict.since_ms, item->checked_at_ms - 5);
	verdict_unpacked_clear(&u);
	/* Memory and Redis may both have it: the later call is the newer. */
	if (s->checked[atoi(item->id.p + 4)] == 0)
		s->n++;
	s->checked[atoi(item->id.p + 4)] = item->checked_at_ms;
}

void
load(struct fixture *f, struct side *s)
{
	s->n = 0;
	s->ended = false;
	memset(s->checked, 0, sizeof(s->checked));
	assert_int_equal(store_load(s->store, on_load, s), 0);
	assert_false(s->ended);
	UNTIL(f, s->ended);
	assert_int_equal(s->err, 0);
}

void
on_claim(bool granted, void *arg)
{
	struct side *s = arg;

	s->claims++;
	s->granted += granted;
}

static void
test_keeps(void **state)
{
	struct fixture *f = *state;
	struct side *s = &f->sides[0];
	int64_t now = clock_wall_ms();

	need_server(f);
	open_side(f, 0);
	load(f, s);
	assert_int_equal(s->n, 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(put(s, i, now - 1000 + i), 0);
	/* The newer wins, whatever comes last. */
	assert_int_equal(put(s, 5, now + 500), 0);
	assert_int_equal(put(s, 5, now + 400), 0);
	store_remove(s->store, STR("dep-7"));
	store_remove(s->store, STR("dep-7"));
	store_remove(s->store, STR("dep-none"));
	load(f, s);
	assert_int_equal(s->n, 99);
	assert_int_equal(s->checked[5], now + 500);
	assert_int_equal(s->checked[7], 0);
	assert_int_equal(store_flush(s->store), 0);
}

static void
test_claims(void **state)
{
	struct fixture *f = *state;
	struct side *s = &f->sides[0];

	need_server(f);
	open_side(f, 0);
	for (int i = 0; i < 200; i++)
		assert_int_equal(
		    store_claim(s->store, STR("dep-1"), (uint64_t)i, 60000, 0, 0, on_claim, s), 0);
	assert_int_equal(s->claims, 0); /* never inside the call */
	UNTIL(f, s->claims == 200);
	assert_int_equal(s->granted, 200);
	/* Closed with claims and a load under way. */
	assert_int_equal(store_claim(s->store, STR("dep-1"), 999, 60000, 0, 0, on_claim, s), 0);
	assert_int_equal(store_load(s->store, on_load, s), 0);
	store_close(s->store);
	s->store = NULL;
	assert_true(s->ended);
	assert_int_equal(s->err, ERR_CLOSED);
	assert_int_equal(s->claims, 200);
}

static void
on_get(const struct str *value, int err, void *arg)
{
	struct side *s = arg;

	s->gets++;
	snprintf(s->got, sizeof(s->got), "%.*s", value ? (int)value->n : 1, value ? value->p : "-");
}

/* Answers come in order: with this one, all before it was carried out. */
void
carried_out(struct fixture *f, struct side *s)
{
	char key[64]; /* where our keys are */
	int gets = s->gets;

	snprintf(key, sizeof(key), "{%s}:none", f->prefix);
	assert_int_equal(store_get(s->store, str_of(key), on_get, s), 0);
	UNTIL(f, s->gets > gets);
}

static void
test_shared(void **state)
{
	struct fixture *f = *state;
	struct side *a = &f->sides[0], *b = &f->sides[1];
	int64_t now = clock_wall_ms();
	struct store_status status;
	int leaders = 0;

	need_server(f);
	open_side(f, 0);
	assert_int_equal(put(a, 1, now), 0);
	open_side(f, 1);
	UNTIL(f, b->checked[1] == now); /* what was there before */
	assert_int_equal(put(b, 2, now + 1), 0);
	UNTIL(f, a->checked[2] == now + 1); /* what the other puts */
	assert_int_equal(a->checked[1], 0); /* not what itself has put */
	/* Both know of both, and of a hundred claims each slot is granted once. */
	UNTIL(f, (store_status(a->store, &status), status.instances == 2));
	UNTIL(f, (store_status(b->store, &status), status.instances == 2));
	for (int i = 0; i < 100; i++)
		for (int j = 0; j < 2; j++)
			assert_int_equal(
			    store_claim(f->sides[j].store, STR("dep-1"), (uint64_t)i, 60000,
				i % 2 ? STORE_CLAIM_ANYBODY : 0, 0, on_claim, &f->sides[j]),
			    0);
	UNTIL(f, a->claims == 100 && b->claims == 100);
	assert_int_equal(a->granted + b->granted, 100);
	/* Who was granted, and gives it back. */
	a->claims = a->granted = b->claims = b->granted = 0;
	assert_int_equal(
	    store_claim(a->store, STR("x"), 1, 60000, STORE_CLAIM_ANYBODY, 0, on_claim, a), 0);
	UNTIL(f, a->granted == 1);
	assert_int_equal(
	    store_claim(b->store, STR("x"), 1, 60000, STORE_CLAIM_ANYBODY, 0, on_claim, b), 0);
	UNTIL(f, b->claims == 1);
	assert_int_equal(b->granted, 0);
	store_release(a->store, STR("x"), 1);
	carried_out(f, a);
	assert_int_equal(
	    store_claim(b->store, STR("x"), 1, 60000, STORE_CLAIM_ANYBODY, 0, on_claim, b), 0);
	UNTIL(f, b->claims == 2);
	assert_int_equal(b->granted, 1);
	/* Who needs no younger result than the other has put has nothing to do. */
	assert_int_equal(put(a, 3, now + 1), 0);
	carried_out(f, a);
	assert_int_equal(store_claim(b->store, STR("dep-3"), 2, 60000, STORE_CLAIM_ANYBODY, now + 1,
			     on_claim, b),
	    0);
	UNTIL(f, b->claims == 3);
	assert_int_equal(b->granted, 1);
	assert_int_equal(store_claim(b->store, STR("dep-3"), 2, 60000, STORE_CLAIM_ANYBODY, now + 2,
			     on_claim, b),
	    0);
	UNTIL(f, b->claims == 4);
	assert_int_equal(b->granted, 2);
	for (int j = 0; j < 2; j++)
		leaders += store_leads(f->sides[j].store, STR("something"));
	assert_int_equal(leaders, 1);
	/* Keys of others. */
	assert_int_equal(store_get(b->store, STR("k"), on_get, b), 0);
	UNTIL(f, b->gets == 1);
	assert_string_equal(b->got, "-");
	assert_int_equal(store_set(a->store, STR("k"), STR("v"), 10), 0);
	assert_int_equal(store_get(a->store, STR("k"), on_get, a), 0);
	UNTIL(f, strcmp(a->got, "v") == 0);
	assert_int_equal(store_get(b->store, STR("k"), on_get, b), 0);
	UNTIL(f, b->gets == 2);
	assert_string_equal(b->got, "v");
	/* The dead one's claim is worth nothing; who leaves is gone at once. */
	store_close(a->store);
	a->store = NULL;
	UNTIL(f, (store_status(b->store, &status), status.instances == 1));
	b->claims = b->granted = 0;
	for (int i = 0; i < 100; i++)
		assert_int_equal(
		    store_claim(b->store, STR("dep-1"), (uint64_t)i, 60000, 0, 0, on_claim, b), 0);
	UNTIL(f, b->claims == 100);
	assert_int_equal(b->granted, 100);
}

/* One side alone, for as long as its heartbeats do not matter. */
static void
run_side(struct fixture *f, int i)
{
	for (int turns = 0; turns < 50; turns++) {
		event_base_loop(f->bases[i], EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

/* One whose clock is an hour ahead: times arrive in the other's clock, and nothing else differs. */
static void
test_skew(void **state)
{
	struct fixture *f = *state;
	struct side *a = &f->sides[0], *b = &f->sides[1];
	int64_t now, hour = 3600000;

	need_server(f);
	open_side(f, 0);
	now = clock_wall_ms();
	clock_fake_set(clock_mono_us(), now + hour);
	{
		struct store_options o = { f->bases[1], &f->settings, "", -1 };
	
		assert_int_equal(store_open(f->ops, &o, &b->store), 0);
		store_watch(b->store, &store_contract_events, b);
		for (int i = 0; i < 2000 && !is_online(b); i++) {
			event_base_loop(f->bases[1], EVLOOP_NONBLOCK);
			usleep(1000);
		}
		assert_true(is_online(b));
	}
	assert_in_range(-store_clock_offset_ms(b->store), hour - 5000, hour + 5000);
	assert_int_equal(put(b, 3, now + hour), 0);
	run_side(f, 1);
	clock_fake_off();
	run_side(f, 0);
	assert_in_range(a->checked[3], now - 5000, now + 5000);
	/* And back; what is older than what the other has put is refused. */
	a->checked[3] = 0;
	assert_int_equal(put(a, 3, now - 4000), 0);
	assert_int_equal(put(a, 4, now), 0);
	run_side(f, 0);
	clock_fake_set(clock_mono_us(), now + hour);
	run_side(f, 1);
	clock_fake_off();
	assert_int_equal(b->checked[3], 0);
	assert_in_range(b->checked[4], now + hour - 5000, now + hour + 5000);
}

int
main(void)
{
	static const struct {
		const char *name;
		CMUnitTestFunction test;
		bool shared; /* of those that others share alone */
	} bodies[] = {
		{ "keeps", test_keeps, false },
		{ "claims", test_claims, false },
		{ "shared", test_shared, true },
		{ "skew", test_skew, true },
		{ "words", test_words, false },
		{ "regions", test_regions, true },
		{ "quorum_changes", test_quorum_changes, true },
		{ "many", test_many, true },
	};
	struct CMUnitTest tests[ARRAY_LEN(backends) * ARRAY_LEN(bodies)] = { 0 };
	static char names[ARRAY_LEN(tests)][64];
	size_t n = 0;
	int failed;

	for (size_t i = 0; i < ARRAY_LEN(backends); i++)
		for (size_t j = 0; j < ARRAY_LEN(bodies); j++) {
			if (bodies[j].shared && !backends[i].shared)
				continue;
			snprintf(names[n], sizeof(names[n]), "%s_%s", backends[i].name, bodies[j].name);
			tests[n] = (struct CMUnitTest){ names[n], bodies[j].test, setup, teardown,
				(void *)&backends[i] };
			n++;
		}
	failed = _cmocka_run_group_tests("store_contract", tests, n, NULL, NULL);
	redis_servers_stop();
	return failed;
}
