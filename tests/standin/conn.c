/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection's life: handshake, reading, waiting, sending, and the ways of ending. Reads go
 * through one shared buffer and are answered from there; a connection owns memory only while a
 * request is in pieces or an answer does not fit the socket.
 */
#include "tests/standin/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/standin/conn_internal.h"

#define READ_SIZE (64 * 1024)
#define READS_A_TURN 16
#define SEND_A_TURN (1024 * 1024)
#define IN_MAX (REQUEST_HEAD_MAX + REQUEST_BODY_MAX + REQUEST_BODY_MAX / 2)
#define IN_WHILE_BUSY_MAX (256 * 1024)
#define DRAIN_MS 1000

static char read_bytes[READ_SIZE];

static void conn_resume(struct conn *c);
static void send_reply(struct conn *c);

static void
count_end_of_request(struct conn *c)
{
	if (c->busy)
		c->server->standin.in_flight--;
	c->busy = false;
}

static void
conn_close(struct conn *c)
{
	struct standin *s = &c->server->standin;

	if (c->state == CONN_CLOSED)
		return;
	c->state = CONN_CLOSED;
	event_del(&c->ev_read);
	event_del(&c->ev_write);
	event_del(&c->ev_timer);
	count_end_of_request(c);
	if (!c->control)
		s->open_connections--;
	sock_close(&c->sock);
	*c->prev = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	c->next = c->server->dead;
	c->server->dead = c;
	event_active(&c->server->ev_reap, EV_TIMEOUT, 1);
}

static void
free_dead(struct server *server)
{
	struct conn *c;

	while ((c = server->dead) != NULL) {
		server->dead = c->next;
		reply_clear(&c->reply);
		if (c->event != NULL)
			reply_clear(c->event);
		free(c->event);
		buf_clear(&c->in);
		free(c);
	}
}

static void
reap_cb(evutil_socket_t fd, short what, void *arg)
{
	free_dead(arg);
}

static void
stop_reading(struct conn *c)
{
	if (c->reading)
		event_del(&c->ev_read);
	c->reading = false;
}

static void
start_reading(struct conn *c)
{
	if (c->reading || c->ended)
		return;
	event_add(&c->ev_read, NULL);
	c->reading = true;
	if (sock_has_pending(&c->sock))
		event_active(&c->ev_read, EV_READ, 1);
}

static void
start_timer(struct conn *c, uint64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };
	struct standin *s = &c->server->standin;

	event_add(&c->ev_timer,
	    c->server->common_delay != NULL && ms == s->latency_ms ? c->server->common_delay : &tv);
}

/* All that was to be sent is sent: what the reply wants next. */
static void
end_reply(struct conn *c)
{
	enum then then = c->reply.then;

	if (then == THEN_HANG) {
		c->state = CONN_HANG;
		return;
	}
	if (c->reply.event != NULL) {
		c->event = c->reply.event;
		c->needs = c->reply.needs;
		c->reply.event = NULL;
		c->server->standin.websockets++;
	}
	count_end_of_request(c);
	reply_clear(&c->reply);
	switch (then) {
	case THEN_KEEP:
		c->state = CONN_READ;
		break;
	case THEN_TALK:
		c->state = CONN_TALK;
		if (c->event != NULL && *c->needs == '\0')
			talk_say_event(c);
		break;
	case THEN_CLOSE:
		sock_say_goodbye(&c->sock);
		c->state = CONN_DRAIN;
		start_timer(c, DRAIN_MS);
		start_reading(c);
		if (c->ended)
			conn_close(c);
		break;
	case THEN_RESET:
		sock_set_reset(&c->sock);
		conn_close(c);
		break;
	case THEN_CUT:
	case THEN_HANG: /* came back above */
		conn_close(c);
		break;
	}
}

