/* SPDX-License-Identifier: Apache-2.0 */
/* Counting results as the fleet gets them. */
#include "supervisor/front/tally.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"

struct tally {
	struct fleet *fleet;
	struct tally_provider *providers[TALLY_PROVIDERS_MAX + 1];
	size_t n;
	uint64_t version;
};

static struct tally_provider *
provider_of(struct tally *t, const char *name)
{
	bool full = t->n >= TALLY_PROVIDERS_MAX;

	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->providers[i]->name, name) == 0)
			return t->providers[i];
	if (full && strcmp(name, "other") != 0)
		return provider_of(t, "other");
	t->providers[t->n] = xcalloc(1, sizeof(struct tally_provider));
	t->providers[t->n]->name = xstrdup(name);
	return t->providers[t->n++];
}

static enum reach
reach_of(const struct msg_result *r)
{
	if (r->flags & RESULT_REUSED)
		return REACH_REUSED;
	if (r->flags & RESULT_TLS_RESUMED)
		return REACH_TLS_RESUMED;
	return r->flags & RESULT_TLS ? REACH_TLS : REACH_NEW;
}

static void
count_phases(struct tally_provider *p, const struct msg_result *r)
{
	const uint32_t us[PHASES] = { r->dns_us, r->connect_us, r->tls_us, r->first_byte_us,
		r->total_us };
	size_t bucket;

	for (int i = 0; i < PHASE_TOTAL; i++)
		if (us[i] > 0)
			histogram_add(&p->phases[i], us[i]);
	bucket = histogram_add(&p->phases[PHASE_TOTAL], r->total_us);
	p->exemplars[bucket] =
	    (struct tally_exemplar){ r->checked_at_ms, r->job, r->handle, r->total_us };
}

/* Where a failure of that kind is counted. Past the limit the nearest kind takes it. */
static struct tally_failure *
failure_of(struct deployment *d, enum reason reason, int64_t status)
{
	struct deployment_tally *t = d->tally;
	struct tally_failure *near = NULL;

	for (size_t i = 0; i < t->n; i++) {
		struct tally_failure *f = &t->failures[i];

		if (f->reason == reason && f->status == status)
			return f;
		if (near == NULL || f->reason == reason)
			near = f;
	}
	if (t->n == TALLY_FAILURES_MAX)
		return near;
	t = d->tally = xrealloc(t, sizeof(*t) + (t->n + 1) * sizeof(t->failures[0]));
	t->failures[t->n] = (struct tally_failure){ 0, reason, status };
	return &t->failures[t->n++];
}

static void
on_result(struct deployment *d, const struct msg_result *r, void *arg)
{
	struct tally *t = arg;
	struct tally_provider *p = provider_of(t, d->provider);
	enum reason reason =
	    r->reason < REASON_COUNT ? (enum reason)r->reason : REASON_PROBE_CRASHED;

	if (r->healthy)
		reason = REASON_OK;
	else if (reason == REASON_OK)
		reason = REASON_BAD_RESPONSE;
	t->version++;
	p->results[reason]++;
	p->tokens_in += r->tokens_in;
	p->tokens_out += r->tokens_out;
	if (r->http_status > 0)
		p->reached[reach_of(r)]++;
	count_phases(p, r);
	if (d->tally == NULL)
		d->tally = xcalloc(1, sizeof(*d->tally));
	d->tally->probes++;
	if (r->healthy)
		d->tally->successes++;
	else
		failure_of(d, reason, r->exception_status)->count++;
}

static void
on_gone(struct deployment *d, void *arg)
{
	free(d->tally);
	d->tally = NULL;
}

struct tally *
tally_new(struct fleet *f)
{
	struct tally *t = xcalloc(1, sizeof(*t));
	const struct fleet_watch w = { .result = on_result, .gone = on_gone, .arg = t };

	t->fleet = f;
	fleet_add_watch(f, &w);
	return t;
}

void
tally_free(struct tally *t)
{
	if (t == NULL)
		return;
	fleet_remove_watch(t->fleet, t);
	for (size_t i = 0; i < fleet_size(t->fleet); i++)
		on_gone(fleet_at(t->fleet, i), t);
	for (size_t i = 0; i < t->n; i++) {
		free(t->providers[i]->name);
		free(t->providers[i]);
	}
	free(t);
}

size_t
tally_providers(const struct tally *t)
{
	return t->n;
}

const struct tally_provider *
tally_provider(const struct tally *t, size_t i)
{
	return t->providers[i];
}

uint64_t
tally_version(const struct tally *t)
{
	return t->version;
}
