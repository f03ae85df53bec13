/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's half of RFC 6455, as much of it as a provider of realtime models needs. Pure, and
 * written without the library that the worker uses.
 */
#ifndef TESTS_STANDIN_WEBSOCKET_H
#define TESTS_STANDIN_WEBSOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "tests/standin/request.h"

enum opcode {
	OPCODE_MORE = 0,
	OPCODE_TEXT = 1,
	OPCODE_BINARY = 2,
	OPCODE_CLOSE = 8,
	OPCODE_PING = 9,
	OPCODE_PONG = 10,
};

/* A client's frame. */
struct frame {
	enum opcode opcode;
	bool whole; /* no fragment of a message follows */
	struct str data;
	size_t len; /* of all of it */
};

/* NULL when the request is a right handshake, else what is wrong with it: a static text. */
const char *websocket_refuses(const struct request *r);
/* The status line and the headers that accept it; `wrong`: with another key than was asked for. */
void websocket_add_head(struct buf *out, const struct request *r, bool wrong);
/* The head of a frame of n bytes. `masked`, as a server must not. */
void websocket_add_frame(struct buf *out, enum opcode opcode, bool whole, uint64_t n, bool masked);
/* A close frame; code 0: none in it. */
void websocket_add_close(struct buf *out, unsigned code, const char *reason);
/* Reads the frame at p and unmasks it there. ERR_AGAIN; ERR_SYNTAX; ERR_LIMIT above a megabyte. */
int websocket_read(struct frame *f, char *p, size_t n) MUST_CHECK;

#endif