/* The next bytes of the reply; false when there are none. */
static bool
next_bytes(const struct conn *c, const char **p, size_t *n)
{
	const struct reply *r = &c->reply;
	uint64_t at = c->sent, left;

	if (at >= r->limit)
		return false;
	if (at < r->pre.n) {
		*p = r->pre.p + at;
		left = r->pre.n - at;
	} else if (at - r->pre.n < r->fill) {
		uint64_t into = (at - r->pre.n) % r->pattern.n;

		*p = r->pattern.p + into;
		left = r->pattern.n - into;
		if (left > r->fill - (at - r->pre.n))
			left = r->fill - (at - r->pre.n);
	} else if (at - r->pre.n - r->fill < r->post.n) {
		*p = r->post.p + (at - r->pre.n - r->fill);
		left = r->post.n - (at - r->pre.n - r->fill);
	} else {
		return false;
	}
	if (left > r->limit - at)
		left = r->limit - at;
	if (r->drip_bytes > 0 && left > c->drip_left)
		left = c->drip_left;
	*n = (size_t)left;
	return true;
}

static void
send_reply(struct conn *c)
{
	uint64_t turn = 0;
	const char *p;
	size_t n;
	ssize_t done;

	while (next_bytes(c, &p, &n)) {
		if (n == 0) { /* the drop has fallen */
			c->state = CONN_WAIT;
			start_timer(c, c->reply.drip_ms);
			return;
		}
		done = turn < SEND_A_TURN ? sock_send(&c->sock, p, n) : SOCK_AGAIN;
		if (done == SOCK_AGAIN) {
			c->state = CONN_SEND;
			event_add(&c->ev_write, NULL);
			return;
		}
		if (done < 0) {
			conn_close(c);
			return;
		}
		c->sent += (uint64_t)done;
		c->drip_left -= c->reply.drip_bytes > 0 ? (uint64_t)done : 0;
		turn += (uint64_t)done;
	}
	end_reply(c);
}

void
conn_start_reply(struct conn *c)
{
	c->state = CONN_SEND;
	c->sent = 0;
	c->drip_left = c->reply.drip_bytes;
	if (c->reply.id != NULL)
		reply_write_id(c->reply.id, c->number);
	send_reply(c);
}

static void
uncount(struct conn *c)
{
	struct standin *s = &c->server->standin;

	c->control = true;
	s->connections--;
	s->open_connections--;
	if (s->peak_open_connections == c->peak_before + 1)
		s->peak_open_connections = c->peak_before;
}

static void
answer(struct conn *c, const struct request *r)
{
	struct standin *s = &c->server->standin;

	if (answer_is_control(r)) {
		if (!c->control)
			uncount(c);
		control_request(s, r, &c->reply);
	} else {
		answer_request(s, r, &c->reply);
		c->busy = true;
		c->number = s->requests;
		if (++s->in_flight > s->peak_in_flight)
			s->peak_in_flight = s->in_flight;
	}
	if (c->reply.delay_ms > 0) {
		c->state = CONN_WAIT;
		start_timer(c, c->reply.delay_ms);
		c->sent = UINT64_MAX; /* nothing yet */
		return;
	}
	conn_start_reply(c);
}

static void
refuse(struct conn *c, int err, const struct request *r)
{
	c->server->standin.bad_requests++;
	if (err != ERR_LIMIT)
		reply_make_refusal(&c->reply, 400, "that is no HTTP/1 request");
	else if (r->head_len > 0 || r->content_length > REQUEST_BODY_MAX)
		reply_make_refusal(&c->reply, 413, "the body is too large");
	else
		reply_make_refusal(&c->reply, 431, "the head is too large");
	conn_start_reply(c);
}

/* The length of the request at p, with its body in place; ERR_AGAIN and the others as request.h
 * says. */
