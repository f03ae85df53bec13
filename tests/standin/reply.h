/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer as bytes and a way of sending them: `pre`, then `fill` bytes of a repeated pattern,
 * then `post`, of all that no more than `limit` bytes; then `then`. Making one is pure.
 */
#ifndef TESTS_STANDIN_REPLY_H
#define TESTS_STANDIN_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/str.h"
#include "tests/standin/behaviour.h"
#include "tests/standin/request.h"
#include "tests/standin/route.h"

#define REPLY_ID_DIGITS 16

enum then {
	THEN_KEEP,  /* read the next request */
	THEN_CLOSE, /* close in an orderly way */
	THEN_CUT,   /* close at once, without TLS's farewell */
	THEN_RESET, /* close with a reset */
	THEN_HANG,  /* send nothing more, until the client goes */
	THEN_TALK,  /* a WebSocket: frames go both ways, `event` first */
};

struct reply {
	/* Of a handshake: what the provider says first, owned; NULL: nothing. Before it comes the
	 * client must have sent a message with `needs` in it, unless that is empty. */
	struct reply *event;
	const char *needs;
	struct str pre, post;
	char *owned; /* holds pre and post; NULL when they are prepared */
	char *id;    /* where in a prepared answer the request's number goes; NULL: nowhere */
	struct str pattern;
	uint64_t fill; /* UINT64_MAX: without end */
	uint64_t limit;
	enum then then;
	uint32_t delay_ms;
	uint64_t drip_bytes; /* 0: as fast as it goes */
	uint32_t drip_ms;
};

/* What an answer is made of. */
struct answer {
	const struct request *request;
	const struct route *route;
	const struct behaviour *behaviour; /* NULL: a healthy answer */
	struct str model;
	bool stream;
	uint64_t number; /* for x-request-id */
};

/* The answer to a request as its behaviour wants it. */
void reply_make(struct reply *reply, const struct answer *a);
/* The answer to a right handshake, and the first event. */
void reply_make_websocket(struct reply *reply, const struct answer *a);
/* Takes the bytes of `out`. */
void reply_make_bytes(struct reply *reply, struct buf *out, enum then then);
/* A JSON answer of the stand-in's own. Takes the bytes of `body`, which is empty afterwards. */
void reply_make_json(struct reply *reply, const struct request *r, int status,
    const char *extra_header, struct buf *body);
/* An error answer in OpenAI's shape; `message` as in faults.def. */
void reply_make_fault(struct reply *reply, const struct answer *a, const struct fault *fault);
/* An answer to bytes that are no request; closes the connection. */
void reply_make_refusal(struct reply *reply, int status, const char *why);
/* Writes REPLY_ID_DIGITS hex digits. */
void reply_write_id(char *to, uint64_t number);
/* Where the id's digits are in a made answer, or NULL. */
char *reply_find_id(const struct reply *reply);
void reply_clear(struct reply *reply);

#endif
