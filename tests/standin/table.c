/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded table of names: open hashing with FNV-1a, sized once for its maximum. */
#include "tests/standin/table.h"

#include <stdlib.h>

#include "shared/buf.h"

void
table_init(struct table *t, size_t max, size_t entry_size)
{
	size_t slots = 64;

	while (slots < max)
		slots *= 2;
	*t = (struct table){ .max = max, .mask = slots - 1, .entry_size = entry_size };
	t->slots = xcalloc(slots, sizeof(*t->slots));
	t->last = &t->first;
}

void
table_clear(struct table *t)
{
	struct entry *e, *next;

	for (e = t->first; e != NULL; e = next) {
		next = e->next;
		free((char *)e->name.p);
		free(e);
	}
	free(t->slots);
	*t = (struct table){ 0 };
}

static uint32_t
hash(struct str name)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ (unsigned char)name.p[i]) * 16777619u;
	return h;
}

struct entry *
table_get(struct table *t, struct str name)
{
	uint32_t h = hash(name);
	struct entry **slot = &t->slots[h & t->mask], *e;

	for (e = *slot; e != NULL; e = e->next_in_slot)
		if (e->hash == h && str_eq(e->name, name))
			return e;
	if (t->count >= t->max)
		return NULL;
	e = xcalloc(1, t->entry_size);
	e->hash = h;
	e->name = (struct str){ str_dup(name), name.n };
	e->next_in_slot = *slot;
	*slot = e;
	*t->last = e;
	t->last = &e->next;
	t->count++;
	return e;
}