static int
read_request(struct conn *c, struct request *r, char *p, size_t n, size_t *len)
{
	int err = request_read_head(r, p, n);

	if (err == ERR_AGAIN)
		c->want = n + 1;
	if (err != 0)
		return err;
	if (r->chunked) {
		err = request_read_chunks(p + r->head_len, n - r->head_len, &c->chunk_at);
		*len = r->head_len + c->chunk_at;
		c->want = n + 1;
	} else {
		*len = r->head_len + r->content_length;
		c->want = *len;
		err = n < *len ? ERR_AGAIN : 0;
	}
	if (err == ERR_AGAIN && r->expect_continue && !c->continued) {
		c->continued = true;
		if (!answer_stalls_continue(&c->server->standin, r) &&
		    sock_send(&c->sock, "HTTP/1.1 100 Continue\r\n\r\n", 25) == SOCK_BROKEN)
			return ERR_CLOSED;
	}
	if (err != 0)
		return err;
	r->body = (struct str){ p + r->head_len, *len - r->head_len };
	if (r->chunked)
		r->body.n = request_join_chunks(p + r->head_len, r->body.n);
	c->want = c->chunk_at = 0;
	c->continued = false;
	return 0;
}

/* Answers the requests in p until one has to wait; how many bytes they took. */
static size_t
read_requests(struct conn *c, char *p, size_t n)
{
	struct request r;
	size_t at = 0, len = 0;
	int err;

	while (c->state == CONN_READ && at < n && n - at >= c->want) {
		err = read_request(c, &r, p + at, n - at, &len);
		if (err == ERR_AGAIN)
			break;
		if (err != 0) {
			if (err == ERR_CLOSED)
				conn_close(c);
			else
				refuse(c, err, &r);
			return n;
		}
		answer(c, &r);
		at += len;
	}
	return at;
}

/* Goes on with what has been read already, then with reading. */
static void
conn_resume(struct conn *c)
{
	if (c->state == CONN_READ && c->in.len > 0) {
		buf_drain(&c->in, read_requests(c, c->in.data, c->in.len));
		if (c->in.len == 0 && c->in.cap > 0)
			buf_clear(&c->in);
	}
	while (c->state == CONN_TALK && c->in.len > 0 && talk_listen(c))
		;
	if ((c->state == CONN_READ || c->state == CONN_TALK) && c->ended)
		conn_close(c);
	if (c->state == CONN_READ || c->state == CONN_TALK)
		start_reading(c);
}

static void
take_bytes(struct conn *c, char *p, size_t n)
{
	size_t used = 0;

	if (c->state == CONN_DRAIN)
		return;
	if (c->state == CONN_READ && c->in.len == 0)
		used = read_requests(c, p, n);
	if (c->state == CONN_CLOSED || used == n)
		return;
	buf_add(&c->in, p + used, n - used);
	if (!buf_ok(&c->in)) {
		conn_close(c);
		return;
	}
	if (used == 0 || c->state == CONN_TALK)
		conn_resume(c);
	if (c->state != CONN_READ && c->state != CONN_CLOSED && c->in.len > IN_WHILE_BUSY_MAX)
		stop_reading(c);
}

/* The client has closed its side or is gone. */
static void
client_ended(struct conn *c, bool broken)
{
	c->ended = true;
	stop_reading(c);
	/* An answer on its way is finished; one that is not ready yet nobody waits for any more. */
	if (broken || c->state != CONN_SEND || c->reply.fill == UINT64_MAX)
		conn_close(c);
}

static void
handshake(struct conn *c)
{
	struct standin *s = &c->server->standin;
	bool wants_write = false;

	switch (sock_handshake(&c->sock, &wants_write)) {
	case 0:
		s->tls_handshakes++;
		s->tls_resumed += SSL_session_reused(c->sock.ssl) != 0;
		c->state = CONN_READ;
		break;
	case SOCK_AGAIN:
		if (wants_write)
			event_add(&c->ev_write, NULL);
		break;
	default:
		s->tls_failures++;
		conn_close(c);
		break;
	}
}

