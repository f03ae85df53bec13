/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where PyYAML's scanner and libyaml's differ. What PyYAML refuses and libyaml lets pass is found
 * here: tabs between tokens or inside a plain scalar, `?` in a plain scalar of a flow collection, a
 * comment glued to a block scalar's header. What only libyaml refuses is written so that both read
 * the same: `{a:[1]}`, a block scalar whose first line has a tab behind its spaces, a comma that
 * belongs to a tag.
 */
#ifndef SUPERVISOR_CONFIG_STRICT_H
#define SUPERVISOR_CONFIG_STRICT_H

#include "shared/buf.h"
#include "supervisor/config/problem.h"

/* Columns of a line that come after this one have moved to the right. */
struct strict_shift {
	unsigned line, column, width;
};

struct strict {
	unsigned line, column; /* the first place that PyYAML refuses; line 0: none */
	const char *text;      /* static */
	struct strict_shift *shifts;
	size_t n_shifts, cap_shifts;
};

/* Changes a prepared text, and finds the first refused place up to where libyaml's own scanner
 * gives up. */
void strict_check(struct buf *text, struct strict *s);
void strict_clear(struct strict *s);
/* Where a place of the changed text was in the file. */
unsigned strict_column(const struct strict *s, unsigned line, unsigned column);

/* The place behind the last character of a text. */
void strict_end(struct str text, unsigned *line, unsigned *column);

#endif
