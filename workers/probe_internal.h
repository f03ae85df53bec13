/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two halves of a probe share: probe.c is its life, probe_result.c what is asked, what the
 * answer means and what is told of it. For nobody else.
 */
#ifndef WORKERS_PROBE_INTERNAL_H
#define WORKERS_PROBE_INTERNAL_H

#include "shared/buf.h"
#include "workers/auth/tokens.h"
#include "workers/dialects/dialect.h"
#include "workers/probe.h"
#include "workers/target.h"
#include "workers/targets.h"
#include "workers/transfer.h"
#include "workers/wildcard.h"

/*
 * A target that names no model: first the list is asked for, then one model after another. The one
 * that answered is kept, and asked alone the next time; the list again only when it fails.
 */
struct search {
	bool listing;
	bool kept; /* `found` is what the last probe has found */
	struct wildcard found;
	size_t next;	      /* of `found`, to be asked next */
	struct target target; /* the entry's, but for the model; owns nothing */
};

struct probe {
	struct probe *next, **link; /* in `running` or `waiting` */
	struct probes *owner;
	struct entry *entry;
	uint32_t job, generation;
	char *request; /* the id of the HTTP request that asked; NULL: none */
	uint32_t variant;
	int64_t started_us, now_ms, timeout_ms;
	struct token_wait wait;	   /* for the credential */
	uint64_t version;	   /* of the credential that it uses */
	struct transfer *transfer; /* of the entry's line; NULL: not started */
	struct plan *plan; /* the entry's, or its own where the dialect's request does not keep */
	struct search *search; /* NULL: the target names its model */
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

/* xorshift64*: which greeting is sent is no secret. */
uint32_t probe_random(struct probes *p);
/* The request's headers hold the key. */
void probe_forget_request(struct probes *p);
/* Whether the target's model has to be searched for. */
bool probe_is_search(const struct target *t);
/* What is being asked. */
const struct target *probe_target(const struct probe *b);
/* Finds out which auth scheme the entry has, once. */
void probe_know_scheme(struct entry *e);
/*
 * Builds variant `variant` for `t`, the entry's target or that of a search, into p->request, and
 * signs it where the scheme does. On an error `why` says why.
 */
int probe_build(struct probes *p, const struct entry *e, const struct target *t, uint32_t variant,
    int64_t now_ms, struct result *why);
/* Another credential: what was built with the one before is built anew. */
void probe_learn_credential(struct entry *e, const struct credential *c);
/* Judges a whole answer, its secrets masked. */
void probe_judge(
    struct probe *b, struct transfer *x, const struct transfer_outcome *o, struct result *res);

/* The three ways to tell the result: nothing could be sent, the target has a problem, an outcome.
 */
void probe_report_unasked(struct probe *b, const struct result *res);
void probe_report_problem(struct probe *b);
void probe_report_outcome(struct probe *b, struct transfer *x, const struct transfer_outcome *o);

#endif
