/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A binary heap of nodes that live in their owners: the smallest key first, any node removed or
 * moved in O(log n), because each knows where it is.
 */
#ifndef SUPERVISOR_FRONT_HEAP_H
#define SUPERVISOR_FRONT_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t key;
	uint32_t place; /* 0: in no heap; else its index + 1 */
};

struct heap {
	struct heap_node **v;
	size_t n, cap;
};

/* The struct that a node is a member of. */
#define HEAP_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Frees the heap's own memory, not the nodes. */
void heap_clear(struct heap *h);
/* Puts a node in, or moves it when it is in already. */
void heap_set(struct heap *h, struct heap_node *node, int64_t key);
/* Takes a node out; nothing happens when it is not in. */
void heap_remove(struct heap *h, struct heap_node *node);
/* The node with the smallest key, still in the heap; NULL when empty. */
struct heap_node *heap_first(const struct heap *h);
static inline bool
heap_has(const struct heap_node *node)
{
	return node->place != 0;
}

#endif
