/* SPDX-License-Identifier: Apache-2.0 */
/* A connection as its two halves know it: conn.c takes requests in, answer.c gives answers out. */
#ifndef SUPERVISOR_FRONT_HTTP_CONN_STATE_H
#define SUPERVISOR_FRONT_HTTP_CONN_STATE_H

#include <event2/event_struct.h>

#include "supervisor/front/http/conn.h"
#include "supervisor/front/http/form.h"
#include "supervisor/front/http/server.h"

struct conn {
	struct http *http;
	int fd;
	enum conn_state state;
	int64_t since_ms;
	TAILQ_ENTRY(conn) link;
	struct event read, write;
	bool health;	/* LiteLLM's health routes alone */
	bool reading;	/* the read event is added */
	bool ended;	/* the client sends no more */
	bool dead;	/* to be freed by whoever holds it */
	bool last;	/* closes after this answer */
	bool lingering; /* … and waits for the client's end */
	bool in_body;	/* the head is in `head`, its body is being read */
	bool trusted;	/* has presented a good key, and no wrong one since */
	uint16_t place; /* of its address in guard.c */
	/* The request at hand. */
	int64_t held_until_ms; /* its answer waits; 0: it does not */
	bool head_only, http10, no_store;
	struct form form;
	char *origin; /* that may read the answer; NULL: none */
	int64_t started_us;
	const char *route; /* the path of the route that answers; NULL: none */
	char *request_id;
	char *log_line; /* method and target, only when logged */
	void (*cancel)(void *arg);
	void *cancel_arg;
	/* What arrived and could not be used yet. */
	struct buf in;
	size_t scanned;
	struct buf head;
	struct http_body_reader body;
	struct buf kept; /* the body, where the route wants it */
	uint32_t discarded;
	/* What the client has not taken yet. */
	char *out_head;
	size_t out_head_at, out_head_len, out_body_at;
	struct blob *out_body;
	/* An answer in pieces: stream.c. */
	struct {
		bool on, chunked, over, whole;
		struct buf out;
		size_t at, pieces; /* bytes sent; bytes of pieces that were not told as taken */
		void (*taken)(void *arg, size_t n);
	} stream;
};

/* conn.c */
void conn_set_state(struct conn *c, enum conn_state state);
void conn_set_reading(struct conn *c, bool on);
/* Goes on with what was read ahead, then decides what to listen for. Frees a connection that is
 * done. */
void conn_go_on(struct conn *c);

/* answer.c */
void answer_on_write(evutil_socket_t fd, short what, void *arg);
/* Answers what is no proper request; the connection ends with it. */
void answer_refuse(struct conn *c, int status);
void answer_forget_request(struct conn *c);
void answer_forget_output(struct conn *c);
/* Makes the head of an answer to the request at hand in the server's `head`; the request is over. */
void answer_make_head(struct conn *c, const struct reply *r);
/* The answer has left whole. */
void answer_left(struct conn *c);

/* stream.c */
void stream_on_write(struct conn *c);

#endif
