/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Redis cluster. All our own keys are in one slot, so one node, the home, has them; other
 * programs' keys are where their names put them. Commands follow MOVED and ASK and wait out
 * TRYAGAIN; those of the home are carried out in the order that they were sent in, whichever node
 * takes them. The map of slots comes from any node that answers.
 */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_CLUSTER_H
#define SUPERVISOR_FRONT_STORE_REDIS_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/redis_address.h"
#include "supervisor/front/store/redis_conn.h"

struct redis_cluster;

struct redis_cluster_options {
	struct redis_conn_options conn; /* how a node is reached: credentials, TLS, timeout */
	const struct redis_address *addresses; /* where to begin */
	size_t n;
	struct str home; /* a key of ours */
	int64_t ask_ms;	 /* how often the map is read again */
};

/* From the loop. */
struct redis_cluster_events {
	void (*ready)(void *arg);			     /* the home takes commands */
	void (*lost)(const char *why, void *arg);	     /* after each ready, once */
	void (*home)(const struct redis_address *a, void *arg); /* it is another than before */
};

struct redis_cluster_counts {
	uint64_t moved, asked, again; /* answers to our commands */
	size_t nodes;		      /* connections */
};

int redis_cluster_new(struct event_base *base, const struct redis_cluster_options *o,
    const struct redis_cluster_events *events, void *arg, struct redis_cluster **out) MUST_CHECK;
/* No callback is called any more. Accepts NULL. */
void redis_cluster_free(struct redis_cluster *c);

bool redis_cluster_ready(const struct redis_cluster *c);
const char *redis_cluster_why(const struct redis_cluster *c);
void redis_cluster_good(struct redis_cluster *c);
/* Ends the connection to the home, as redis_conn_drop(). */
void redis_cluster_drop(struct redis_cluster *c, const char *why);

/* As redis_conn_send(). key NULL: one of ours. */
int redis_cluster_send(struct redis_cluster *c, const struct str *key, const struct str *args,
    size_t n, redis_reply_cb cb, void *arg) MUST_CHECK;
void redis_cluster_flush(struct redis_cluster *c, int64_t wait_ms);
/* Nobody hears of the answers to what was sent. */
void redis_cluster_mute(struct redis_cluster *c);
void redis_cluster_counts(const struct redis_cluster *c, struct redis_cluster_counts *counts);

#endif
