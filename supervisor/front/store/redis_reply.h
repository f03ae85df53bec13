/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies of a Redis server: a reader with limits around hiredis's, errors by name, and accessors
 * that take nothing for granted. Whatever the server says, it ends no process.
 */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_REPLY_H
#define SUPERVISOR_FRONT_STORE_REDIS_REPLY_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/str.h"

/* Elements of one array, and bytes of one reply, at most. */
#define REDIS_ELEMENTS_MAX 1000000
#define REDIS_REPLY_MAX ((size_t)64 << 20)
#define REDIS_TOO_LONG "an answer without end" /* why a connection is lost then */

enum redis_error {
	REDIS_ERROR_NONE, /* no error reply */
#define REDIS_ERROR(id, word, action, means) REDIS_ERROR_##id,
#include "supervisor/front/store/redis_errors.def"
#undef REDIS_ERROR
	REDIS_ERROR_OTHER,
	REDIS_ERROR_COUNT
};

enum redis_action { REDIS_KEEP, REDIS_RECONNECT, REDIS_MOVE };

/* The error of a reply, by its first word; also when a script or hiredis puts its own before it. */
enum redis_error redis_error_of(const struct redisReply *r);
enum redis_action redis_error_action(enum redis_error e);
/* "LOADING"; "error" for another. */
const char *redis_error_name(enum redis_error e);
/* "the server is at maxmemory"; "" for another. */
const char *redis_error_means(enum redis_error e);
/* The node that a MOVED or ASK names; false when it is no such reply. host is NUL-terminated. */
bool redis_error_node(const struct redisReply *r, char *host, size_t size, uint16_t *port);

/* A string or a status. Empty when it is something else. */
struct str redis_reply_text(const struct redisReply *r);
/* A whole number, also when it came as text. False when it is none. */
bool redis_reply_int(const struct redisReply *r, int64_t *value);
/* Element i of an array, or NULL. */
const struct redisReply *redis_reply_at(const struct redisReply *r, size_t i);
/* The number of elements; 0 when it is no array. */
size_t redis_reply_len(const struct redisReply *r);

/* hiredis's reader with our limits. Freed with redisReaderFree(). Never NULL. */
struct redisReader *redis_reader_new(void);

#endif
