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
	struct tally_host *hosts[TALLY_HOSTS_MAX];
	size_t n_hosts;
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

/* "https://host:port" without its scheme. */
static const char *
host_of(const struct deployment *d)
{
	const char *at = strstr(d->host, "://");

	return at ? at + 3 : d->host;
}

static void
leave_host(struct tally *t, struct deployment_tally *d)
{
	struct tally_host *host = d->host;

	d->host = NULL;
	if (host == NULL || --host->deployments > 0)
		return;
	for (size_t i = 0; i < t->n_hosts; i++)
		if (t->hosts[i] == host)
			t->hosts[i--] = t->hosts[--t->n_hosts];
	free(host->name);
	free(host);
}

static struct tally_host *
find_host(struct tally *t, const char *name)
{
	for (size_t i = 0; i < t->n_hosts; i++)
		if (strcmp(t->hosts[i]->name, name) == 0)
			return t->hosts[i];
	if (t->n_hosts == TALLY_HOSTS_MAX)
		return NULL;
	t->hosts[t->n_hosts] = xcalloc(1, sizeof(struct tally_host));
	t->hosts[t->n_hosts]->name = xstrdup(name);
	return t->hosts[t->n_hosts++];
}

static void
note_certificate(struct tally *t, struct deployment *d, int64_t expires_s)
{
	const char *name = host_of(d);

	if (expires_s <= 0 || *name == '\0')
		return;
	if (d->tally->host == NULL || strcmp(d->tally->host->name, name) != 0) {
		leave_host(t, d->tally);
		d->tally->host = find_host(t, name);
		if (d->tally->host == NULL)
			return;
		d->tally->host->deployments++;
	}
	d->tally->host->certificate_expires_s = expires_s;
}

/* What the tokens cost, in PRICE_UNITS; false where nobody knows. */
static bool
cost_of(const struct deployment *d, const struct msg_result *r, uint64_t *cost)
{
	int64_t in = d->price_in < TALLY_PRICE_MAX ? d->price_in : TALLY_PRICE_MAX;
	int64_t out = d->price_out < TALLY_PRICE_MAX ? d->price_out : TALLY_PRICE_MAX;

	uint64_t one;

	*cost = 0;
	/* A picture, a page or a search; nobody is asked to pay for what has failed. */
	if (d->price_probe >= 0) {
		if (r->healthy)
			*cost = (uint64_t)d->price_probe;
		if (in < 0 && out < 0)
			return true;
	}
	if ((r->tokens_in > 0 && in < 0) || (r->tokens_out > 0 && out < 0))
		return false;
	return !__builtin_mul_overflow((uint64_t)r->tokens_in, (uint64_t)(in > 0 ? in : 0), &one) &&
	       !__builtin_add_overflow(*cost, one, cost) &&
	       !__builtin_mul_overflow((uint64_t)r->tokens_out, (uint64_t)(out > 0 ? out : 0), &one) &&
	       !__builtin_add_overflow(*cost, one, cost);
}

static void
on_result(struct deployment *d, const struct msg_result *r, void *arg)
{
	struct tally *t = arg;
	struct tally_provider *p = provider_of(t, d->provider);
	uint64_t cost;
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
	if (cost_of(d, r, &cost)) {
		p->spent += cost;
		d->tally->spent += cost;
	} else {
		p->unpriced++;
	}
	note_certificate(t, d, r->certificate_expires_s);
	if (r->healthy)
		d->tally->successes++;
	else
		failure_of(d, reason, r->exception_status)->count++;
}

static void
on_gone(struct deployment *d, void *arg)
{
	if (d->tally)
		leave_host(arg, d->tally);
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

size_t
tally_hosts(const struct tally *t)
{
	return t->n_hosts;
}

const struct tally_host *
tally_host(const struct tally *t, size_t i)
{
	return t->hosts[i];
}
