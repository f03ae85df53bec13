/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the probes of this process have come to, for /metrics: results and durations by provider,
 * failures by kind of each deployment. Durations are kept by provider and not by deployment: a
 * histogram of five phases is 720 bytes, which a fleet of thousands cannot have for each one.
 */
#ifndef SUPERVISOR_FRONT_TALLY_H
#define SUPERVISOR_FRONT_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "shared/reason.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/histogram.h"

/* Providers counted apart; what comes after them is counted together as "other". */
#define TALLY_PROVIDERS_MAX 256
/* Hosts whose certificate is known; those that come after them are not. */
#define TALLY_HOSTS_MAX 1024
/* A price for one token that cannot be right is cut, so that no sum of money overflows. */
#define TALLY_PRICE_MAX ((int64_t)1000000000000000)
/* Kinds of failure of one deployment that are counted apart. */
#define TALLY_FAILURES_MAX 8

enum phase { PHASE_DNS, PHASE_CONNECT, PHASE_TLS, PHASE_FIRST_BYTE, PHASE_TOTAL, PHASES };

/* How a probe reached its provider. */
enum reach { REACH_REUSED, REACH_NEW, REACH_TLS, REACH_TLS_RESUMED, REACHES };

/* The last probe that fell into a bucket. */
struct tally_exemplar {
	int64_t at_ms; /* wall clock; 0: none */
	uint32_t probe, handle, us;
};

struct tally_provider {
	char *name;
	uint64_t results[REASON_COUNT];
	uint64_t tokens_in, tokens_out;
	uint64_t spent;	   /* on tokens whose price is known, in PRICE_UNITS */
	uint64_t unpriced; /* probes that spent tokens at a price that is not known */
	uint64_t reached[REACHES];
	struct histogram phases[PHASES]; /* a phase that a probe did not have is not counted */
	struct tally_exemplar exemplars[HISTOGRAM_BUCKETS]; /* of PHASE_TOTAL */
};

struct tally_failure {
	uint64_t count;
	enum reason reason;
	int64_t status; /* LiteLLM's exception_status */
};

/* A host that speaks TLS. */
struct tally_host {
	char *name; /* "api.openai.com:443" */
	int64_t certificate_expires_s;
	size_t deployments; /* that are there */
};

/* Of one deployment, since this process began. */
struct deployment_tally {
	uint64_t probes, successes;
	uint64_t spent; /* in PRICE_UNITS */
	struct tally_host *host; /* NULL: its certificate was not seen */
	size_t n;
	struct tally_failure failures[];
};

struct tally;

/* Counts all results of the fleet from now on. */
struct tally *tally_new(struct fleet *f);
/* Before the fleet is freed. Accepts NULL. */
void tally_free(struct tally *t);

size_t tally_providers(const struct tally *t);
const struct tally_provider *tally_provider(const struct tally *t, size_t i);
size_t tally_hosts(const struct tally *t);
const struct tally_host *tally_host(const struct tally *t, size_t i);
/* Grows with each result. */
uint64_t tally_version(const struct tally *t);

#endif
