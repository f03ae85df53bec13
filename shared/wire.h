/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: u32 length | u8 version | u8 flags | u16 type | u32 id, big-endian, then `length` bytes
 * that are one msgpack array (https://github.com/msgpack/msgpack/blob/master/spec.md). This file
 * turns a message's struct into a frame and a frame into a struct, by the table in msgs.h; it knows
 * no sockets.
 */
#ifndef SHARED_WIRE_H
#define SHARED_WIRE_H

#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/msgs.h"

#define WIRE_HEADER_BYTES 12
#define WIRE_VERSION 1

struct wire_header {
	uint32_t length; /* bytes after the header */
	uint8_t version;
	uint8_t flags; /* none yet; must be 0 */
	uint16_t type;
	uint32_t id;
};

/* Reads 12 bytes. */
void wire_header_read(const unsigned char *p, struct wire_header *h);

/*
 * Checks a header before anything is allocated for its body: version, type known, flags 0,
 * direction
 * (`from` may send it, `to` may receive it), length within the row's maximum. ERR_SYNTAX,
 * ERR_DENIED or ERR_LIMIT.
 */
int wire_header_check(const struct wire_header *h, enum role from, enum role to) MUST_CHECK;

/*
 * Appends one frame. `m` is the message's struct. ERR_LIMIT when it is larger than the row allows
 * (the buffer is then as before). Asserts that the type is one of the table.
 */
int wire_encode(struct buf *b, enum msg_type type, uint32_t id, const void *m) MUST_CHECK;

/* Holds the memory of the last decoded message. One for each peer. */
struct wire_decoder;
struct wire_decoder *wire_decoder_new(void);
void wire_decoder_free(struct wire_decoder *d);

/*
 * Decodes the body of a checked frame. On success *m points to the message's struct, owned by the
 * decoder and valid until its next use; its texts point into `body`. Anything that is not exactly
 * what the table says (arity, types, ranges, trailing bytes, nesting) is ERR_SYNTAX.
 */
int wire_decode(struct wire_decoder *d, enum msg_type type, const unsigned char *body, size_t n,
    const void **m) MUST_CHECK;

#endif
