/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections over plain sockets and events. A request that arrives in one piece is parsed where it
 * was read, and its answer leaves in one sendmsg() of head and shared body, or a large body by
 * sendfile(): nothing is copied here and nothing is allocated. Only what is cut off is kept, within
 * the limits.
 *
 * libevent's own evhttp is not used: 2.1 answers broken requests in HTML before anybody is asked,
 * cannot limit the time of a request, and copies where this refers.
 */
#include "supervisor/front/http/conn.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/secret.h"
#include "supervisor/front/http/http.h"
#include "supervisor/front/http/route.h"
#include "supervisor/front/http/send.h"
#include "supervisor/front/http/server.h"

#define LINGER_MS 2000
#define LINGER_BYTES (4u << 20)
#define TURN_REQUESTS 64 /* pipelined requests answered before others get their turn */

struct conn {
	struct http *http;
	int fd;
	enum conn_state state;
	int64_t since_ms;
	TAILQ_ENTRY(conn) link;
	struct event read, write;
	bool reading;	/* the read event is added */
	bool ended;	/* the client sends no more */
	bool dead;	/* to be freed by whoever holds it */
	bool last;	/* closes after this answer */
	bool lingering; /* … and waits for the client's end */
	bool in_body;	/* the head is in `head`, its body is being read */
	/* The request at hand. */
	bool head_only, http10, no_store;
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
};

static void on_read(evutil_socket_t fd, short what, void *arg);
static void on_write(evutil_socket_t fd, short what, void *arg);

static void
set_state(struct conn *c, enum conn_state state)
{
	TAILQ_REMOVE(&c->http->conns[c->state], c, link);
	c->http->n_waiting += (size_t)(state == CONN_ANSWER);
	c->http->n_waiting -= (size_t)(c->state == CONN_ANSWER);
	c->state = state;
	c->since_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&c->http->conns[state], c, link);
}

static void
set_reading(struct conn *c, bool on)
{
	if (on == c->reading || (on && c->ended))
		return;
	if (on)
		event_add(&c->read, NULL);
	else
		event_del(&c->read);
	c->reading = on;
}

void
conn_open(struct http *h, int fd)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->http = h;
	c->fd = fd;
	buf_init(&c->in, 0); /* on_read() says how much */
	buf_init(&c->head, 0);
	event_assign(&c->read, h->base, fd, EV_READ | EV_PERSIST, on_read, c);
	event_assign(&c->write, h->base, fd, EV_WRITE | EV_PERSIST, on_write, c);
	event_priority_set(&c->read, HTTP_PRIORITY);
	event_priority_set(&c->write, HTTP_PRIORITY);
	c->state = CONN_IDLE;
	c->since_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&h->conns[CONN_IDLE], c, link);
	h->n_conns++;
	set_reading(c, true);
}

/* A body may hold a caller's key. */
static void
forget_body(struct conn *c)
{
	if (c->kept.data)
		secret_wipe(c->kept.data, c->kept.cap);
	buf_clear(&c->kept);
}

static void
forget_request(struct conn *c)
{
	free(c->request_id);
	c->request_id = NULL;
	free(c->origin);
	c->origin = NULL;
	free(c->log_line);
	c->log_line = NULL;
}

static void
forget_output(struct conn *c)
{
	free(c->out_head);
	c->out_head = NULL;
	blob_unref(c->out_body);
	c->out_body = NULL;
}

void
conn_free(struct conn *c)
{
	if (c->cancel) {
		void (*cancel)(void *) = c->cancel;

		c->cancel = NULL;
		cancel(c->cancel_arg);
	}
	TAILQ_REMOVE(&c->http->conns[c->state], c, link);
	c->http->n_conns--;
	c->http->n_waiting -= (size_t)(c->state == CONN_ANSWER);
	event_del(&c->read);
	event_del(&c->write);
	if (c->fd >= 0)
		close(c->fd);
	forget_request(c);
	forget_output(c);
	buf_clear(&c->in);
	buf_clear(&c->head);
	forget_body(c);
	free(c);
}

void
conn_set_route(struct conn *c, const char *path)
{
	c->route = path;
}

void
conn_no_store(struct conn *c)
{
	c->no_store = true;
}

struct http *
conn_http(const struct conn *c)
{
	return c->http;
}

/* The answer has left whole. */
static void
answered(struct conn *c)
{
	forget_output(c);
	if (c->last && c->lingering && !c->ended) {
		shutdown(c->fd, SHUT_WR);
		set_state(c, CONN_LINGER);
		set_reading(c, true);
	} else if (c->last || (c->ended && c->in.len == 0)) {
		c->dead = true;
	} else {
		set_state(c, CONN_IDLE);
	}
}

