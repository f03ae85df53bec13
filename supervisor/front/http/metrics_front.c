/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of the process itself: what moves with every request. */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "supervisor/front/http/guard.h"
#include "supervisor/front/http/page.h"
#include "supervisor/front/http/passthrough.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/http/turns.h"

/* Rows with one sample and no labels. */
#define PLAIN(id, value) \
	void metrics_add_##id(struct page *p) \
	{ \
		page_plain(p, (value)); \
	}
PLAIN(GENERATION, fleet_generation(p->h->fleet))
PLAIN(IN_FLIGHT, p->probes.in_flight)
PLAIN(QUEUED, p->probes.queued)
PLAIN(WAITERS, p->probes.waiters)
PLAIN(STARTED, p->probes.started)
PLAIN(SHARED, p->probes.shared)
PLAIN(REQUEUED, p->pool.requeued)
PLAIN(WORKERS, p->pool.workers)
PLAIN(RESTARTS, p->pool.restarts)
PLAIN(CONNECTIONS, p->h->n_conns)
PLAIN(LISTENERS, p->events.listeners)
PLAIN(EVENTS, p->events.events)
PLAIN(DROPPED, p->events.dropped)
#undef PLAIN

void
metrics_add_BUILD(struct page *p)
{
	page_labels(p, "version", PACKAGE_VERSION, NULL, NULL, 1);
}

void
metrics_add_LAG(struct page *p)
{
	if (p->probes.lag)
		page_histogram(p, p->probes.lag, "", NULL);
}

void
metrics_add_STORE(struct page *p)
{
	const char *store = p->probes.store;

	page_labels(p, "backend", store ? store : "none", NULL, NULL, store != NULL);
}

void
metrics_add_REQUESTS(struct page *p)
{
	for (size_t i = 0; i < p->h->requests.n; i++) {
		const struct requests_kind *k = &p->h->requests.kinds[i];

		page_text(p, p->sample);
		page_label(p, '{', "route", k->route ? k->route : "");
		buf_addf(p->b, ",status=\"%d\"} ", k->status);
		buf_add_int(p->b, (int64_t)k->count);
		if (p->openmetrics && k->at_ms > 0) {
			page_text(p, " # ");
			page_label(p, '{', "request_id", k->id);
			page_text(p, "} 1 ");
			exposition_ms(p->b, k->at_ms);
		}
		buf_add_char(p->b, '\n');
	}
}

void
metrics_add_LONGEST_TURN(struct page *p)
{
	page_begin(p);
	exposition_us(p->b, (uint64_t)turns_longest_us(p->h));
	buf_add_char(p->b, '\n');
}

void
metrics_add_WRONG_KEYS(struct page *p)
{
	page_plain(p, guard_count(p->h));
}

void
metrics_add_PASS_IN_FLIGHT(struct page *p)
{
	struct passthrough_counts counts;

	passthrough_counts(p->h->passthrough, &counts);
	page_plain(p, counts.in_flight);
}

void
metrics_add_PASS_REQUESTS(struct page *p)
{
	struct passthrough_counts counts;

	passthrough_counts(p->h->passthrough, &counts);
	for (int i = 0; i < PASSTHROUGH_OUTCOMES; i++)
		page_labels(p, "outcome", passthrough_outcome((enum passthrough_outcome)i), NULL,
		    NULL, counts.ended[i]);
}

void
metrics_add_PASS_BYTES(struct page *p)
{
	struct passthrough_counts counts;

	passthrough_counts(p->h->passthrough, &counts);
	page_labels(p, "direction", "in", NULL, NULL, counts.bytes_in);
	page_labels(p, "direction", "out", NULL, NULL, counts.bytes_out);
}

void
metrics_add_CPU(struct page *p)
{
	struct rusage u;
	uint64_t us = 0;

	if (getrusage(RUSAGE_SELF, &u) == 0)
		us = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000u +
		     (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	page_begin(p);
	exposition_us(p->b, us);
	buf_add_char(p->b, '\n');
}

void
metrics_add_START(struct page *p)
{
	page_begin(p);
	exposition_ms(p->b, p->h->started_ms);
	buf_add_char(p->b, '\n');
}

/* Pages of memory: field 0 of statm is virtual, 1 resident. */
static void
add_memory(struct page *p, int field)
{
	unsigned long pages[2];
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL)
		return;
	if (fscanf(f, "%lu %lu", &pages[0], &pages[1]) == 2)
		page_plain(p, (uint64_t)pages[field] * (uint64_t)sysconf(_SC_PAGESIZE));
	fclose(f);
}

void
metrics_add_RESIDENT(struct page *p)
{
	add_memory(p, 1);
}

void
metrics_add_VIRTUAL(struct page *p)
{
	add_memory(p, 0);
}

void
metrics_add_MAX_FDS(struct page *p)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		page_plain(p, limit.rlim_cur);
}
