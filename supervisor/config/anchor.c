/* SPDX-License-Identifier: Apache-2.0 */
/* A list in the order of the file and a table of fixed size over it, never more than a third full.
 */
#include "supervisor/config/anchor.h"

#include <stdlib.h>
#include <string.h>

#include "shared/buf.h"

#define SLOTS 32768

void
anchors_init(struct anchors *a)
{
	*a = (struct anchors){ .slots = xcalloc(SLOTS, sizeof(*a->slots)) };
}

void
anchors_clear(struct anchors *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->list[i].name);
	free(a->list);
	free(a->slots);
	*a = (struct anchors){ 0 };
}

/* Where the name's index is, or belongs. */
static uint16_t *
slot_of(struct anchors *a, const char *name)
{
	for (uint64_t h = str_hash(str_of(name));; h++) {
		uint16_t *slot = &a->slots[h % SLOTS];

		if (*slot == 0 || strcmp(a->list[*slot - 1].name, name) == 0)
			return slot;
	}
}

int
anchors_add(struct anchors *a, const char *name)
{
	uint16_t *slot = slot_of(a, name);

	if (*slot)
		return ERR_EXISTS;
	if (a->n == ANCHORS_MAX)
		return ERR_LIMIT;
	if (a->n == a->cap) {
		a->cap = a->cap ? a->cap * 2 : 16;
		a->list = xrealloc(a->list, a->cap * sizeof(*a->list));
	}
	a->list[a->n++] = (struct anchor){ xstrdup(name), NULL };
	*slot = (uint16_t)a->n;
	return *slot - 1;
}

struct anchor *
anchors_get(struct anchors *a, const char *name)
{
	uint16_t slot = *slot_of(a, name);

	return slot ? &a->list[slot - 1] : NULL;
}
