/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The half of a connection that gives answers. What the client does not take at once leaves as it
 * does.
 */
#include "supervisor/front/http/conn_state.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "shared/clock.h"
#include "supervisor/front/http/guard.h"
#include "supervisor/front/http/send.h"

void
answer_forget_request(struct conn *c)
{
	free(c->request_id);
	c->request_id = NULL;
	free(c->origin);
	c->origin = NULL;
	free(c->log_line);
	c->log_line = NULL;
	form_clear(&c->form);
	c->head_only = c->http10 = c->no_store = false;
	c->held_until_ms = 0;
}

void
answer_forget_output(struct conn *c)
{
	free(c->out_head);
	c->out_head = NULL;
	blob_unref(c->out_body);
	c->out_body = NULL;
}

void
answer_left(struct conn *c)
{
	answer_forget_output(c);
	if (c->last && c->lingering && !c->ended) {
		shutdown(c->fd, SHUT_WR);
		conn_set_state(c, CONN_LINGER);
		conn_set_reading(c, true);
	} else if (c->last || (c->ended && c->in.len == 0)) {
		c->dead = true;
	} else {
		conn_set_state(c, CONN_IDLE);
	}
}

void
answer_make_head(struct conn *c, const struct reply *r)
{
	struct http *h = c->http;
	char id[REQUESTS_ID_SIZE];
	struct reply_context context = {
		.origin = str_of(c->origin),
		.head = c->head_only,
		.no_store = c->no_store,
		.now_ms = clock_wall_ms(),
		.request_id = { id, sizeof(id) - 1 },
		.close = c->last || h->closing,
		.keep_alive = c->http10 && !c->last && !h->closing,
	};

	if (c->request_id)
		context.request_id = str_of(c->request_id);
	else
		requests_new_id(&h->requests, id);
	c->cancel = NULL;
	c->last = context.close;
	buf_reset(&h->head);
	reply_head(&h->head, r, &context);
	if (!c->head_only && r->status != 304)
		buf_add_str(&h->head, r->lead);
	requests_count(&h->requests, c->route, r->status, context.request_id);
	if (c->log_line)
		requests_log(c->log_line, r->status, r->lead.n + (r->body ? r->body->len : 0),
		    c->started_us, context.request_id);
	answer_forget_request(c);
}

bool
conn_may_take(const struct conn *c)
{
	return c->held_until_ms == 0;
}

int
conn_take(struct conn *c, const struct reply *r, struct str *head)
{
	int fd = c->fd;

	c->last = true;
	answer_make_head(c, r);
	*head = buf_str(&c->http->head);
	conn_set_reading(c, false);
	c->fd = -1;
	c->dead = true;
	return fd;
}

static void
send_reply(struct conn *c, const struct reply *r)
{
	struct http *h = c->http;
	size_t body_len = r->body && !c->head_only && r->status != 304 ? r->body->len : 0, total;
	ssize_t n;

	answer_make_head(c, r);
	if (!buf_ok(&h->head)) {
		c->dead = true;
		return;
	}
	total = h->head.len + body_len;
	n = send_answer(c->fd, h->head.data, h->head.len, body_len > 0 ? r->body : NULL, 0);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		c->dead = true;
		return;
	}
	if (n < 0)
		n = 0;
	if ((size_t)n == total) {
		answer_left(c);
		return;
	}
	c->out_head_at = c->out_head_len = c->out_body_at = 0;
	if ((size_t)n < h->head.len) {
		c->out_head_len = h->head.len - (size_t)n;
		c->out_head = xmalloc(c->out_head_len);
		memcpy(c->out_head, h->head.data + n, c->out_head_len);
	} else {
		c->out_body_at = (size_t)n - h->head.len;
	}
	c->out_body = body_len > 0 ? blob_ref(r->body) : NULL;
	conn_set_state(c, CONN_WRITE);
	event_add(&c->write, NULL);
}

void
conn_reply(struct conn *c, const struct reply *r)
{
	struct formed made;

	if (c->held_until_ms > 0) {
		guard_wait(c, r);
		return;
	}
	if (form_make(c->http, &c->form, r, &made))
		send_reply(c, &made.reply);
	else
		form_wait(c, r);
	form_done(&made);
}

void
answer_refuse(struct conn *c, int status)
{
	struct blob *body =
	    reply_detail(status, status == 400 ? "Invalid HTTP request received." : NULL);
	struct reply r = { .status = status, .type = REPLY_JSON, .body = body };

	c->last = true;
	c->lingering = true;
	conn_reply(c, &r);
	blob_unref(body);
}

void
answer_on_write(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	ssize_t n;

	if (c->stream.on) {
		stream_on_write(c);
		return;
	}
	n = send_answer(fd, c->out_head ? c->out_head + c->out_head_at : NULL,
	    c->out_head ? c->out_head_len - c->out_head_at : 0, c->out_body, c->out_body_at);

	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return;
		c->dead = true;
		conn_go_on(c);
		return;
	}
	if (c->out_head) {
		size_t of_head = c->out_head_len - c->out_head_at;

		if ((size_t)n < of_head)
			of_head = (size_t)n;
		c->out_head_at += of_head;
		n -= (ssize_t)of_head;
		if (c->out_head_at == c->out_head_len) {
			free(c->out_head);
			c->out_head = NULL;
		}
	}
	if (c->out_body)
		c->out_body_at += (size_t)n;
	if (c->out_head || (c->out_body && c->out_body_at < c->out_body->len)) {
		conn_set_state(c, CONN_WRITE); /* it moves: its time begins anew */
		return;
	}
	event_del(&c->write);
	answer_left(c);
	conn_go_on(c);
}

void
conn_reply_late(struct conn *c, const struct reply *r)
{
	conn_reply(c, r);
	conn_go_on(c);
}