/* Makes the head of an answer to the request at hand in h->head, which is over then. */
static void
make_head(struct conn *c, const struct reply *r)
{
	struct http *h = c->http;
	struct reply_context context = {
		.origin = str_of(c->origin),
		.head = c->head_only,
		.no_store = c->no_store,
		.now_ms = clock_wall_ms(),
		.request_id = str_of(c->request_id),
		.close = c->last || h->closing,
		.keep_alive = c->http10 && !c->last && !h->closing,
	};

	c->cancel = NULL;
	c->last = context.close;
	buf_reset(&h->head);
	reply_head(&h->head, r, &context);
	if (!c->head_only && r->status != 304)
		buf_add_str(&h->head, r->lead);
	requests_count(&h->requests, c->route, r->status, context.request_id);
	if (c->log_line)
		requests_log(c->log_line, r->status, r->lead.n + (r->body ? r->body->len : 0),
		    c->started_us, c->request_id);
	forget_request(c);
}

int
conn_take(struct conn *c, const struct reply *r, struct str *head)
{
	int fd = c->fd;

	c->last = true;
	make_head(c, r);
	*head = buf_str(&c->http->head);
	set_reading(c, false);
	c->fd = -1;
	c->dead = true;
	return fd;
}

void
conn_reply(struct conn *c, const struct reply *r)
{
	struct http *h = c->http;
	size_t body_len = r->body && !c->head_only && r->status != 304 ? r->body->len : 0, total;
	ssize_t n;

	make_head(c, r);
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
		answered(c);
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
	set_state(c, CONN_WRITE);
	event_add(&c->write, NULL);
}

/* Answers what is no proper request; the connection ends with it. */
static void
refuse(struct conn *c, int status)
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
conn_wait(struct conn *c, void (*cancel)(void *arg), void *arg)
{
	c->cancel = cancel;
	c->cancel_arg = arg;
	set_state(c, CONN_ANSWER);
}

static void
dispatch(struct conn *c, const struct http_request *r)
{
	struct http *h = c->http;

	c->origin = http_cors(h, r->origin);
	c->head_only = r->method == HTTP_HEAD;
	c->http10 = r->minor == 0;
	c->last = !r->keep_alive;
	c->lingering = c->no_store = false;
	c->request_id = r->request_id.n > 0 ? reply_clean_id(r->request_id) : NULL;
	c->route = NULL;
	if (log_current_level() >= LOG_LEVEL_DEBUG) {
		c->log_line = http_request_text(r);
		c->started_us = clock_mono_us();
	}
	route_dispatch(c, r);
}

