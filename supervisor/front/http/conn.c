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
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/secret.h"
#include "supervisor/front/http/conn_state.h"
#include "supervisor/front/http/route.h"

#define LINGER_MS 2000
#define LINGER_BYTES (4u << 20)
#define TURN_REQUESTS 64 /* pipelined requests answered before others get their turn */

static void on_read(evutil_socket_t fd, short what, void *arg);

void
conn_set_state(struct conn *c, enum conn_state state)
{
	TAILQ_REMOVE(&c->http->conns[c->state], c, link);
	c->http->n_waiting += (size_t)(state == CONN_ANSWER);
	c->http->n_waiting -= (size_t)(c->state == CONN_ANSWER);
	c->state = state;
	c->since_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&c->http->conns[state], c, link);
}

void
conn_set_reading(struct conn *c, bool on)
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
conn_open(struct http *h, int fd, bool health, uint16_t place)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->http = h;
	c->fd = fd;
	c->health = health;
	c->place = place;
	buf_init(&c->in, 0); /* on_read() says how much */
	buf_init(&c->head, 0);
	event_assign(&c->read, h->base, fd, EV_READ | EV_PERSIST, on_read, c);
	event_assign(&c->write, h->base, fd, EV_WRITE | EV_PERSIST, answer_on_write, c);
	event_priority_set(&c->read, HTTP_PRIORITY);
	event_priority_set(&c->write, HTTP_PRIORITY);
	c->state = CONN_IDLE;
	c->since_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&h->conns[CONN_IDLE], c, link);
	h->n_conns++;
	conn_set_reading(c, true);
}

/* A body may hold a caller's key. */
static void
forget_body(struct conn *c)
{
	if (c->kept.data)
		secret_wipe(c->kept.data, c->kept.cap);
	buf_clear(&c->kept);
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
	answer_forget_request(c);
	answer_forget_output(c);
	buf_clear(&c->in);
	buf_clear(&c->head);
	forget_body(c);
	buf_clear(&c->stream.out);
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

struct str
conn_request_id(struct conn *c)
{
	char id[REQUESTS_ID_SIZE];

	if (c->request_id == NULL) {
		requests_new_id(&c->http->requests, id);
		c->request_id = xstrdup(id);
	}
	return str_of(c->request_id);
}

bool
conn_is_health(const struct conn *c)
{
	return c->health;
}

struct http *
conn_http(const struct conn *c)
{
	return c->http;
}

void
conn_wait(struct conn *c, void (*cancel)(void *arg), void *arg)
{
	c->cancel = cancel;
	c->cancel_arg = arg;
	conn_set_state(c, CONN_ANSWER);
}

static void
dispatch(struct conn *c, const struct http_request *r)
{
	struct http *h = c->http;

	c->origin = http_cors(h, r->origin);
	c->head_only = r->method == HTTP_HEAD;
	c->http10 = r->minor == 0;
	c->last = !r->keep_alive;
	c->lingering = false;
	form_read(&c->form, r);
	c->request_id = reply_clean_id(r->request_id);
	if (c->request_id == NULL)
		c->request_id = reply_clean_id(r->call_id);
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

	c->route = NULL;
	if (http_parse_head(p, head_len, &r, &status) < 0) {
		answer_refuse(c, status);
		return;
	}
	if (http_body_begin(&c->body, &r, route_max_body(c, &r)) < 0) {
		answer_refuse(c, 413);
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
		answer_refuse(c, err == ERR_LIMIT ? 413 : 400);
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
			conn_set_state(c, CONN_REQUEST);
			break;
		}
		len = http_head_end(p + at, n - at, &c->scanned);
		if (len > limit || (len == 0 && n - at > limit)) {
			answer_refuse(c, 431);
			return n;
		}
		if (len == 0) {
			if (at < n && c->state == CONN_IDLE)
				conn_set_state(c, CONN_REQUEST);
			break;
		}
		c->scanned = 0;
		begin_request(c, p + at, len);
		at += len;
		if (c->in_body && c->state == CONN_IDLE)
			conn_set_state(c, CONN_REQUEST);
	}
	return at;
}

void
conn_go_on(struct conn *c)
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
		conn_set_reading(c, c->in.len < (size_t)http_setting(c->http, SETTING_HTTP_HEADER));
		break;
	case CONN_WRITE:
		conn_set_reading(c, false);
		break;
	case CONN_IDLE:
		conn_set_reading(c, c->in.len == 0);
		if (c->in.len > 0)
			event_active(&c->read, EV_READ, 1); /* its turn is over; others first */
		break;
	default:
		conn_set_reading(c, true);
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
		conn_set_reading(c, false);
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
	conn_go_on(c);
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
				c->in_body = false;
				buf_clear(&c->in);
				answer_refuse(c, 408);
				conn_go_on(c);
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
