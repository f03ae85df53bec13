/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A large fleet on a clock of its own: who owns what is members.c's arithmetic, when it is asked is
 * schedule.c's; instances die, leave and come meanwhile. What would be sent to Redis is counted,
 * with the packed size of a real verdict. Prints one JSON object.
 *
 *   fleet_sim INSTANCES DEPLOYMENTS [INTERVALS]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/hash.h"
#include "supervisor/front/schedule.h"
#include "supervisor/front/store/members.h"
#include "supervisor/front/verdict_pack.h"

#define INTERVAL_MS 300000
#define HEARTBEAT_MS 5000
#define BEATS_PER_S (5000 / HEARTBEAT_MS)
#define START_MS INT64_C(1760000000000)
#define FIRST_ROUND_MS 60000
#define HISTORY 32

/* By instance: its name's hash, and when it is there. */
struct instance {
	uint64_t hash;
	int64_t from_ms, to_ms;
	bool died;
	size_t owned;
};

static struct instance *instances;
static size_t n_instances, n_deployments;
static uint64_t random_state = 20261121;

static uint64_t
chance(uint64_t below)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (random_state >> 33) % below;
}

static void
make_instances(size_t first, size_t all, int64_t end_ms)
{
	for (size_t i = 0; i < all; i++) {
		char name[64];
		int n = snprintf(name, sizeof(name), "gateway-%zu-%zu-%08" PRIx64, i, 1000 + i,
		    chance(UINT32_MAX));

		instances[i] = (struct instance){ hash_bytes(name, (size_t)n, 0), START_MS, INT64_MAX,
			false, 0 };
		if (i >= first)
			instances[i].from_ms = START_MS + FIRST_ROUND_MS +
					       (int64_t)chance((uint64_t)(end_ms - START_MS - FIRST_ROUND_MS));
	}
	/* As many end as come: half of them say so. */
	for (size_t i = first; i < all; i++) {
		struct instance *in = &instances[chance(first)];

		in->to_ms = START_MS + FIRST_ROUND_MS + (int64_t)chance((uint64_t)(end_ms - START_MS - FIRST_ROUND_MS));
		in->died = chance(2);
	}
}

/* Who is known to be there: of one that died it is known a heartbeat's time later. */
static bool
is_known(const struct instance *in, int64_t at_ms)
{
	int64_t to = in->died && in->to_ms < INT64_MAX ? in->to_ms + HEARTBEAT_MS : in->to_ms;

	return in->from_ms <= at_ms && at_ms < to;
}

struct candidate {
	uint64_t weight;
	size_t who;
};

static int
by_weight(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return x->weight > y->weight ? -1 : x->weight < y->weight;
}

struct figures {
	uint64_t probes, slots, doubled, taken_over;
	int64_t longest_ms;
};

/* All probes of one deployment from the start to the end. */
static void
play(size_t i, struct candidate *c, size_t n, int64_t end_ms, struct figures *f)
{
	char id[64];
	size_t length = (size_t)snprintf(id, sizeof(id), "deployment-%zu", i);
	const struct schedule_rules rules = { INTERVAL_MS, 15000, hash_bytes(id, length, 0) };
	int64_t at = START_MS + (int64_t)chance(FIRST_ROUND_MS), last = 0;
	uint64_t slot = 0;
	bool off;

	for (size_t k = 0; k < n; k++)
		c[k] = (struct candidate){ hash_bytes(id, length, instances[k].hash), k };
	qsort(c, n, sizeof(*c), by_weight);
	for (bool first = true; at < end_ms; first = false) {
		const struct instance *owner = NULL;
		int64_t turn = at;

		/* The owner by what is known; while it is one that has died, nobody asks. */
		while (owner == NULL) {
			for (size_t k = 0; k < n && owner == NULL; k++)
				if (is_known(&instances[c[k].who], at))
					owner = &instances[c[k].who];
			if (owner && owner->died && at >= owner->to_ms) {
				at = owner->to_ms + HEARTBEAT_MS;
				owner = NULL;
			}
		}
		f->taken_over += at != turn;
		if (first)
			instances[owner - instances].owned++;
		if (last && at - last > f->longest_ms)
			f->longest_ms = at - last;
		f->doubled += !first && schedule_slot(&rules, at) == slot;
		slot = schedule_slot(&rules, at);
		f->probes += at >= START_MS + FIRST_ROUND_MS;
		last = at;
		at += schedule_delay(&rules, at, 0, -1, &off);
	}
}

