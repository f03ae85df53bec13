/* SPDX-License-Identifier: Apache-2.0 */
#include "supervisor/front/heap.h"

#include <stdlib.h>

#include "shared/buf.h"
#include "shared/log.h"

static void
place(struct heap *h, size_t i, struct heap_node *node)
{
	h->v[i] = node;
	node->place = (uint32_t)i + 1;
}

static void
sift_up(struct heap *h, size_t i)
{
	struct heap_node *node = h->v[i];

	while (i > 0) {
		size_t parent = (i - 1) / 2;

		if (h->v[parent]->key <= node->key)
			break;
		place(h, i, h->v[parent]);
		i = parent;
	}
	place(h, i, node);
}

static void
sift_down(struct heap *h, size_t i)
{
	struct heap_node *node = h->v[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= h->n)
			break;
		if (child + 1 < h->n && h->v[child + 1]->key < h->v[child]->key)
			child++;
		if (h->v[child]->key >= node->key)
			break;
		place(h, i, h->v[child]);
		i = child;
	}
	place(h, i, node);
}

void
heap_clear(struct heap *h)
{
	free(h->v);
	*h = (struct heap){ 0 };
}

void
heap_set(struct heap *h, struct heap_node *node, int64_t key)
{
	int64_t before = node->key;

	node->key = key;
	if (node->place == 0) {
		if (h->n == h->cap) {
			if (h->n >= UINT32_MAX / 2)
				fatal("a heap of %zu nodes", h->n);
			h->cap = h->cap ? h->cap * 2 : 64;
			h->v = xrealloc(h->v, h->cap * sizeof(*h->v));
		}
		place(h, h->n++, node);
		sift_up(h, h->n - 1);
	} else if (key < before) {
		sift_up(h, node->place - 1);
	} else if (key > before) {
		sift_down(h, node->place - 1);
	}
}

void
heap_remove(struct heap *h, struct heap_node *node)
{
	size_t i = node->place;
	struct heap_node *last;

	if (i-- == 0)
		return;
	node->place = 0;
	last = h->v[--h->n];
	if (last == node)
		return;
	place(h, i, last);
	sift_up(h, i);
	sift_down(h, last->place - 1);
}

struct heap_node *
heap_first(const struct heap *h)
{
	return h->n > 0 ? h->v[0] : NULL;
}
