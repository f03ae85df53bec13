/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values of a config, as Python would hold them, each with the place that it was read from.
 * Nodes live in an arena and are freed with it (wiped, because some are keys); an alias is the same
 * node met twice, so the tree is a graph without cycles whose expanded size is known and bounded.
 */
#ifndef SUPERVISOR_CONFIG_NODE_H
#define SUPERVISOR_CONFIG_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/str.h"
#include "supervisor/config/problem.h"

struct arena;

struct arena *arena_new(void);
/* Wipes and frees; accepts NULL. */
void arena_free(struct arena *a);
/* Zeroed memory, aligned for anything. */
void *arena_alloc(struct arena *a, size_t n);
/* A NUL-terminated copy. */
struct str arena_copy(struct arena *a, struct str s);

enum node_type {
	NODE_NULL,
	NODE_BOOL,
	NODE_INT,
	NODE_FLOAT,
	NODE_STR,
	NODE_DATE, /* date or datetime */
	NODE_BYTES,
	NODE_LIST,
	NODE_MAP,
	NODE_SET,
};

struct pair {
	struct node *key;
	struct node *value;
};

struct node {
	enum node_type type;
	bool from_env;	/* came out of the environment: never quoted in a message */
	bool tuple;	/* a LIST that Python holds as a tuple (!!omap, !!pairs) */
	bool fits;	/* an INT that num holds */
	unsigned depth; /* levels below, itself included */
	struct mark mark;
	union {
		int64_t num; /* BOOL, INT */
		double real; /* FLOAT */
	};
	struct str text;       /* STR, BYTES; INT: decimal digits; DATE: Python's str() */
	struct node **items;   /* LIST */
	struct pair *pairs;    /* MAP, SET; the order of the file, each key once */
	size_t n;	       /* items or pairs */
	uint64_t size;	       /* values, with aliases expanded */
	uint64_t bytes;	       /* their text, with aliases expanded */
	struct node *resolved; /* used by environ.c */
	const char *
	    env_name; /* with from_env: the variable's name; the value is null when it is not set */
};

struct node *node_new(struct arena *a, enum node_type type, struct mark mark);
struct node *node_str(struct arena *a, struct str text, struct mark mark);
struct node *node_bool(struct arena *a, bool value, struct mark mark);
/* Sets depth, size and bytes of a LIST, MAP or SET from its members. */
void node_measure(struct node *node);

/* Whether two keys are one key to a Python dict (1, 1.0 and True are). */
bool node_key_eq(const struct node *a, const struct node *b);
/* Whether it may be the key of a dict. */
bool node_hashable(const struct node *node);
/* Keeps each key once: the place of the first, the value of the last, as Python does. Returns the
 * count. */
size_t node_pairs_unique(struct pair *pairs, size_t n);

/* The value of a text key in a MAP; NULL when node is NULL, no MAP, or has no such key. */
struct node *node_get(const struct node *node, const char *key);
/* The same, but NULL also for a null. */
struct node *node_get_set(const struct node *node, const char *key);
bool node_is_str(const struct node *node);
/* Python's truth of a value. */
bool node_truth(const struct node *node);
/* "a number", "a list", … for messages; static. */
const char *node_type_name(const struct node *node);

#endif
