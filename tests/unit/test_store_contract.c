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
#include "tests/unit/unit.h"

#define WAIT_MS 10000
#define MANY 20000

struct side {
	struct store *store;
	size_t n, items, taken;
	int64_t checked[100];
	bool ended;
	int err, claims, granted, members, refills, gets;
	char got[64], sight[256];
	int sights;
};

struct backend {
	const char *name;
	const struct store_ops *ops;
	bool shared;
	enum redis_servers_kind servers;
};

/* The servers of a backend are started for its first test and serve the others, too. */
static const struct backend backends[] = {
	{ "memory", &store_memory, false, REDIS_SERVERS_ONE },
	{ "alone", &store_redis, false, REDIS_SERVERS_ONE },
	{ "redis", &store_redis, true, REDIS_SERVERS_ONE },
	{ "tls", &store_redis, true, REDIS_SERVERS_TLS },
	{ "cluster", &store_redis, true, REDIS_SERVERS_CLUSTER },
	{ "sentinel", &store_redis, true, REDIS_SERVERS_SENTINEL },
};

struct fixture {
	const struct backend *backend;
	const char *missing; /* on this machine */
	struct event_base *bases[2]; /* one for each side */
	struct settings settings;
	char prefix[32];
	const struct store_ops *ops;
	struct side sides[2];
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

static void
need_server(const struct fixture *f)
{
	if (f->missing) {
		print_message("# SKIP %s: %s\n", f->backend->name, f->missing);
		skip();
	}
}

static bool
is_online(const struct side *s)
{
	struct store_status status;

	store_status(s->store, &status);
	return status.connected;
}

/* Runs the loop until it is true. */
#define UNTIL(f, condition) \
	do { \
		int64_t end = clock_mono_ms() + WAIT_MS; \
		while (!(condition)) { \
			assert_true(clock_mono_ms() < end); \
			event_base_loop((f)->bases[0], EVLOOP_NONBLOCK); \
			event_base_loop((f)->bases[1], EVLOOP_NONBLOCK); \
			usleep(500); \
		} \
	} while (0)

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

static void
open_side(struct fixture *f, int i)
{
	static const struct store_events events = { on_item, on_members, on_refill,
		on_sight };
	struct store_options o = { f->bases[i], &f->settings, "", -1 };

	memset(&f->sides[i], 0, sizeof(f->sides[i]));
	assert_int_equal(store_open(f->ops, &o, &f->sides[i].store), 0);
	store_watch(f->sides[i].store, &events, &f->sides[i]);
	UNTIL(f, is_online(&f->sides[i]));
}

static int
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

static void
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

static void
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
		    store_claim(s->store, STR("dep-1"), (uint64_t)i, 60000, 0, on_claim, s), 0);
	assert_int_equal(s->claims, 0); /* never inside the call */
	UNTIL(f, s->claims == 200);
	assert_int_equal(s->granted, 200);
	/* Closed with claims and a load under way. */
	assert_int_equal(store_claim(s->store, STR("dep-1"), 999, 60000, 0, on_claim, s), 0);
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
static void
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
				i % 2 ? STORE_CLAIM_ANYBODY : 0, on_claim, &f->sides[j]),
			    0);
	UNTIL(f, a->claims == 100 && b->claims == 100);
	assert_int_equal(a->granted + b->granted, 100);
	/* Who was granted, and gives it back. */
	a->claims = a->granted = b->claims = b->granted = 0;
	assert_int_equal(
	    store_claim(a->store, STR("x"), 1, 60000, STORE_CLAIM_ANYBODY, on_claim, a), 0);
	UNTIL(f, a->granted == 1);
	assert_int_equal(
	    store_claim(b->store, STR("x"), 1, 60000, STORE_CLAIM_ANYBODY, on_claim, b), 0);
	UNTIL(f, b->claims == 1);
	assert_int_equal(b->granted, 0);
	store_release(a->store, STR("x"), 1);
	carried_out(f, a);
	assert_int_equal(
	    store_claim(b->store, STR("x"), 1, 60000, STORE_CLAIM_ANYBODY, on_claim, b), 0);
	UNTIL(f, b->claims == 2);
	assert_int_equal(b->granted, 1);
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
		    store_claim(b->store, STR("dep-1"), (uint64_t)i, 60000, 0, on_claim, b), 0);
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
		static const struct store_events events = { on_item, on_members, on_refill,
		on_sight };

		assert_int_equal(store_open(f->ops, &o, &b->store), 0);
		store_watch(b->store, &events, b);
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

