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
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/http/http.h"
#include "supervisor/front/http/route.h"
#include "supervisor/front/http/server.h"

#define LINGER_MS 2000
#define LINGER_BYTES (4u << 20)
#define MAX_REQUEST_ID 128
#define SEND_BYTES ((size_t)512 << 10) /* of a body at a time: copying more holds the others up */
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
	bool origin, head_only, http10;
	int64_t started_us;
	char *request_id;
	char *log_line; /* method and target, only when logged */
	void (*cancel)(void *arg);
	void *cancel_arg;
	/* What arrived and could not be used yet. */
	struct buf in;
	size_t scanned;
	struct buf head;
	struct http_body_reader body;
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

static void
forget_request(struct conn *c)
{
	free(c->request_id);
	c->request_id = NULL;
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
	event_del(&c->read);
	event_del(&c->write);
	close(c->fd);
	forget_request(c);
	forget_output(c);
	buf_clear(&c->in);
	buf_clear(&c->head);
	free(c);
}

struct http *
conn_http(const struct conn *c)
{
	return c->http;
}

/*
 * Sends what is left of a head and of a body: from the body's file, or both in one call. Returns
 * how much, or -1 with errno.
 */
static ssize_t
send_parts(int fd, const char *head, size_t head_len, struct blob *body, size_t body_at)
{
	/* Asked once an answer: it counts how often the body is sent. */
	int file = body == NULL ? -1 : body_at == 0 ? blob_file(body) : body->fd;
	struct iovec iov[2];
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 0 };
	size_t left = body ? body->len - body_at : 0, part = left < SEND_BYTES ? left : SEND_BYTES;
	ssize_t sent = 0, n;

	if (head_len > 0)
		iov[m.msg_iovlen++] = (struct iovec){ (char *)head, head_len };
	if (body && file < 0)
		iov[m.msg_iovlen++] = (struct iovec){ body->data + body_at, part };
	if (m.msg_iovlen > 0) {
		sent = sendmsg(fd, &m, MSG_NOSIGNAL | (file >= 0 ? MSG_MORE : 0));
		if (sent < 0 || file < 0 || (size_t)sent < head_len)
			return sent;
	}
	if (file >= 0) {
		off_t at = (off_t)body_at;

		n = sendfile(fd, file, &at, part);
		if (n < 0 && (sent == 0 || (errno != EAGAIN && errno != EINTR)))
			return -1;
		sent += n > 0 ? n : 0;
	}
	return sent;
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

static void
log_answer(const struct conn *c, int status, size_t body)
{
	log_event(LOG_LEVEL_DEBUG, "http_request", LS("request", c->log_line), LI("status", status),
	    LI("bytes", body), LI("us", clock_mono_us() - c->started_us),
	    LS("id", c->request_id ? c->request_id : ""));
}

void
conn_reply(struct conn *c, const struct reply *r)
{
	struct http *h = c->http;
	struct reply_context context = {
		.origin = c->origin,
		.head = c->head_only,
		.now_ms = clock_wall_ms(),
		.request_id = c->request_id ? str_of(c->request_id) : STR(""),
	};
	size_t body_len = r->body && !c->head_only && r->status != 304 ? r->body->len : 0, total;
	ssize_t n;

	c->cancel = NULL;
	if (h->closing)
		c->last = true;
	context.close = c->last;
	context.keep_alive = c->http10 && !c->last;
	buf_reset(&h->head);
	reply_head(&h->head, r, &context);
	if (c->log_line)
		log_answer(c, r->status, body_len);
	forget_request(c);
	if (!buf_ok(&h->head)) {
		c->dead = true;
		return;
	}
	total = h->head.len + body_len;
	n = send_parts(c->fd, h->head.data, h->head.len, body_len > 0 ? r->body : NULL, 0);
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
	c->out_head_at = 0;
	c->out_head_len = 0;
	c->out_body_at = 0;
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

/* Only what can stand in a header and in a log as it is. */
static char *
clean_request_id(struct str id)
{
	if (id.n == 0 || id.n > MAX_REQUEST_ID)
		return NULL;
	for (size_t i = 0; i < id.n; i++) {
		char ch = id.p[i];

		if (!((ch >= '0' && ch <= '9') || ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z') ||
			ch == '-' || ch == '_' || ch == '.' || ch == ':' || ch == '/' ||
			ch == '+' || ch == '='))
			return NULL;
	}
	return str_dup(id);
}

static void
dispatch(struct conn *c, const struct http_request *r)
{
	struct http *h = c->http;

	c->origin = r->origin.n > 0;
	c->head_only = r->method == HTTP_HEAD;
	c->http10 = r->minor == 0;
	c->last = !r->keep_alive;
	c->lingering = false;
	c->request_id = r->request_id.n > 0 ? clean_request_id(r->request_id) : NULL;
	h->requests++;
	if (log_current_level() >= LOG_LEVEL_DEBUG) {
		struct buf line = BUF_INIT(512);

		/* Without the query: a client may have put a key there. */
		buf_add_str(&line, r->method_text);
		buf_add_char(&line, ' ');
		buf_add(&line, r->path.p, r->path.n < 256 ? r->path.n : 256);
		c->log_line = buf_take(&line);
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

	c->origin = c->head_only = c->http10 = false;
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
		refuse(c, err == ERR_LIMIT ? 413 : 400);
		return;
	}
	if (http_parse_head(c->head.data, c->head.len, &r, &status) < 0)
		fatal("a request's head does not parse twice");
	dispatch(c, &r);
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
			c->origin = c->head_only = c->http10 = false;
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
	ssize_t n = send_parts(fd, c->out_head ? c->out_head + c->out_head_at : NULL,
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
				c->origin = c->head_only = c->http10 = false;
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
