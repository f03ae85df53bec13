/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans of probes and metrics on their way to a collector: bounded queues, batches, attempts. A worker sends them,
 * because the collector's headers are a secret; see otlp_json.h for what is sent. Nothing of this waits for
 * anything that probing needs.
 */
#ifndef SUPERVISOR_FRONT_OTLP_H
#define SUPERVISOR_FRONT_OTLP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/msgs.h"

struct event_base;
struct fleet;
struct otlp;
struct pool;

#define OTLP_SIGNALS 2 /* EXPORT_TRACES, EXPORT_METRICS */
/* A request's body is about so large at most, so that no turn of the loop is long and no message too large. */
#define OTLP_BODY_MAX ((size_t)512 << 10)
/* Bodies of metrics that wait at most; then the oldest is dropped. */
#define OTLP_BODIES_MAX 64
/* A batch is given up after so many attempts. */
#define OTLP_ATTEMPTS_MAX 6

/* Of one signal, since the start. Spans, or data points. */
struct otlp_counts {
	bool on;
	uint64_t exported, dropped;
	uint64_t requests[EXPORTED_REFUSED + 1]; /* by outcome */
	size_t queued; /* also those that are being sent */
};

/* All are borrowed and outlive it. Off until it is configured. */
struct otlp *otlp_new(struct event_base *base, struct fleet *fleet, struct pool *pool);
/* Accepts NULL. What waits is forgotten. */
void otlp_free(struct otlp *o);
/* After each configuration. */
void otlp_configure(struct otlp *o);
/* Called when metrics are due: it puts them then, or a little later. */
void otlp_set_collector(struct otlp *o, void (*collect)(void *arg), void *arg);
/* A whole request's body with so many data points; it is taken over. */
void otlp_put_metrics(struct otlp *o, char *body, size_t n, size_t points);
/* A worker has answered. */
void otlp_take(struct otlp *o, const struct msg_exported *m);
/* The end is near: what waits is sent now, and each batch only once. */
void otlp_flush(struct otlp *o);
/* Whether nothing waits. */
bool otlp_idle(const struct otlp *o);
/* Accepts NULL: off. */
void otlp_counts(const struct otlp *o, unsigned signal, struct otlp_counts *counts);

#endif