/* Our word of a deployment, or another witness's, as long as that. */
static void
say(struct side *s, int i, const char *witness, size_t n)
{
	char *word = calloc(n, 1), id[32];
	struct store_item item = { .sight = { word, n },
		.witness = str_of(witness),
		.checked_at_ms = clock_wall_ms(),
		.sight_ttl_ms = 60000 };

	memset(word, 'x', n);
	item.id = (struct str){ id, (size_t)snprintf(id, sizeof(id), "dep-%d", i) };
	assert_int_equal(store_put(s->store, &item), 0);
	free(word);
}

static size_t
witnesses(const struct side *s)
{
	struct str names[STORE_WITNESSES_MAX];
	size_t n = store_witnesses(s->store, STR("dep-1"), names, STORE_WITNESSES_MAX);

	for (size_t i = 0; i < n; i++)
		assert_in_range(names[i].n, 1, 99);
	return n;
}

static bool
is_witness(const struct side *of, const struct side *s)
{
	struct str names[STORE_WITNESSES_MAX];
	size_t n = store_witnesses(of->store, STR("dep-1"), names, STORE_WITNESSES_MAX);
	struct store_status status;
	bool found = false;

	store_status(s->store, &status);
	for (size_t i = 0; i < n; i++)
		found |= str_eq(names[i], status.witness);
	return found;
}

/* What each witness says, where a quorum is asked for; where nobody else is, nobody hears of it. */
static void
test_words(void **state)
{
	struct fixture *f = *state;
	struct side *a = &f->sides[0], *b = &f->sides[1];
	struct store_status status;
	char wanted[256];

	need_server(f);
	assert_int_equal(settings_set(&f->settings, SETTING_REDIS_QUORUM, STR("2"), NULL), 0);
	open_side(f, 0);
	store_status(a->store, &status);
	say(a, 1, "", 4);
	if (!f->backend->shared) {
		assert_int_equal(status.quorum, 0);
		assert_int_equal(witnesses(a), 0);
		load(f, a);
		assert_int_equal(a->n, 0); /* a word is no verdict */
		assert_int_equal(a->sights, 0);
		return;
	}
	assert_int_equal(status.quorum, 2);
	carried_out(f, a);
	/* One that comes later is told what was said before. */
	open_side(f, 1);
	store_status(a->store, &status);
	snprintf(wanted, sizeof(wanted), "%.*s dep-1 xxxx", (int)status.witness.n, status.witness.p);
	UNTIL(f, b->sights == 1);
	assert_string_equal(b->sight, wanted);
	UNTIL(f, witnesses(a) == 2 && witnesses(b) == 2);
	assert_true(is_witness(a, a) && is_witness(a, b) && is_witness(b, a) && is_witness(b, b));
	/* What is said now: also for another, and not to the one who says it. */
	say(b, 2, "", 7);
	UNTIL(f, a->sights == 1);
	store_status(b->store, &status);
	snprintf(wanted, sizeof(wanted), "%.*s dep-2 xxxxxxx", (int)status.witness.n, status.witness.p);
	assert_string_equal(a->sight, wanted);
	say(b, 3, "litellm", 1);
	UNTIL(f, a->sights == 2);
	assert_string_equal(a->sight, "litellm dep-3 x");
	/* Too long to be one; then one that is not. */
	say(b, 4, "", 16385);
	say(b, 5, "", 16384);
	UNTIL(f, a->sights == 3);
	assert_non_null(strstr(a->sight, " dep-5 x"));
	/* Each witness has slots of its own. */
	for (int j = 0; j < 2; j++)
		assert_int_equal(store_claim(f->sides[j].store, STR("dep-1"), 7, 60000, 0, on_claim,
				     &f->sides[j]),
		    0);
	UNTIL(f, a->claims == 1 && b->claims == 1);
	assert_int_equal(a->granted + b->granted, 2);
	/* Who has left is none any more. */
	store_close(b->store);
	b->store = NULL;
	UNTIL(f, witnesses(a) == 1);
	assert_true(is_witness(a, a));
}

