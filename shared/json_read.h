/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading JSON that a stranger wrote: checked strictly (RFC 8259, UTF-8, bounded depth) and written
 * anew in one form, in which json_next_member() can be trusted and texts can be compared.
 */
#ifndef SHARED_JSON_READ_H
#define SHARED_JSON_READ_H

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/str.h"

#define JSON_READ_DEPTH 64

/*
 * Appends the one value that the text holds: no blanks, each string escaped as json_add_string()
 * does. ERR_SYNTAX with the place of the mistake in *at (may be NULL); ERR_LIMIT when it is nested
 * deeper than JSON_READ_DEPTH or `out` is full.
 */
int json_read(struct str text, struct buf *out, size_t *at) MUST_CHECK;
/* Appends the text of a string value as json_read() writes it. False when it is no string. */
bool json_read_text(struct str value, struct buf *out);
/* The member of an object as json_read() writes it; of a name given twice the last, as Python. */
struct str json_read_member(struct str object, const char *key);

#endif
