/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of what this process stands on: Redis, LiteLLM's database, a collector. What is not there has no samples. */
#include "supervisor/front/http/page.h"
#include "supervisor/front/http/server.h"

static void
seconds(struct page *p, uint64_t us)
{
	page_begin(p);
	exposition_us(p->b, us);
	buf_add_char(p->b, '\n');
}

void
metrics_add_REDIS_INSTANCES(struct page *p)
{
	if (p->store.shared)
		page_plain(p, p->store.instances);
}

void
metrics_add_REDIS_COMMANDS(struct page *p)
{
	if (p->store.shared)
		page_plain(p, p->store.commands);
}

void
metrics_add_REDIS_CONNECTS(struct page *p)
{
	if (p->store.shared)
		page_plain(p, p->store.connects);
}

void
metrics_add_REDIS_LATENCY(struct page *p)
{
	if (p->store.latency)
		page_histogram(p, p->store.latency, "", NULL);
}

void
metrics_add_REDIS_LAG(struct page *p)
{
	if (p->store.lag)
		page_histogram(p, p->store.lag, "", NULL);
}

void
metrics_add_REDIS_QUEUE(struct page *p)
{
	if (p->store.shared)
		page_plain(p, p->store.waiting);
}

void
metrics_add_REDIS_VERDICTS(struct page *p)
{
	if (!p->store.shared)
		return;
	page_labels(p, "kind", "put", NULL, NULL, p->store.put);
	page_labels(p, "kind", "taken", NULL, NULL, p->store.taken);
}

void
metrics_add_REDIS_CLAIMS(struct page *p)
{
	if (!p->store.shared)
		return;
	page_labels(p, "result", "granted", NULL, NULL, p->store.claims - p->store.denied);
	page_labels(p, "result", "denied", NULL, NULL, p->store.denied);
}

void
metrics_add_DATABASE_UP(struct page *p)
{
	if (p->database.state >= DATABASE_CONNECTED)
		page_plain(p, p->database.state == DATABASE_CONNECTED);
}

void
metrics_add_DATABASE_LATENCY(struct page *p)
{
	if (p->database.state >= DATABASE_CONNECTED)
		seconds(p, p->database.latency_us);
}

void
metrics_add_DATABASE_TESTS(struct page *p)
{
	if (p->database.state < DATABASE_CONNECTED)
		return;
	page_labels(p, "result", "ok", NULL, NULL, p->database.tests - p->database.failures);
	page_labels(p, "result", "failed", NULL, NULL, p->database.failures);
}

static const char *const signals[OTLP_SIGNALS] = { "traces", "metrics" };

void
metrics_add_OTLP_EXPORTED(struct page *p)
{
	for (unsigned i = 0; i < OTLP_SIGNALS; i++)
		if (p->otlp[i].on)
			page_labels(p, "signal", signals[i], NULL, NULL, p->otlp[i].exported);
}

void
metrics_add_OTLP_DROPPED(struct page *p)
{
	for (unsigned i = 0; i < OTLP_SIGNALS; i++)
		if (p->otlp[i].on)
			page_labels(p, "signal", signals[i], NULL, NULL, p->otlp[i].dropped);
}

void
metrics_add_OTLP_REQUESTS(struct page *p)
{
	static const char *const outcomes[] = { "ok", "again", "refused" };

	for (unsigned i = 0; i < OTLP_SIGNALS; i++)
		for (size_t k = 0; p->otlp[i].on && k < ARRAY_LEN(outcomes); k++)
			page_labels(p, "outcome", outcomes[k], "signal", signals[i], p->otlp[i].requests[k]);
}

void
metrics_add_OTLP_QUEUED(struct page *p)
{
	for (unsigned i = 0; i < OTLP_SIGNALS; i++)
		if (p->otlp[i].on)
			page_labels(p, "signal", signals[i], NULL, NULL, p->otlp[i].queued);
}
