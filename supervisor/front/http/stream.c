/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers in pieces, as they come from elsewhere. Only what the client has not taken yet is here;
 * how much that is, is up to who sends the pieces.
 */
#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>

#include "supervisor/front/http/conn_state.h"

/* All that is there leaves in one turn, together with what else comes in it. */
static void
send_soon(struct conn *c)
{
	if (c->state == CONN_ANSWER)
		event_active(&c->write, EV_WRITE, 0);
}

void
conn_stream(struct conn *c, const struct reply *r, void (*taken)(void *arg, size_t n))
{
	struct buf extra = BUF_INIT(SIZE_MAX / 2);
	void (*cancel)(void *arg) = c->cancel;
	struct reply reply = *r;

	c->stream.on = true;
	c->stream.over = false;
	c->stream.chunked = !c->http10;
	c->stream.taken = taken;
	c->stream.at = c->stream.pieces = 0;
	c->last = c->last || c->http10;
	buf_add_str(&extra, r->extra);
	if (c->stream.chunked)
		buf_add_text(&extra, "transfer-encoding: chunked\r\n");
	reply.type = REPLY_STREAM;
	reply.extra = buf_str(&extra);
	answer_make_head(c, &reply);
	c->cancel = cancel;
	buf_init(&c->stream.out, SIZE_MAX / 2);
	buf_add_str(&c->stream.out, buf_str(&c->http->head));
	buf_clear(&extra);
	send_soon(c);
}

void
conn_stream_piece(struct conn *c, struct str bytes)
{
	if (bytes.n == 0)
		return;
	if (c->stream.chunked)
		buf_addf(&c->stream.out, "%zx\r\n", bytes.n);
	buf_add_str(&c->stream.out, bytes);
	if (c->stream.chunked)
		buf_add_text(&c->stream.out, "\r\n");
	c->stream.pieces += bytes.n;
	send_soon(c);
}

void
conn_stream_end(struct conn *c, bool whole)
{
	if (whole && c->stream.chunked)
		buf_add_text(&c->stream.out, "0\r\n\r\n");
	c->stream.over = true;
	c->stream.whole = whole;
	c->cancel = NULL;
	send_soon(c);
}

static void
all_has_left(struct conn *c)
{
	event_del(&c->write);
	buf_clear(&c->stream.out);
	c->stream.at = 0;
	if (!c->stream.over) {
		conn_set_state(c, CONN_ANSWER);
		return;
	}
	c->stream.on = false;
	if (c->stream.whole)
		answer_left(c);
	else
		c->dead = true;
}

/* Heads and chunk sizes are not counted: the last piece is taken when all has left. */
static void
tell_taken(struct conn *c, size_t sent)
{
	size_t n =
	    c->stream.at == c->stream.out.len || sent > c->stream.pieces ? c->stream.pieces : sent;

	c->stream.pieces -= n;
	if (c->cancel && n > 0)
		c->stream.taken(c->cancel_arg, n);
}

void
stream_on_write(struct conn *c)
{
	size_t left = c->stream.out.len - c->stream.at, sent;
	ssize_t n = left > 0 ? send(c->fd, c->stream.out.data + c->stream.at, left,
				   MSG_NOSIGNAL | MSG_DONTWAIT)
			     : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		c->dead = true;
		conn_go_on(c);
		return;
	}
	sent = n > 0 ? (size_t)n : 0;
	c->stream.at += sent;
	tell_taken(c, sent);
	if (c->stream.at == c->stream.out.len) {
		all_has_left(c);
	} else {
		if (c->state != CONN_WRITE)
			event_add(&c->write, NULL);
		if (c->state != CONN_WRITE || sent > 0)
			conn_set_state(c, CONN_WRITE); /* it moves: its time begins anew */
		buf_drain(&c->stream.out, c->stream.at);
		c->stream.at = 0;
	}
	conn_go_on(c);
}
