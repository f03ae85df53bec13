/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state file: what the memory backend holds, as one snapshot. Little endian:
 *
 *   "LLMHSTAT" | u32 version | u32 0 | u64 records | u64 bytes of all records | u64 check of the
 * four numbers and the records | records (record.h)
 *
 * Written beside and renamed, so that there is always a whole one. What is no whole one of our
 * version is set aside, never overwritten.
 */
#ifndef SUPERVISOR_FRONT_STORE_STATE_FILE_H
#define SUPERVISOR_FRONT_STORE_STATE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "supervisor/front/store/store.h"

#define STATE_FILE_VERSION 1
#define STATE_FILE_HEADER_BYTES 40
#define STATE_FILE_MAX_BYTES ((size_t)1 << 30)
/* The epoch of its records. */
#define STATE_FILE_EPOCH 0

typedef void (*state_file_cb)(const struct store_item *item, void *arg);

/*
 * Calls cb for each record. Nothing is called unless all of it is right: ERR_SYNTAX (torn or
 * foreign), ERR_INVALID (another version).
 */
int state_file_parse(const unsigned char *p, size_t n, state_file_cb cb, void *arg) MUST_CHECK;
/*
 * Reads the file. ERR_NOT_FOUND when there is none. A file that is not right is renamed to
 * PATH.bad-TIME with a warning: ERR_SYNTAX. ERR_IO (logged) when it cannot be read.
 */
int state_file_read(const char *path, state_file_cb cb, void *arg) MUST_CHECK;

/* A header in front of `records` (n of them), to be filled when they are all there. */
void state_file_begin(struct buf *b);
void state_file_end(struct buf *b, uint64_t n);
/* Writes PATH.tmp, syncs it, renames it, syncs the folder. ERR_IO: errno says why. */
int state_file_write(const char *path, const char *data, size_t n) MUST_CHECK;
/* Whether files can be made in its folder; changes nothing. ERR_IO: errno says why not. */
int state_file_try(const char *path) MUST_CHECK;

#endif
