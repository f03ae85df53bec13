/* SPDX-License-Identifier: Apache-2.0 */
/* A connection that has become a WebSocket: frames in, the first event, pongs and closes out. */
#include <stdlib.h>
#include <string.h>

#include "tests/standin/conn_internal.h"
#include "tests/standin/websocket.h"

void
talk_say_event(struct conn *c)
{
	c->reply = *c->event;
	free(c->event);
	c->event = NULL;
	conn_start_reply(c);
}

static void
say(struct conn *c, struct buf *frame, enum then then)
{
	reply_make_bytes(&c->reply, frame, then);
	conn_start_reply(c);
}

static void
say_close(struct conn *c, unsigned code, const char *reason)
{
	struct buf out = BUF_INIT(256);

	websocket_add_close(&out, code, reason);
	say(c, &out, THEN_CLOSE);
}

bool
talk_listen(struct conn *c)
{
	struct buf out = BUF_INIT(256);
	struct frame f;
	bool asks;
	int err = websocket_read(&f, c->in.data, c->in.len);

	if (err == ERR_AGAIN)
		return false;
	if (err != 0) {
		c->server->standin.bad_requests++;
		say_close(c, err == ERR_LIMIT ? 1009 : 1002, "that is no frame of a client");
		return false;
	}
	asks = c->event != NULL && f.data.n > 0 &&
	       memmem(f.data.p, f.data.n, c->needs, strlen(c->needs)) != NULL;
	if (f.opcode == OPCODE_CLOSE) {
		if (f.data.n >= 2 && memcmp(f.data.p, "\3\350", 2) == 0)
			c->server->standin.websockets_closed++;
		websocket_add_frame(&out, OPCODE_CLOSE, true, f.data.n, false);
		buf_add_str(&out, f.data);
	} else if (f.opcode == OPCODE_PING) {
		websocket_add_frame(&out, OPCODE_PONG, true, f.data.n, false);
		buf_add_str(&out, f.data);
	}
	buf_drain(&c->in, f.len);
	if (out.len > 0)
		say(c, &out, f.opcode == OPCODE_CLOSE ? THEN_CLOSE : THEN_TALK);
	else if (c->event != NULL && f.opcode == OPCODE_TEXT && asks)
		talk_say_event(c);
	else if (c->event != NULL && f.opcode == OPCODE_TEXT)
		say_close(c, 1007, "the first message must be of another kind");
	return true;
}
