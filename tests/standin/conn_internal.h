/* SPDX-License-Identifier: Apache-2.0 */
/* What conn.c (a connection's life) and talk.c (its WebSocket) share. */
#ifndef TESTS_STANDIN_CONN_INTERNAL_H
#define TESTS_STANDIN_CONN_INTERNAL_H

#include "tests/standin/conn.h"
#include "tests/standin/sock.h"

enum conn_state {
	CONN_HANDSHAKE,
	CONN_READ, /* for a request */
	CONN_WAIT, /* before an answer, or between the drops of one */
	CONN_SEND,
	CONN_HANG,
	CONN_TALK, /* a WebSocket: for the client's frames */
	CONN_DRAIN, /* everything is said; until the client closes */
	CONN_CLOSED,
};

struct conn {
	struct server *server;
	struct sock sock;
	enum conn_state state;
	bool reading;	/* ev_read is pending */
	bool busy;	/* a request is being answered and counted */
	bool control;	/* asked for /_standin/ and counts nowhere */
	bool continued; /* 100 Continue was sent or held back */
	bool ended;	/* the client will send no more */
	struct event ev_read, ev_write, ev_timer;
	struct buf in;	 /* a request in pieces, and what came behind one */
	size_t want;	 /* bytes of `in` below which reading on makes no sense */
	size_t chunk_at; /* whole chunks so far */
	struct reply reply;
	struct reply *event; /* what a WebSocket's client is told next; see reply.h */
	const char *needs;
	uint64_t sent, drip_left;
	uint64_t number;
	uint64_t peak_before; /* of open connections */
	struct conn *next, **prev;
};

/* Sends c->reply. */
void conn_start_reply(struct conn *c);

/* A provider's first event, which is there. */
void talk_say_event(struct conn *c);
/* Takes the next frame of the client; false when there is none yet. */
bool talk_listen(struct conn *c);

#endif
