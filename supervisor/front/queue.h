/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What wants to be asked and has to wait for a cap: overall, per provider host, per second. Hosts
 * take turns, so that a slow one holds up nobody else; within a host the order is that of asking.
 */
#ifndef SUPERVISOR_FRONT_QUEUE_H
#define SUPERVISOR_FRONT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct queue_host;

enum queue_priority {
	QUEUE_DEMAND, /* somebody waits */
	QUEUE_BACKGROUND,
	QUEUE_PRIORITIES,
};

/* Embedded in what is queued; zero it before queue_attach(). */
struct queue_item {
	TAILQ_ENTRY(queue_item) link;
	struct queue_host *host;
	enum queue_priority priority;
	enum { QUEUE_OUT, QUEUE_IN, QUEUE_TAKEN } state;
};
TAILQ_HEAD(queue_list, queue_item);

#define QUEUE_BUCKETS 1024

struct queue {
	struct queue_host *hosts[QUEUE_BUCKETS];
	TAILQ_HEAD(, queue_host) ring[QUEUE_PRIORITIES];
	size_t overall, per_host;
	int64_t per_second; /* 0: no limit */
	double tokens, burst, rate;
	int64_t filled_us;
	size_t queued, taken;
};

void queue_init(struct queue *q);
/* All items must have been detached. */
void queue_clear(struct queue *q);
void queue_limits(
    struct queue *q, size_t overall, size_t per_host, int64_t per_second, int64_t now_us);

/* The provider host that the item counts for; "" counts for none. Only while it is OUT. */
void queue_attach(struct queue *q, struct queue_item *item, const char *host);
/* Takes the item out of everything. */
void queue_detach(struct queue *q, struct queue_item *item);
const char *queue_item_host(const struct queue_item *item);

/* An item that is IN already keeps its place unless the priority becomes a higher one. */
void queue_put(struct queue *q, struct queue_item *item, enum queue_priority priority);
/* IN becomes OUT. */
void queue_remove(struct queue *q, struct queue_item *item);
/* The next one that all caps allow: TAKEN from now on; NULL when there is none. */
struct queue_item *queue_take(struct queue *q, int64_t now_us);
/* TAKEN becomes OUT. */
void queue_release(struct queue *q, struct queue_item *item);
/* When the cap per second alone is what queue_take() waits for: how long, in microseconds; else 0.
 */
int64_t queue_wait_us(const struct queue *q);

#endif
