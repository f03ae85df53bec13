/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded table of names: what the stand-in keeps one thing for (a model, a path, a text of
 * behaviour words). Entries are never removed, so pointers to them stay good until the end.
 */
#ifndef TESTS_STANDIN_TABLE_H
#define TESTS_STANDIN_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "shared/str.h"

/* First member of what a table keeps. */
struct entry {
	struct entry *next_in_slot;
	struct entry *next; /* in the order of their arrival */
	uint32_t hash;
	struct str name; /* owned */
};

struct table {
	struct entry **slots;
	struct entry *first, **last;
	size_t count, max, mask, entry_size;
};

/* Keeps at most max entries of entry_size bytes, zeroed but for their first member. */
void table_init(struct table *t, size_t max, size_t entry_size);
/* Frees the entries' names and memory; what else they own the caller has freed. */
void table_clear(struct table *t);
/* The entry of that name, made when it is new; NULL when it is new and the table is full. */
struct entry *table_get(struct table *t, struct str name);

#endif