static void
read_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	ssize_t n;

	if (c->state == CONN_HANDSHAKE) {
		handshake(c);
		if (c->state != CONN_READ)
			return;
	}
	for (int i = 0; i < READS_A_TURN && c->reading; i++) {
		n = sock_recv(&c->sock, read_bytes, sizeof(read_bytes));
		if (n == SOCK_AGAIN)
			return;
		if (n <= 0) {
			client_ended(c, n != 0);
			return;
		}
		take_bytes(c, read_bytes, (size_t)n);
		if (c->state == CONN_CLOSED)
			return;
		if (c->sock.ssl == NULL && (size_t)n < sizeof(read_bytes))
			return;
	}
	if (c->reading && sock_has_pending(&c->sock))
		event_active(&c->ev_read, EV_READ, 1);
}

static void
write_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	if (c->state == CONN_HANDSHAKE) {
		read_cb(fd, what, arg);
		return;
	}
	if (c->state == CONN_SEND)
		send_reply(c);
	conn_resume(c);
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	if (c->state == CONN_DRAIN) {
		conn_close(c);
		return;
	}
	if (c->sent == UINT64_MAX) {
		conn_start_reply(c);
	} else {
		c->drip_left = c->reply.drip_bytes;
		send_reply(c);
	}
	conn_resume(c);
}

static void
open_conn(struct listener *l, int fd)
{
	struct server *server = l->server;
	struct standin *s = &server->standin;
	struct conn *c = xcalloc(1, sizeof(*c));

	c->server = server;
	buf_init(&c->in, IN_MAX);
	event_assign(&c->ev_read, server->base, fd, EV_READ | EV_PERSIST, read_cb, c);
	event_assign(&c->ev_write, server->base, fd, EV_WRITE, write_cb, c);
	event_assign(&c->ev_timer, server->base, -1, 0, timer_cb, c);
	c->next = server->conns;
	c->prev = &server->conns;
	if (c->next != NULL)
		c->next->prev = &c->next;
	server->conns = c;
	s->connections++;
	c->peak_before = s->peak_open_connections;
	if (++s->open_connections > s->peak_open_connections)
		s->peak_open_connections = s->open_connections;
	c->state = l->tls ? CONN_HANDSHAKE : CONN_READ;
	if (sock_open(&c->sock, fd, l->tls) != 0)
		conn_close(c);
	else
		start_reading(c);
}

static void
accept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;
	struct timeval soon = { 0, 10000 };

	for (int i = 0; i < 64; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (client >= 0) {
			open_conn(l, client);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			event_del(&l->ev);
			event_add(&l->ev_again, &soon);
		}
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

static void
again_cb(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	event_add(&l->ev, NULL);
}

void
server_init(struct server *server, struct event_base *base)
{
	uint32_t ms = server->standin.latency_ms;
	struct timeval tv = { ms / 1000, (suseconds_t)(ms % 1000 * 1000) };

	server->base = base;
	if (ms > 0)
		server->common_delay = event_base_init_common_timeout(base, &tv);
	event_assign(&server->ev_reap, base, -1, 0, reap_cb, server);
}

void
server_clear(struct server *server)
{
	for (size_t i = 0; i < server->listener_count; i++) {
		event_del(&server->listeners[i].ev);
		event_del(&server->listeners[i].ev_again);
		close(server->listeners[i].fd);
	}
	while (server->conns != NULL)
		conn_close(server->conns);
	event_del(&server->ev_reap);
	free_dead(server);
}

int
server_listen(struct server *server, const char *where, SSL_CTX *tls, unsigned *port)
{
	struct listener *l = &server->listeners[server->listener_count];
	int err;

	if (server->listener_count == SERVER_LISTENERS_MAX)
		return ERR_LIMIT;
	err = sock_listen(where, &l->fd, port);
	if (err != 0)
		return err;
	l->server = server;
	l->tls = tls;
	event_assign(&l->ev, server->base, l->fd, EV_READ | EV_PERSIST, accept_cb, l);
	event_assign(&l->ev_again, server->base, -1, 0, again_cb, l);
	event_add(&l->ev, NULL);
	server->listener_count++;
	return 0;
}