/* The instances of a region are one witness, for which one of them claims. */
static void
test_regions(void **state)
{
	struct fixture *f = *state;
	struct side *a = &f->sides[0], *b = &f->sides[1];

	need_server(f);
	assert_int_equal(settings_set(&f->settings, SETTING_REDIS_QUORUM, STR("2"), NULL), 0);
	assert_int_equal(settings_set(&f->settings, SETTING_REGION, STR("eu"), NULL), 0);
	open_side(f, 0);
	open_side(f, 1);
	for (int j = 0; j < 2; j++) {
		struct store_status status;

		UNTIL(f, (store_status(f->sides[j].store, &status), status.instances == 2));
		assert_true(str_is(status.witness, "eu"));
		assert_int_equal(witnesses(&f->sides[j]), 1);
		assert_int_equal(store_claim(f->sides[j].store, STR("dep-1"), 7, 60000, 0, on_claim,
				     &f->sides[j]),
		    0);
	}
	UNTIL(f, a->claims == 1 && b->claims == 1);
	assert_int_equal(a->granted + b->granted, 1);
}

/* A quorum that is turned on and off while verdicts are there. */
static void
test_quorum_changes(void **state)
{
	struct fixture *f = *state;
	struct side *a = &f->sides[0], *b = &f->sides[1];
	struct store_status status;
	int64_t now = clock_wall_ms();

	need_server(f);
	open_side(f, 0);
	open_side(f, 1);
	assert_int_equal(put(a, 1, now), 0);
	UNTIL(f, b->checked[1] == now);
	for (int on = 1; on >= 0; on--) {
		assert_int_equal(
		    settings_set(&f->settings, SETTING_REDIS_QUORUM, on ? STR("2") : STR("0"), NULL),
		    0);
		for (int j = 0; j < 2; j++) {
			assert_int_equal(store_reopen(f->sides[j].store, &f->settings), 0);
			store_status(f->sides[j].store, &status);
			assert_int_equal(status.quorum, on ? 2 : 0);
		}
		UNTIL(f, is_online(a) && is_online(b));
		UNTIL(f, (store_status(a->store, &status), status.instances == 2));
		UNTIL(f, (store_status(b->store, &status), status.instances == 2));
		assert_int_equal(witnesses(a), on ? 2 : 0);
		b->sights = 0;
		say(a, 1, "", 4);
		carried_out(f, a);
		/* Answered after the word was, on another connection: what was put is heard after it. */
		assert_int_equal(put(a, 2, now + 1 + !on), 0);
		UNTIL(f, b->checked[2] == now + 1 + !on);
		assert_int_equal(b->sights, on);
		load(f, b);
		assert_int_equal(b->checked[1], now);
	}
}

/* Many are read in pieces, a turn of the loop for each, and all of them. */
static void
test_many(void **state)
{
	struct fixture *f = *state;
	struct side *a = &f->sides[0], *b = &f->sides[1];
	struct store_status status;
	size_t turns = 0, most = 0;

	need_server(f);
	open_side(f, 0);
	for (int i = 100; i < 100 + MANY; i++) {
		assert_int_equal(put(a, i, clock_wall_ms()), 0);
		if (i % 64 == 0)
			carried_out(f, a);
	}
	UNTIL(f, (store_status(a->store, &status), status.put == MANY));
	{
		struct store_options o = { f->bases[1], &f->settings, "", -1 };
		static const struct store_events events = { on_item, on_members, on_refill,
			on_sight };
		int64_t end = clock_mono_ms() + WAIT_MS;

		assert_int_equal(store_open(f->ops, &o, &b->store), 0);
		store_watch(b->store, &events, b);
		while (!is_online(b)) {
			assert_true(clock_mono_ms() < end);
			b->taken = 0;
			event_base_loop(f->bases[1], EVLOOP_ONCE | EVLOOP_NONBLOCK);
			turns += b->taken > 0;
			most = b->taken > most ? b->taken : most;
		}
	}
	store_status(b->store, &status);
	assert_in_range(status.taken, MANY, MANY + MANY / 10); /* a growing hash tells some twice */
	assert_true(turns >= MANY / 1024);
	assert_in_range(most, 1, 1024);
	assert_int_equal(b->items, status.taken);
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
