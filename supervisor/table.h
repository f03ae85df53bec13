/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of text for people: cells are made harmless, aligned by the columns that they take, and
 * cut where the terminal is too narrow. The last column is what people read for: where it would be
 * cut to a stump it stands below its row, whole.
 */
#ifndef SUPERVISOR_TABLE_H
#define SUPERVISOR_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/buf.h"
#include "shared/str.h"

#define TABLE_COLUMNS_MAX 8

struct table_column {
	const char *title;
	size_t least;  /* columns that it keeps in a narrow terminal */
	unsigned give; /* who gives way first when it is too narrow: 1, then 2, …; 0: never */
	bool right;    /* aligned to the right */
};

struct table;

/* `columns` (n of them) is borrowed. */
struct table *table_new(const struct table_column *columns, unsigned n);
void table_free(struct table *t);
/* The next cell, row by row. `color` is an escape sequence of static storage, or NULL. */
void table_add(struct table *t, struct str text, const char *color);
/* width: columns at most, 0: as wide as it is. Nothing is appended when there is no row. */
void table_render(const struct table *t, size_t width, bool color, struct buf *b);

#endif
