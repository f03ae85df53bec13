/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a day of probes costs: an estimate made of the interval in force, the size of the question,
 * the limit of the answer and the prices of shared/models.def. It asks nobody.
 */
#ifndef SUPERVISOR_COST_H
#define SUPERVISOR_COST_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/buf.h"
#include "shared/settings.h"
#include "supervisor/config/deployment.h"

/* Tokens of an answer that no limit is sent for. */
#define COST_ANSWER_TOKENS 100

struct cost {
	double probes; /* a day, in the background; 0: only when asked for */
	double tokens_in;
	double tokens_out; /* at most */
	double usd;	   /* of what has a price */
	size_t unpriced;   /* deployments that cost something, and nobody knows what */
};

/* How many instances or regions probe each deployment, at least: 1 without a quorum. */
int64_t cost_witnesses(const struct settings *s);
/* A day of one deployment, no probe failing. */
struct cost cost_of(const struct deployment *d, const struct settings *s);
void cost_add(struct cost *sum, const struct cost *one);
/* Appends {"probes", "tokens_in", "tokens_out", "usd"}; usd is null when a price is not known. */
void cost_json(struct buf *b, const struct cost *c);
/* Appends "$0.12", "free", "price unknown" or "not asked by itself". */
void cost_money(struct buf *b, const struct cost *c);
/* Appends the sum as a sentence of one line. */
void cost_sentence(struct buf *b, const struct cost *sum);

#endif
