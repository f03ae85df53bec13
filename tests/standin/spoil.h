/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies, healthy and spoiled, before they are framed: what the word table's body words mean.
 */
#ifndef TESTS_STANDIN_SPOIL_H
#define TESTS_STANDIN_SPOIL_H

#include "shared/buf.h"
#include "tests/standin/reply.h"

/* A body: `text`, then `fill` bytes of spoil_pattern(), then `rest`. */
struct spoiled {
	int status;
	const char *content_type;
	struct buf text; /* the caller clears it */
	uint64_t fill;	 /* UINT64_MAX: chunks of spoil_endless_pattern() without end */
	struct str rest;
	bool chunked, gzip;
};

void spoil_body(struct spoiled *body, const struct answer *a);
void spoil_fault(struct spoiled *body, const struct answer *a, const struct fault *fault);
/* What BODY_GARBAGE and BODY_NOTHTTP send. */
void spoil_not_http(struct buf *out, enum body what);
/* Harmless letters; and the same as whole chunks. Their length is the period. */
struct str spoil_pattern(void);
struct str spoil_endless_pattern(void);

#endif