/* A head is complete: its body comes next, or the answer. */
static void
begin_request(struct conn *c, const char *p, size_t head_len)
{
	struct http_request r;
	int status;

	c->head_only = c->http10 = false;
	c->route = NULL;
	if (http_parse_head(p, head_len, &r, &status) < 0) {
		refuse(c, status);
		return;
	}
	if (http_body_begin(&c->body, &r, (uint64_t)http_setting(c->http, SETTING_HTTP_BODY)) < 0) {
		refuse(c, 413);
		return;
	}
	if (c->body.state == HTTP_BODY_DONE) {
		dispatch(c, &r);
		return;
	}
	buf_clear(&c->head);
	c->head.max = head_len;
	buf_add(&c->head, p, head_len);
	c->in_body = true;
	c->kept.max = (size_t)c->body.max;
	c->body.keep = route_keeps_body(c, &r) ? &c->kept : NULL;
	if (r.expects) {
		static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

		/* So few bytes fit whenever nothing is under way; if not, the client goes on by
		 * itself. */
		if (send(c->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
			c->dead = true;
	}
}

static void
read_body(struct conn *c, const char *p, size_t n, size_t *used)
{
	struct http_request r;
	int status, err = http_body_read(&c->body, p, n, used);

	if (err == ERR_AGAIN)
		return;
	c->in_body = false;
	if (err < 0) {
		forget_body(c);
		refuse(c, err == ERR_LIMIT ? 413 : 400);
		return;
	}
	if (http_parse_head(c->head.data, c->head.len, &r, &status) < 0)
		fatal("a request's head does not parse twice");
	r.body = buf_str(&c->kept);
	dispatch(c, &r);
	forget_body(c);
	buf_clear(&c->head);
}

/* Uses what it can of n bytes; says how many. */
static size_t
consume(struct conn *c, const char *p, size_t n)
{
	size_t limit = (size_t)http_setting(c->http, SETTING_HTTP_HEADER), at = 0;

	for (int turn = 0; at < n && turn < TURN_REQUESTS && !c->dead; turn++) {
		size_t len, used = 0;

		if (c->state == CONN_LINGER) {
			c->discarded += (uint32_t)(n - at);
			if (c->discarded > LINGER_BYTES)
				c->dead = true;
			return n;
		}
		if (c->state != CONN_IDLE && c->state != CONN_REQUEST)
			break;
		if (c->in_body) {
			read_body(c, p + at, n - at, &used);
			at += used;
			continue;
		}
		while (c->scanned == 0 && at + 1 < n && p[at] == '\r' && p[at + 1] == '\n')
			at += 2; /* empty lines before a request: RFC 9112 2.2 */
		if (c->scanned == 0 && n - at == 1 && p[at] == '\r') {
			set_state(c, CONN_REQUEST);
			break;
		}
		len = http_head_end(p + at, n - at, &c->scanned);
		if (len > limit || (len == 0 && n - at > limit)) {
			c->head_only = c->http10 = false;
			refuse(c, 431);
			return n;
		}
		if (len == 0) {
			if (at < n && c->state == CONN_IDLE)
				set_state(c, CONN_REQUEST);
			break;
		}
		c->scanned = 0;
		begin_request(c, p + at, len);
		at += len;
		if (c->in_body && c->state == CONN_IDLE)
			set_state(c, CONN_REQUEST);
	}
	return at;
}

/* Goes on with what was read ahead, then decides what to listen for. Frees a connection that is
 * done. */
static void
go_on(struct conn *c)
{
	if (!c->dead && c->in.len > 0) {
		size_t used = consume(c, c->in.data, c->in.len);

		buf_drain(&c->in, used);
		if (c->in.len == 0)
			buf_clear(&c->in);
	}
	/* A client that has closed its side gets what it asked for, unless that is still to be
	 * found out. */
	if (c->ended && c->state != CONN_WRITE && !(c->state == CONN_IDLE && c->in.len > 0))
		c->dead = true;
	if (c->dead) {
		conn_free(c);
		return;
	}
	switch (c->state) {
	case CONN_ANSWER: /* to see the client go */
		set_reading(c, c->in.len < (size_t)http_setting(c->http, SETTING_HTTP_HEADER));
		break;
	case CONN_WRITE:
		set_reading(c, false);
		break;
	case CONN_IDLE:
		set_reading(c, c->in.len == 0);
		if (c->in.len > 0)
			event_active(&c->read, EV_READ, 1); /* its turn is over; others first */
		break;
	default:
		set_reading(c, true);
		break;
	}
}

static void
on_read(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct http *h = c->http;
	ssize_t n = c->ended || !c->reading ? -2 : read(fd, h->scratch, sizeof(h->scratch));

	c->in.max = (size_t)http_setting(h, SETTING_HTTP_HEADER) + 2 * HTTP_READ_SIZE;
	if (n == 0) {
		set_reading(c, false);
		c->ended = true;
	} else if (n == -1 && errno != EAGAIN && errno != EINTR) {
		c->dead = true;
	} else if (n > 0 && c->in.len == 0) {
		size_t used = consume(c, h->scratch, (size_t)n);

		if (used < (size_t)n && !c->dead)
			buf_add(&c->in, h->scratch + used, (size_t)n - used);
		else if (c->state != CONN_ANSWER && c->state != CONN_WRITE && !c->dead)
			return; /* the usual case: all is used, nothing has changed */
	} else if (n > 0) {
		buf_add(&c->in, h->scratch, (size_t)n);
	}
	if (!buf_ok(&c->in))
		c->dead = true;
	go_on(c);
}

static void
on_write(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	ssize_t n = send_answer(fd, c->out_head ? c->out_head + c->out_head_at : NULL,
	    c->out_head ? c->out_head_len - c->out_head_at : 0, c->out_body, c->out_body_at);

	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return;
		c->dead = true;
		go_on(c);
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
		set_state(c, CONN_WRITE); /* it moves: its time begins anew */
		return;
	}
	event_del(&c->write);
	answered(c);
	go_on(c);
}

void
conn_reply_late(struct conn *c, const struct reply *r)
{
	conn_reply(c, r);
	go_on(c);
}

static int64_t
state_limit_ms(const struct http *h, enum conn_state state)
{
	switch (state) {
	case CONN_IDLE:
	case CONN_WRITE:
		return http_setting(h, SETTING_HTTP_IDLE);
	case CONN_REQUEST:
		return http_setting(h, SETTING_HTTP_REQUEST);
	case CONN_LINGER:
		return LINGER_MS;
	default:
		return -1;
	}
}

int64_t
conn_shortest_ms(const struct http *h)
{
	int64_t idle = http_setting(h, SETTING_HTTP_IDLE),
		request = http_setting(h, SETTING_HTTP_REQUEST);
	int64_t shortest = idle < request ? idle : request;

	return shortest < LINGER_MS ? shortest : LINGER_MS;
}

void
conn_sweep(struct http *h)
{
	int64_t now = clock_mono_ms();

	for (int state = 0; state < CONN_STATES; state++) {
		int64_t limit = state_limit_ms(h, (enum conn_state)state);
		struct conn *c;

		while (limit >= 0 && (c = TAILQ_FIRST(&h->conns[state])) != NULL &&
		       now - c->since_ms >= limit) {
			if (state == CONN_REQUEST) {
				c->head_only = c->http10 = false;
				c->in_body = false;
				buf_clear(&c->in);
				refuse(c, 408);
				go_on(c);
			} else {
				conn_free(c);
			}
		}
	}
}

void
conn_close_idle(struct http *h)
{
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&h->conns[CONN_IDLE]); c; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->in.len == 0)
			conn_free(c);
	}
}
