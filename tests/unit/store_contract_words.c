/* SPDX-License-Identifier: Apache-2.0 */
/* Of the store's contract: the words of witnesses, and many verdicts. */
#include "tests/unit/store_contract.h"

#include <stdlib.h>
#include <string.h>

#define MANY 20000

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
void
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
		assert_int_equal(store_claim(f->sides[j].store, STR("dep-1"), 7, 60000, 0, 0, on_claim,
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
void
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
		assert_int_equal(store_claim(f->sides[j].store, STR("dep-1"), 7, 60000, 0, 0, on_claim,
				     &f->sides[j]),
		    0);
	}
	UNTIL(f, a->claims == 1 && b->claims == 1);
	assert_int_equal(a->granted + b->granted, 1);
}

/* A quorum that is turned on and off while verdicts are there. */
void
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
void
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
		int64_t end = clock_mono_ms() + WAIT_MS;

		assert_int_equal(store_open(f->ops, &o, &b->store), 0);
		store_watch(b->store, &store_contract_events, b);
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
	assert_true(turns >= MANY / 2048);
	assert_in_range(most, 1, 2048);
	assert_int_equal(b->items, status.taken);
}
