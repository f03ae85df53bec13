/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client's connection: bytes in, requests out to route_dispatch(), answers back. It holds every
 * limit of a client: sizes, times, how much is read ahead. A request is answered before the next
 * one is looked at; a client that does not read is not read from.
 */
#ifndef SUPERVISOR_FRONT_HTTP_CONN_H
#define SUPERVISOR_FRONT_HTTP_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "supervisor/front/http/parse.h"
#include "supervisor/front/http/reply.h"

struct conn;
struct http;

/* What a connection waits for. Each has its list in the server, ordered by since when, and its
 * time. */
enum conn_state {
	CONN_IDLE,    /* for the first byte of a request */
	CONN_REQUEST, /* for the rest of it */
	CONN_ANSWER,  /* for us */
	CONN_WRITE,   /* for the client to take the answer */
	CONN_LINGER,  /* answered and half closed: for the client's end, so that it reads the answer
		       */
	CONN_STATES,
};

TAILQ_HEAD(conn_list, conn);

/* Serves the descriptor, which is taken over; `health`: LiteLLM's health routes alone; `place`: guard.c's of
 * the client. */
void conn_open(struct http *h, int fd, bool health, uint16_t place);
/* Closes it now; what was asked for is cancelled. */
void conn_free(struct conn *c);
/* Ends whatever has waited too long. */
void conn_sweep(struct http *h);
/* The shortest of the times that conn_sweep() looks at. */
int64_t conn_shortest_ms(const struct http *h);
/* Closes all that are idle. */
void conn_close_idle(struct http *h);

/* For handlers: answers the request at hand. The connection stays until the handler has returned.
 */
void conn_reply(struct conn *c, const struct reply *r);
/* For handlers: the answer comes later. cancel is called if the client goes before. */
void conn_wait(struct conn *c, void (*cancel)(void *arg), void *arg);
/* Whether the answer may leave in any other way than conn_reply(): not where it has to wait (guard.c). */
bool conn_may_take(const struct conn *c);
/*
 * For handlers of answers without an end: the socket is the caller's from now on. *head is the
 * answer's head, to be sent first; borrowed until the next answer of anybody. The connection ends
 * when the handler has returned, without closing the socket.
 */
int conn_take(struct conn *c, const struct reply *r, struct str *head);
/* Answers a request that has waited; the connection may be gone afterwards. */
void conn_reply_late(struct conn *c, const struct reply *r);
/*
 * For handlers: the answer to a request that waits, in pieces, in chunks or until the connection ends.
 * `taken` (with conn_wait()'s argument) says how many bytes of the pieces the client has taken, from
 * the loop; the caller holds back until then, for all that is not taken is kept here. A client that
 * takes nothing for a while is gone, as conn_wait()'s cancel says.
 */
void conn_stream(struct conn *c, const struct reply *r, void (*taken)(void *arg, size_t n));
void conn_stream_piece(struct conn *c, struct str bytes);
/* The last word; no call will come. Not whole: the connection breaks off, so that the client knows. */
void conn_stream_end(struct conn *c, bool whole);
/* For route.c: what the answer is counted as. Static text; NULL for no route. */
void conn_set_route(struct conn *c, const char *path);
/* For handlers: who asked decides what is answered, so no cache may keep it. */
void conn_no_store(struct conn *c);
/* The id of the request at hand: the client's, or one of ours. Lives until it is answered. */
struct str conn_request_id(struct conn *c);
bool conn_is_health(const struct conn *c);
struct http *conn_http(const struct conn *c);

#endif
