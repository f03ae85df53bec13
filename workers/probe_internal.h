/* SPDX-License-Identifier: Apache-2.0 */
/* What probe.c (the life of a probe) and probe_build.c (what it asks) share. */
#ifndef WORKERS_PROBE_INTERNAL_H
#define WORKERS_PROBE_INTERNAL_H

#include "workers/auth/tokens.h"
#include "workers/dialects/dialect.h"
#include "workers/probe.h"

struct plan;
struct transfer;

#define DEFAULT_TIMEOUT_MS 60000

struct probe {
	struct probe *next, **link; /* in `running` or `waiting` */
	struct probes *owner;
	struct entry *entry;
	uint32_t job, generation;
	uint32_t variant;
	int64_t started_us, now_ms, timeout_ms;
	struct token_wait wait;	   /* for the credential */
	uint64_t version;	   /* of the credential that it uses */
	struct transfer *transfer; /* of the entry's line; NULL: not started */
	struct plan *plan; /* the entry's, or its own where the dialect's request does not keep */
};

struct probes {
	struct lines *lines;
	struct tokens *tokens;
	size_t max_running, n_running, n_waiting;
	struct probe *running;
	struct probe *waiting, **waiting_end;
	probe_report report;
	void *arg;
	uint64_t random;
	/* Used by one probe at a time, kept for their memory. */
	struct request request;
	struct result result;
	struct buf raw, masked;
};

/* Any number: which greeting is sent is no secret. */
uint32_t probes_random(struct probes *p);
/* Wipes p->request: its headers hold the key. */
void probes_forget_request(struct probes *p);
/* Finds out, once, which scheme the entry's target needs. */
void probe_know_scheme(struct entry *e);
/*
 * Gets the credential that the probe needs. 0: it is there, or none is needed. ERR_AGAIN: it is
 * waited for, b->wait.done is called. Else p->result says why there is none.
 */
int probe_credential(struct probe *b) MUST_CHECK;
/* Builds a variant into p->request, and signs it where the scheme does. On an error `why` says why.
 */
int probe_build(struct probes *p, const struct entry *e, uint32_t variant, int64_t now_ms,
    struct result *why) MUST_CHECK;
/* Gives the probe its plan. On an error p->result says why there is none. */
int probe_plan(struct probe *b) MUST_CHECK;

#endif
