/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verdict with its history as bytes, for the store: one msgpack array
 * (https://github.com/msgpack/msgpack/blob/master/spec.md) that begins with its version. What is
 * read back may come from a torn file or from another instance: nothing of it is trusted.
 */
#ifndef SUPERVISOR_FRONT_VERDICT_PACK_H
#define SUPERVISOR_FRONT_VERDICT_PACK_H

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/str.h"
#include "supervisor/front/fleet.h"

/* What is written. All earlier ones are read, no later one is. */
#define VERDICT_PACK_VERSION 2
#define VERDICT_PACKED_MAX ((size_t)128 << 10)
#define VERDICT_HISTORY_MAX 1000

/* What was packed. To be cleared with verdict_unpacked_clear(). */
struct verdict_unpacked {
	struct verdict verdict;
	struct history_item *history; /* owned */
	size_t n_history;
};

/* Appends the packed verdict of d. ERR_LIMIT when the buffer is too small. */
int verdict_pack(const struct deployment *d, struct buf *b) MUST_CHECK;
/*
 * ERR_SYNTAX when the bytes are no packed verdict, ERR_INVALID when they are of a later version.
 * Nothing has to be cleared then.
 */
int verdict_unpack(struct str packed, struct verdict_unpacked *out) MUST_CHECK;
/* The version that the bytes say they are of, without a look at the rest; 0: of none. */
uint32_t verdict_pack_version(struct str packed);
/*
 * Appends the same verdict with all its times moved by so many milliseconds (0: the same bytes).
 * *checked_at_ms is its time then. Errors as verdict_unpack().
 */
int verdict_pack_move(
    struct str packed, int64_t by_ms, struct buf *out, int64_t *checked_at_ms) MUST_CHECK;
void verdict_unpacked_clear(struct verdict_unpacked *u);

#endif
