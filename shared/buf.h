/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a maximum. Appends never need checking one by one: the first one that
 * would exceed the maximum marks the buffer as failed, later appends do nothing, and buf_ok() says
 * so at the end. Out of memory ends the program.
 */
#ifndef SHARED_BUF_H
#define SHARED_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/str.h"

struct buf {
	char *data; /* NUL-terminated whenever not NULL */
	size_t len; /* bytes in use, without the final NUL */
	size_t cap;
	size_t max; /* len never exceeds this */
	bool failed;
};

#define BUF_INIT(maximum) ((struct buf){ NULL, 0, 0, (maximum), false })

void buf_init(struct buf *b, size_t max);
/* Frees the memory; the buffer can be used again with the same maximum. */
void buf_clear(struct buf *b);
/* Empties the buffer and its failure, keeps the memory. */
void buf_reset(struct buf *b);
static inline bool
buf_ok(const struct buf *b)
{
	return !b->failed;
}
/* The bytes as text: "" when empty. Borrowed until the next append. */
const char *buf_text(const struct buf *b);
static inline struct str
buf_str(const struct buf *b)
{
	return (struct str){ buf_text(b), b->len };
}
/* Hands the memory over to the caller (free()); never NULL. The buffer is empty afterwards. */
char *buf_take(struct buf *b);

/* Makes room for n more bytes. Returns where to write them, or NULL when that exceeds the maximum.
 */
char *buf_reserve(struct buf *b, size_t n);
/* Says that n of the reserved bytes have been written. */
void buf_commit(struct buf *b, size_t n);

void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, struct str s);
void buf_add_text(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_add_int(struct buf *b, int64_t v);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vaddf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* Drops n bytes from the front (n <= len). */
void buf_drain(struct buf *b, size_t n);

/* malloc and friends that end the program when there is no memory. */
void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);

#endif
