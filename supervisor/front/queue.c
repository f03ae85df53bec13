/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each host has a list for each priority; a ring for each priority holds the hosts that have
 * something to be asked and are below their cap. So taking the next is O(1) whatever waits.
 */
#include "supervisor/front/queue.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "supervisor/front/hash.h"

/* Tokens that may gather while nobody takes one: a fiftieth of a second's. */
#define BURST_PART 50

struct queue_host {
	struct queue_host *next; /* in its bucket */
	char *name;
	size_t users, taken;
	struct queue_list list[QUEUE_PRIORITIES];
	TAILQ_ENTRY(queue_host) ring[QUEUE_PRIORITIES];
	bool in_ring[QUEUE_PRIORITIES];
};

void
queue_init(struct queue *q)
{
	memset(q, 0, sizeof(*q));
	for (int i = 0; i < QUEUE_PRIORITIES; i++)
		TAILQ_INIT(&q->ring[i]);
	q->overall = q->per_host = 1;
}

void
queue_clear(struct queue *q)
{
	for (size_t i = 0; i < QUEUE_BUCKETS; i++)
		while (q->hosts[i]) {
			struct queue_host *h = q->hosts[i];

			q->hosts[i] = h->next;
			free(h->name);
			free(h);
		}
}

static bool
has_room(const struct queue *q, const struct queue_host *h)
{
	return h->name[0] == '\0' || h->taken < q->per_host;
}

/* Puts the host into the rings that it belongs to now. */
static void
ring_update(struct queue *q, struct queue_host *h)
{
	for (int i = 0; i < QUEUE_PRIORITIES; i++)
		if (!h->in_ring[i] && !TAILQ_EMPTY(&h->list[i]) && has_room(q, h)) {
			TAILQ_INSERT_TAIL(&q->ring[i], h, ring[i]);
			h->in_ring[i] = true;
		}
}

static void
ring_leave(struct queue *q, struct queue_host *h, int priority)
{
	if (h->in_ring[priority])
		TAILQ_REMOVE(&q->ring[priority], h, ring[priority]);
	h->in_ring[priority] = false;
}

void
queue_limits(struct queue *q, size_t overall, size_t per_host, int64_t per_second, int64_t now_us)
{
	q->overall = overall;
	q->per_host = per_host;
	if (per_second != q->per_second) {
		q->per_second = per_second;
		q->burst = per_second > BURST_PART ? (double)per_second / BURST_PART : 1;
		/* Burst and refill together never exceed the limit in any second. */
		q->rate = (double)per_second - (q->burst - 1);
		q->tokens = q->burst;
		q->filled_us = now_us;
	}
	for (size_t i = 0; i < QUEUE_BUCKETS; i++)
		for (struct queue_host *h = q->hosts[i]; h; h = h->next)
			ring_update(q, h);
}

void
queue_attach(struct queue *q, struct queue_item *item, const char *name)
{
	size_t bucket = hash_str(str_of(name)) % QUEUE_BUCKETS;
	struct queue_host *h = q->hosts[bucket];

	queue_detach(q, item);
	while (h && strcmp(h->name, name) != 0)
		h = h->next;
	if (h == NULL) {
		h = xcalloc(1, sizeof(*h));
		h->name = xstrdup(name);
		h->next = q->hosts[bucket];
		q->hosts[bucket] = h;
		for (int i = 0; i < QUEUE_PRIORITIES; i++)
			TAILQ_INIT(&h->list[i]);
	}
	h->users++;
	item->host = h;
}

static void
host_free(struct queue *q, struct queue_host *h)
{
	struct queue_host **at = &q->hosts[hash_str(str_of(h->name)) % QUEUE_BUCKETS];

	while (*at != h)
		at = &(*at)->next;
	*at = h->next;
	free(h->name);
	free(h);
}

void
queue_detach(struct queue *q, struct queue_item *item)
{
	struct queue_host *h = item->host;

	if (h == NULL)
		return;
	if (item->state == QUEUE_IN)
		queue_remove(q, item);
	else if (item->state == QUEUE_TAKEN)
		queue_release(q, item);
	item->host = NULL;
	if (--h->users == 0)
		host_free(q, h);
}

const char *
queue_item_host(const struct queue_item *item)
{
	return item->host ? item->host->name : "";
}

void
queue_put(struct queue *q, struct queue_item *item, enum queue_priority priority)
{
	if (item->state == QUEUE_TAKEN || (item->state == QUEUE_IN && item->priority <= priority))
		return;
	if (item->state == QUEUE_IN)
		queue_remove(q, item);
	item->priority = priority;
	item->state = QUEUE_IN;
	TAILQ_INSERT_TAIL(&item->host->list[priority], item, link);
	q->queued++;
	ring_update(q, item->host);
}

void
queue_remove(struct queue *q, struct queue_item *item)
{
	struct queue_host *h = item->host;

	if (item->state != QUEUE_IN)
		return;
	TAILQ_REMOVE(&h->list[item->priority], item, link);
	item->state = QUEUE_OUT;
	q->queued--;
	if (TAILQ_EMPTY(&h->list[item->priority]))
		ring_leave(q, h, (int)item->priority);
}

static bool
has_token(struct queue *q, int64_t now_us)
{
	if (q->per_second == 0)
		return true;
	if (now_us > q->filled_us)
		q->tokens += (double)(now_us - q->filled_us) * q->rate / 1e6;
	q->filled_us = now_us;
	if (q->tokens > q->burst)
		q->tokens = q->burst;
	/* What rounding took away is given back: a token short by a millionth is a token. */
	return q->tokens >= 1 - 1e-6;
}

struct queue_item *
queue_take(struct queue *q, int64_t now_us)
{
	if (q->queued == 0 || q->taken >= q->overall || !has_token(q, now_us))
		return NULL;
	for (int i = 0; i < QUEUE_PRIORITIES; i++) {
		struct queue_host *h;

		while ((h = TAILQ_FIRST(&q->ring[i])) != NULL) {
			struct queue_item *item = TAILQ_FIRST(&h->list[i]);

			ring_leave(q, h, i);
			if (!has_room(q, h))
				continue; /* comes back when one of its own ends */
			TAILQ_REMOVE(&h->list[i], item, link);
			item->state = QUEUE_TAKEN;
			h->taken++;
			q->queued--;
			q->taken++;
			if (q->per_second > 0)
				q->tokens -= 1;
			ring_update(q, h);
			return item;
		}
	}
	return NULL;
}

void
queue_release(struct queue *q, struct queue_item *item)
{
	if (item->state != QUEUE_TAKEN)
		return;
	item->state = QUEUE_OUT;
	item->host->taken--;
	q->taken--;
	ring_update(q, item->host);
}

int64_t
queue_wait_us(const struct queue *q)
{
	if (q->per_second == 0 || q->queued == 0 || q->taken >= q->overall || q->tokens >= 1 - 1e-6)
		return 0;
	if (TAILQ_EMPTY(&q->ring[QUEUE_DEMAND]) && TAILQ_EMPTY(&q->ring[QUEUE_BACKGROUND]))
		return 0;
	return (int64_t)((1 - q->tokens) * 1e6 / q->rate) + 1;
}
