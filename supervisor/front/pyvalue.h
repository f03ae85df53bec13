/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as LiteLLM writes them into Redis: JSON with Python's separators, or the repr() of a dict.
 * One reader takes both, bounded in depth, and evaluates nothing.
 */
#ifndef SUPERVISOR_FRONT_PYVALUE_H
#define SUPERVISOR_FRONT_PYVALUE_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/str.h"

/* Appends compact JSON as json.dumps() writes it: ", " and ": ", nothing but ASCII. */
void pyvalue_add_dumps(struct buf *b, struct str json);
/* Appends the repr() of a text. */
void pyvalue_add_repr(struct buf *b, struct str text);

/* Where reading stands. What is wrong once stays wrong. */
struct pyvalue {
	const char *p, *end;
	unsigned depth;
	bool wrong;
};

void pyvalue_init(struct pyvalue *v, struct str text);
/* The next byte that is no blank, not taken; '\0' at the end. */
char pyvalue_peek(struct pyvalue *v);
/* Takes a text ('…' or "…") into b, which is emptied before. False when there is none. */
bool pyvalue_text(struct pyvalue *v, struct buf *b);
/* Takes a number. */
bool pyvalue_number(struct pyvalue *v, double *number);
/* Takes True, False, true or false. */
bool pyvalue_bool(struct pyvalue *v, bool *value);
/* Takes any value whole. */
void pyvalue_skip(struct pyvalue *v);
/*
 * Walks a dict or list: while (pyvalue_next(v, '{', key, &first)) with first true before; the key
 * is read into `key` (NULL for '['), and the value must be taken then.
 */
bool pyvalue_next(struct pyvalue *v, char open, struct buf *key, bool *first);
/* Nothing was wrong and nothing follows. */
bool pyvalue_ended(struct pyvalue *v);

#endif
