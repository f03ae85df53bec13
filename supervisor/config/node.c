/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes and their arena; the rules of Python's dict keys. */
#include "supervisor/config/node.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"
#include "shared/secret.h"

#define ARENA_CHUNK (64 * 1024)
/* From here on keys are compared through a hash table. */
#define HASH_FROM 16

struct chunk {
	struct chunk *next;
	size_t used, size;
	max_align_t data[];
};

struct arena {
	struct chunk *chunks;
};

struct arena *
arena_new(void)
{
	return xcalloc(1, sizeof(struct arena));
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	for (struct chunk *c = a->chunks, *next; c; c = next) {
		next = c->next;
		secret_wipe(c->data, c->used);
		free(c);
	}
	free(a);
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct chunk *c = a->chunks;
	void *p;

	n = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (c == NULL || c->size - c->used < n) {
		size_t size = n > ARENA_CHUNK ? n : ARENA_CHUNK;

		c = xmalloc(sizeof(*c) + size);
		c->used = 0;
		c->size = size;
		/* A chunk of its own goes behind, so that the room in the first one is not lost. */
		if (n > ARENA_CHUNK && a->chunks) {
			c->next = a->chunks->next;
			a->chunks->next = c;
		} else {
			c->next = a->chunks;
			a->chunks = c;
		}
	}
	p = (char *)c->data + c->used;
	c->used += n;
	memset(p, 0, n);
	return p;
}

struct str
arena_copy(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	return (struct str){ p, s.n };
}

struct node *
node_new(struct arena *a, enum node_type type, struct mark mark)
{
	struct node *node = arena_alloc(a, sizeof(*node));

	node->type = type;
	node->mark = mark;
	node->depth = 1;
	node->size = 1;
	return node;
}

struct node *
node_str(struct arena *a, struct str text, struct mark mark)
{
	struct node *node = node_new(a, NODE_STR, mark);

	node->text = arena_copy(a, text);
	node->bytes = text.n;
	return node;
}

struct node *
node_bool(struct arena *a, bool value, struct mark mark)
{
	struct node *node = node_new(a, NODE_BOOL, mark);

	node->num = value;
	return node;
}

static void
measure_member(struct node *node, const struct node *member)
{
	if (member->depth + 1 > node->depth)
		node->depth = member->depth + 1;
	/* Saturating: 2^40 is far above every limit and cannot overflow when added to itself. */
	node->size += member->size;
	if (node->size > (UINT64_C(1) << 40))
		node->size = UINT64_C(1) << 40;
	node->bytes += member->bytes;
	if (node->bytes > (UINT64_C(1) << 40))
		node->bytes = UINT64_C(1) << 40;
}

void
node_measure(struct node *node)
{
	node->depth = 1;
	node->size = 1;
	node->bytes = 0;
	for (size_t i = 0; i < node->n; i++) {
		if (node->type == NODE_LIST) {
			measure_member(node, node->items[i]);
		} else {
			measure_member(node, node->pairs[i].key);
			measure_member(node, node->pairs[i].value);
		}
	}
}

static bool
is_number(const struct node *node)
{
	return node->type == NODE_BOOL || node->type == NODE_INT || node->type == NODE_FLOAT;
}

static double
as_double(const struct node *node)
{
	if (node->type == NODE_FLOAT)
		return node->real;
	if (node->type == NODE_INT && !node->fits)
		return strtod(node->text.p, NULL);
	return (double)node->num;
}

bool
node_key_eq(const struct node *a, const struct node *b)
{
	if (is_number(a) && is_number(b)) {
		if (a->type == NODE_INT && b->type == NODE_INT)
			return str_eq(a->text, b->text);
		return as_double(a) == as_double(b);
	}
	if (a->type != b->type)
		return false;
	return a->type == NODE_NULL || str_eq(a->text, b->text);
}

bool
node_hashable(const struct node *node)
{
	return node->type != NODE_LIST && node->type != NODE_MAP && node->type != NODE_SET;
}

static uint64_t
key_hash(const struct node *key)
{
	uint64_t h;
	double d;

	if (is_number(key)) {
		d = as_double(key) + 0.0; /* no negative zero */
		memcpy(&h, &d, sizeof(h));
		return h * UINT64_C(0x9E3779B97F4A7C15) >> 7;
	}
	return str_hash(key->text);
}

static size_t
unique_hashed(struct pair *pairs, size_t n)
{
	size_t size = 32, kept = 0;
	uint32_t *table;

	while (size < n * 2)
		size *= 2;
	table = xcalloc(size, sizeof(*table));
	for (size_t i = 0; i < n; i++) {
		size_t at = key_hash(pairs[i].key) & (size - 1);

		while (table[at] && !node_key_eq(pairs[table[at] - 1].key, pairs[i].key))
			at = (at + 1) & (size - 1);
		if (table[at]) {
			pairs[table[at] - 1].value = pairs[i].value;
		} else {
			pairs[kept] = pairs[i];
			table[at] = (uint32_t)++kept;
		}
	}
	free(table);
	return kept;
}

size_t
node_pairs_unique(struct pair *pairs, size_t n)
{
	size_t kept = 0;

	if (n >= HASH_FROM)
		return unique_hashed(pairs, n);
	for (size_t i = 0; i < n; i++) {
		size_t j = 0;

		while (j < kept && !node_key_eq(pairs[j].key, pairs[i].key))
			j++;
		if (j < kept)
			pairs[j].value = pairs[i].value;
		else
			pairs[kept++] = pairs[i];
	}
	return kept;
}

struct node *
node_get(const struct node *node, const char *key)
{
	if (node == NULL || node->type != NODE_MAP)
		return NULL;
	for (size_t i = 0; i < node->n; i++)
		if (node->pairs[i].key->type == NODE_STR && str_is(node->pairs[i].key->text, key))
			return node->pairs[i].value;
	return NULL;
}

struct node *
node_get_set(const struct node *node, const char *key)
{
	struct node *value = node_get(node, key);

	return value && value->type != NODE_NULL ? value : NULL;
}

bool
node_is_str(const struct node *node)
{
	return node && node->type == NODE_STR;
}

bool
node_truth(const struct node *node)
{
	if (node == NULL)
		return false;
	switch (node->type) {
	case NODE_NULL:
		return false;
	case NODE_BOOL:
		return node->num != 0;
	case NODE_INT:
		return !node->fits || node->num != 0;
	case NODE_FLOAT:
		return node->real != 0;
	case NODE_STR:
	case NODE_BYTES:
		return node->text.n > 0;
	case NODE_DATE:
		return true;
	case NODE_LIST:
	case NODE_MAP:
	case NODE_SET:
		return node->n > 0;
	}
	return false;
}

const char *
node_type_name(const struct node *node)
{
	static const char *const names[] = {
		[NODE_NULL] = "nothing (null)",
		[NODE_BOOL] = "a boolean",
		[NODE_INT] = "a whole number",
		[NODE_FLOAT] = "a number",
		[NODE_STR] = "a text",
		[NODE_DATE] = "a date",
		[NODE_BYTES] = "binary data",
		[NODE_LIST] = "a list",
		[NODE_MAP] = "a mapping",
		[NODE_SET] = "a set",
	};

	return names[node->type];
}
