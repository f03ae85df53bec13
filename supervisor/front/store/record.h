/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One kept verdict as bytes, the same in the journal and in the state file (all numbers little
 * endian):
 *
 *   u32 bytes in all | u64 check | i64 checked_at_ms | u16 bytes of the id | u16 kind | id | packed
 *
 * The check covers what follows it and is seeded with the epoch of the file that the record belongs
 * to, so that what is left over of an earlier use of the same bytes is not taken for a record.
 */
#ifndef SUPERVISOR_FRONT_STORE_RECORD_H
#define SUPERVISOR_FRONT_STORE_RECORD_H

#include "shared/buf.h"
#include "shared/err.h"
#include "supervisor/front/store/store.h"

#define RECORD_HEADER_BYTES 24
#define RECORD_ID_MAX 1024
#define RECORD_PACKED_MAX ((size_t)128 << 10)
#define RECORD_MAX (RECORD_HEADER_BYTES + RECORD_ID_MAX + RECORD_PACKED_MAX)

enum record_kind {
	RECORD_PUT = 1,
	RECORD_REMOVE = 2,
};

/* Appends a record. ERR_LIMIT when a part is too long or the buffer is full. */
int record_write(
    struct buf *b, uint64_t epoch, enum record_kind kind, const struct store_item *item) MUST_CHECK;
/*
 * Reads the record at p. *size is its bytes in all, the item points into p. ERR_AGAIN when it goes
 * on past n, ERR_SYNTAX when it is none.
 */
int record_read(const unsigned char *p, size_t n, uint64_t epoch, enum record_kind *kind,
    struct store_item *item, size_t *size) MUST_CHECK;

#endif
