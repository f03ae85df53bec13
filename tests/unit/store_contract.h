/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the store's contract share: two sides of one store, on each of the backends. */
#ifndef TESTS_UNIT_STORE_CONTRACT_H
#define TESTS_UNIT_STORE_CONTRACT_H

#include <event2/event.h>
#include <unistd.h>

#include "shared/clock.h"
#include "supervisor/front/store/store.h"
#include "tests/unit/redis_servers.h"
#include "tests/unit/unit.h"

#define WAIT_MS 10000

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

struct fixture {
	const struct backend *backend;
	const char *missing; /* on this machine */
	struct event_base *bases[2]; /* one for each side */
	struct settings settings;
	char prefix[32];
	const struct store_ops *ops;
	struct side sides[2];
};

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

/* All of them count in the side. */
extern const struct store_events store_contract_events;
/* Skips where the backend's servers cannot be started. */
void need_server(const struct fixture *f);
bool is_online(const struct side *s);
/* Opens that side's store, and waits until it is online. */
void open_side(struct fixture *f, int i);
/* A healthy verdict of deployment dep-I. */
int put(struct side *s, int i, int64_t checked_at_ms);
/* Loads all verdicts: `n` and `checked` of the side are theirs. */
void load(struct fixture *f, struct side *s);
/* Counts a claim in its side. */
void on_claim(bool granted, void *arg);
/* Waits until all that the side has sent was carried out. */
void carried_out(struct fixture *f, struct side *s);

void test_words(void **state);
void test_regions(void **state);
void test_quorum_changes(void **state);
void test_many(void **state);

#endif