static size_t
packed_bytes(void)
{
	static struct history_item history[HISTORY];
	struct deployment d = { .history = history, .history_len = HISTORY, .history_cap = HISTORY };
	struct buf b = BUF_INIT(VERDICT_PACKED_MAX);
	size_t n;

	d.verdict = (struct verdict){ .state = VERDICT_HEALTHY, .since_ms = START_MS,
		.checked_at_ms = START_MS, .http_status = 200, .total_us = 410000, .probes = 1000 };
	if (verdict_pack(&d, &b) < 0)
		fatal("cannot pack");
	n = b.len;
	buf_clear(&b);
	return n;
}

int
main(int argc, char **argv)
{
	struct figures f = { 0 };
	size_t all, most = 0, least = SIZE_MAX, packed = packed_bytes();
	int intervals = argc > 3 ? atoi(argv[3]) : 4;
	int64_t end_ms = START_MS + FIRST_ROUND_MS + (int64_t)intervals * INTERVAL_MS;
	int64_t began = clock_mono_us();
	struct candidate *c;
	double probes_a_second, commands, deliveries;

	log_init("bench", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	n_instances = argc > 2 ? (size_t)atol(argv[1]) : 0;
	n_deployments = argc > 2 ? (size_t)atol(argv[2]) : 0;
	if (n_instances == 0 || n_deployments == 0 || intervals < 1)
		fatal("usage: fleet_sim INSTANCES DEPLOYMENTS [INTERVALS]");
	all = n_instances + n_instances / 20;
	instances = xcalloc(all, sizeof(*instances));
	c = xcalloc(all, sizeof(*c));
	make_instances(n_instances, all, end_ms);
	for (size_t i = 0; i < n_deployments; i++)
		play(i, c, all, end_ms, &f);
	for (size_t i = 0; i < n_instances; i++) {
		if (instances[i].owned > most)
			most = instances[i].owned;
		if (instances[i].owned < least)
			least = instances[i].owned;
	}
	probes_a_second = (double)f.probes / (intervals * INTERVAL_MS / 1000.0);
	/* A claim and a result for each probe; a heartbeat and a ping of each instance. */
	commands = 2 * probes_a_second + 2.0 * BEATS_PER_S * (double)n_instances;
	deliveries = probes_a_second * (double)(n_instances - 1);
	printf("{\"probes_per_interval\":%.4f,\"doubled\":%" PRIu64 ",\"longest_ms\":%" PRId64
	       ",\"taken_over\":%" PRIu64 ",\"most_owned\":%.3f,\"least_owned\":%.3f,"
	       "\"probes_s\":%.1f,\"commands_s\":%.0f,\"deliveries_s\":%.0f,\"delivered_mb_s\":%.1f,"
	       "\"names_s\":%.0f,\"packed_bytes\":%zu,\"took_s\":%.1f}\n",
	    (double)f.probes / intervals / (double)n_deployments, f.doubled, f.longest_ms,
	    f.taken_over, (double)most * (double)n_instances / (double)n_deployments,
	    (double)least * (double)n_instances / (double)n_deployments, probes_a_second, commands,
	    deliveries, deliveries * (double)(packed + 60) / 1e6,
	    (double)BEATS_PER_S * (double)n_instances * (double)n_instances, packed,
	    (double)(clock_mono_us() - began) / 1e6);
	free(instances);
	free(c);
	return 0;
}
