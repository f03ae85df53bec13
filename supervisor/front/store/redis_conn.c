/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection's states, each with what its timer means:
 *
 *   FINDING, RESOLVING, CONNECTING, GREETING   must be over by then
 *   READY                             an answer is overdue when nothing came meanwhile
 *   FAILED                            (for the rest of this turn) torn down in the next one
 *   WAITING                           the next attempt
 */
#include "supervisor/front/store/redis_conn.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/secret.h"
#include "supervisor/front/store/redis_conn_state.h"
#include "supervisor/front/store/redis_counts.h"
#include "supervisor/front/store/redis_resolve.h"
#include "supervisor/front/store/redis_tls.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define AHEAD_BYTES 65536
#define AHEAD_READS 64

static void start(struct redis_conn *c);

static void
set_timer(struct redis_conn *c, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(c->timer, &tv);
}

static void
set_state(struct redis_conn *c, enum redis_conn_state state)
{
	static const char *const names[] = { "finding", "resolving", "connecting", "greeting",
		"ready", "failed", "waiting" };

	log_event(LOG_LEVEL_DEBUG, "redis_state", LS("connection", c->name),
	    LS("from", names[c->state]), LS("to", names[state]));
	c->state = state;
	switch (state) {
	case FINDING:
	case RESOLVING:
	case CONNECTING:
	case GREETING:
		set_timer(c, c->timeout_ms);
		break;
	case READY:
		c->was_ready = true;
		if (c->counts)
			c->counts->connects++;
		c->progress_ms = clock_mono_ms();
		set_timer(c, c->timeout_ms);
		break;
	case FAILED:
		event_del(c->timer);
		if (c->bev)
			bufferevent_disable(c->bev, EV_READ | EV_WRITE);
		event_active(c->turn, EV_TIMEOUT, 0);
		break;
	case WAITING:
		break;
	}
}

static void
fail(struct redis_conn *c, const char *why)
{
	if (c->state == FAILED || c->state == WAITING)
		return;
	snprintf(c->why, sizeof(c->why), "%s", why);
	set_state(c, FAILED);
}

/* Half of it for sure, the other half by chance: instances do not come back in one beat. */
static int64_t
backoff_ms(const struct redis_conn *c)
{
	unsigned shift = c->failures < 10 ? c->failures : 10;
	int64_t ms = (int64_t)BACKOFF_MIN_MS << shift;
	uint32_t chance;

	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	evutil_secure_rng_get_bytes(&chance, sizeof(chance));
	return ms / 2 + chance % (ms / 2 + 1);
}

/* The turn after a failure: everything of this connection ends, then the next attempt is set. */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct redis_conn *c = arg;
	struct redis_waiting *queue = c->queue;
	size_t head = c->head, n = c->waiting, cap = c->cap;
	bool was_ready = c->was_ready;

	if (c->state != FAILED)
		return;
	redis_resolve_cancel(c->resolve);
	c->resolve = NULL;
	if (c->bev)
		bufferevent_free(c->bev);
	c->bev = NULL;
	if (c->reader)
		redisReaderFree(c->reader);
	c->reader = NULL;
	c->queue = NULL;
	c->head = c->waiting = c->cap = 0;
	c->was_ready = false;
	if (c->counts)
		c->counts->lost += n;
	/* The same trouble again is said once, also when two of them take turns. */
	if (strcmp(c->why, c->said[0]) != 0 && strcmp(c->why, c->said[1]) != 0) {
		log_event(LOG_LEVEL_WARNING, "redis_disconnected", LS("connection", c->name),
		    LS("why", c->why));
		memcpy(c->said[1], c->said[0], sizeof(c->said[1]));
		memcpy(c->said[0], c->why, sizeof(c->said[0]));
	}
	set_state(c, WAITING);
	set_timer(c, c->moved_host[0] ? 0 : backoff_ms(c));
	c->failures++;
	c->attempt++;
	if (was_ready)
		c->events.lost(c->why, c->arg);
	for (size_t i = 0; i < n; i++) {
		struct redis_waiting *w = &queue[(head + i) & (cap - 1)];

		if (w->cb)
			w->cb(NULL, w->arg);
	}
	free(queue);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct redis_conn *c = arg;
	int64_t idle;

	switch (c->state) {
	case FINDING:
		fail(c, "nobody says where the server is");
		break;
	case RESOLVING:
	case CONNECTING:
		fail(c, "no connection in time");
		break;
	case GREETING:
		fail(c, "no answer in time");
		break;
	case READY:
		idle = c->waiting ? clock_mono_ms() - c->progress_ms : 0;
		if (idle >= c->timeout_ms)
			fail(c, "no answer in time");
		else
			set_timer(c, c->timeout_ms - idle);
		break;
	case WAITING:
		start(c);
		break;
	case FAILED:
		break;
	}
}

/* Replies. */

static void
follow(struct redis_conn *c, const struct redisReply *r)
{
	if (!redis_error_node(r, c->moved_host, sizeof(c->moved_host), &c->moved_port))
		c->moved_host[0] = '\0';
	if (!c->said_cluster)
		log_event(LOG_LEVEL_WARNING, "redis_is_a_cluster", LS("connection", c->name),
		    LS("means", "the server is a node of a cluster: name it, or several of them, in "
				"llmhealth.redis.cluster instead"));
	c->said_cluster = true;
	fail(c, "MOVED");
}

static void
take_reply(struct redis_conn *c, const struct redisReply *r)
{
	enum redis_error e = redis_error_of(r);
	struct redis_waiting w;

	if (c->subscriber && str_is(redis_reply_text(redis_reply_at(r, 0)), "message")) {
		if (c->state == READY && c->events.message)
			c->events.message(r, c->arg);
		return;
	}
	if (c->waiting == 0) {
		fail(c, e == REDIS_ERROR_NONE ? "an answer that nobody asked for"
					      : redis_error_name(e));
		return;
	}
	w = c->queue[c->head];
	c->head = (c->head + 1) & (c->cap - 1);
	c->waiting--;
	c->progress_ms = clock_mono_ms();
	if (c->counts)
		redis_counts_answer(c->counts, w.sent_us);
	if (w.cb)
		w.cb(r, w.arg);
	if (redis_error_action(e) == REDIS_RECONNECT)
		fail(c, redis_error_name(e));
	else if (redis_error_action(e) == REDIS_MOVE && !c->cluster)
		follow(c, r);
}

static void
feed(struct redis_conn *c, const void *p, size_t n)
{
	void *reply = NULL;

	if (redisReaderFeed(c->reader, p, n) != REDIS_OK) {
		fail(c, "malformed answer");
		return;
	}
	/* A long answer that keeps coming is not late. */
	if (c->unread / AHEAD_BYTES != (c->unread + n) / AHEAD_BYTES)
		c->progress_ms = clock_mono_ms();
	c->unread += n;
	while (c->state < FAILED) {
		if (redisReaderGetReply(c->reader, &reply) != REDIS_OK) {
			fail(c, "malformed answer");
			break;
		}
		if (reply == NULL)
			break;
		c->unread = 0;
		take_reply(c, reply);
		freeReplyObject(reply);
	}
	if (c->unread > REDIS_REPLY_MAX)
		fail(c, REDIS_TOO_LONG);
}

/* libevent takes 4 kB in a turn of the loop: a long answer's rest is taken at once. */
static void
read_ahead(struct redis_conn *c)
{
	static char piece[AHEAD_BYTES];
	ssize_t n = 1;

	for (int i = 0; i < AHEAD_READS && c->state < FAILED && c->unread > 0 && n > 0; i++) {
		n = recv(bufferevent_getfd(c->bev), piece, sizeof(piece), MSG_DONTWAIT);
		/* An end and errors are left to libevent. */
		if (n > 0)
			feed(c, piece, (size_t)n);
	}
}

static void
on_read(struct bufferevent *bev, void *arg)
{
	struct redis_conn *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	struct evbuffer_iovec chunk;

	while (c->state < FAILED && evbuffer_peek(in, -1, NULL, &chunk, 1) > 0) {
		feed(c, chunk.iov_base, chunk.iov_len);
		evbuffer_drain(in, chunk.iov_len);
	}
	if (c->tls == NULL)
		read_ahead(c);
}

/* Greeting. */

static void
on_greeted(const struct redisReply *r, void *arg)
{
	struct redis_conn *c = arg;

	if (r == NULL || c->state != GREETING)
		return;
	if (r->type == REDIS_REPLY_ERROR) {
		/* "ERR invalid password", "ERR DB index is out of range": no secret is in them. */
		char why[WHY_MAX];

		snprintf(why, sizeof(why), "%.*s", (int)r->len, r->str);
		fail(c, redis_error_of(r) == REDIS_ERROR_OTHER
			    ? why
			    : redis_error_name(redis_error_of(r)));
		return;
	}
	if (c->waiting > 0)
		return;
	set_state(c, READY);
	c->events.ready(c->arg);
}

/* "master", …; a user who may not ask is told by READONLY. */
static void
on_role(const struct redisReply *r, void *arg)
{
	struct redis_conn *c = arg;
	enum redis_error e = redis_error_of(r);
	struct str role = redis_reply_text(redis_reply_at(r, 0));

	if (r == NULL || c->state != GREETING || e == REDIS_ERROR_NOPERM)
		return;
	if (e != REDIS_ERROR_NONE)
		fail(c, redis_error_name(e));
	else if (!str_is(role, "master"))
		fail(c, "the server is a replica");
}

static void
greet(struct redis_conn *c)
{
	struct str args[3];
	char number[16];
	size_t n = 0;
	int rc = 0;

	set_state(c, GREETING);
	if (c->password) {
		args[n++] = STR("AUTH");
		if (*c->user)
			args[n++] = str_of(c->user);
		args[n++] = secret_reveal(c->password);
		rc = redis_conn_format(c, args, n, true);
		redis_conn_enqueue(c, on_greeted, c);
	}
	if (rc == 0 && c->database > 0) {
		snprintf(number, sizeof(number), "%d", c->database);
		args[0] = STR("SELECT");
		args[1] = str_of(number);
		rc = redis_conn_format(c, args, 2, false);
		redis_conn_enqueue(c, on_greeted, c);
	}
	if (rc == 0 && c->master) {
		args[0] = STR("ROLE");
		rc = redis_conn_format(c, args, 1, false);
		redis_conn_enqueue(c, on_role, c);
	}
	args[0] = STR("PING");
	if (rc == 0)
		rc = redis_conn_format(c, args, 1, false);
	redis_conn_enqueue(c, on_greeted, c);
	if (rc < 0)
		fail(c, "cannot greet");
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct redis_conn *c = arg;
	struct buf why = BUF_INIT(WHY_MAX);
	int one = 1;

	if (what & BEV_EVENT_CONNECTED) {
		if (c->unix_socket[0] == '\0')
			(void)setsockopt(
			    bufferevent_getfd(bev), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (c->state == CONNECTING)
			greet(c);
		return;
	}
	if (c->tls)
		redis_tls_error(bev, &why);
	if (why.len == 0)
		buf_add_text(&why, what & BEV_EVENT_EOF ? "closed by the server"
				   : errno		? strerror(errno)
							: "connection failed");
	fail(c, buf_text(&why));
	buf_clear(&why);
}

/* Connecting. */

static void
open_socket(struct redis_conn *c, const struct sockaddr *address, socklen_t n, const char *host)
{
	c->bev = c->tls ? redis_tls_bufferevent(c->tls, c->base, host)
			: bufferevent_socket_new(c->base, -1, BEV_OPT_CLOSE_ON_FREE);
	c->reader = redis_reader_new();
	c->unread = 0;
	set_state(c, CONNECTING);
	if (c->bev == NULL) {
		fail(c, "cannot make a connection");
		return;
	}
	bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	if (bufferevent_socket_connect(c->bev, address, (int)n) < 0)
		fail(c, strerror(errno));
}

static void
on_resolved(const struct sockaddr *address, socklen_t n, const char *why, void *arg)
{
	struct redis_conn *c = arg;

	c->resolve = NULL;
	if (n == 0)
		fail(c, why);
	else
		open_socket(c, address, n, c->moved_host[0] ? c->moved_host : c->host);
	c->moved_host[0] = '\0';
}

static void
start(struct redis_conn *c)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	bool moved = c->moved_host[0] != '\0';

	if (c->find && c->state != FINDING) {
		set_state(c, FINDING);
		c->find(c, c->find_arg);
		return;
	}
	set_state(c, RESOLVING);
	if (c->unix_socket[0] != '\0' && !moved) {
		if (strlen(c->unix_socket) >= sizeof(path.sun_path)) {
			fail(c, "the socket's path is too long");
			return;
		}
		strcpy(path.sun_path, c->unix_socket);
		open_socket(c, (const struct sockaddr *)&path, sizeof(path), "localhost");
		return;
	}
	if (redis_resolve_new(c->base, moved ? c->moved_host : c->host,
		moved ? c->moved_port : c->port, c->attempt, on_resolved, c, &c->resolve) < 0)
		fail(c, "cannot resolve the name");
}

void
redis_conn_found(struct redis_conn *c, const char *host, uint16_t port, const char *why)
{
	char *copy;

	if (c->state != FINDING)
		return;
	if (host == NULL) {
		fail(c, why);
		return;
	}
	copy = xstrdup(host); /* it may be our own */
	free(c->host);
	c->host = copy;
	c->port = port;
	start(c);
}

bool
redis_conn_searches(const struct redis_conn *c)
{
	return c && c->state == FINDING;
}

const char *
redis_conn_host(const struct redis_conn *c)
{
	return c->unix_socket[0] ? c->unix_socket : c->host;
}

uint16_t
redis_conn_port(const struct redis_conn *c)
{
	return c->unix_socket[0] ? 0 : c->port;
}

/* Life. */

int
redis_conn_new(struct event_base *base, const struct redis_conn_options *o,
    const struct redis_conn_events *events, void *arg, struct redis_conn **out)
{
	const struct redis_tls_options tls = { o->ca, o->cert, o->key, o->tls_verify };
	struct redis_conn *c = xcalloc(1, sizeof(*c));
	struct buf why = BUF_INIT(8192);
	int rc = 0;

	c->base = base;
	c->events = *events;
	c->arg = arg;
	c->name = xstrdup(o->name);
	c->unix_socket = xstrdup(o->unix_socket);
	c->host = xstrdup(o->host);
	c->port = o->port;
	c->user = xstrdup(o->user);
	if (o->password && secret_reveal(o->password).n > 0)
		c->password = secret_new(secret_reveal(o->password));
	c->database = o->database;
	c->timeout_ms = o->timeout_ms;
	c->subscriber = o->subscriber;
	c->counts = o->counts;
	c->master = o->master;
	c->cluster = o->cluster;
	c->find = o->find;
	c->find_arg = o->find_arg;
	c->state = WAITING;
	c->timer = evtimer_new(base, on_timer, c);
	c->turn = event_new(base, -1, 0, on_turn, c);
	if (c->timer == NULL || c->turn == NULL)
		fatal("cannot make a connection's events");
	if (o->tls)
		rc = redis_tls_new(&tls, &c->tls, &why);
	if (rc < 0) {
		log_event(LOG_LEVEL_ERROR, "redis_tls", LS("error", buf_text(&why)));
		redis_conn_free(c);
		c = NULL;
	} else {
		start(c);
	}
	buf_clear(&why);
	*out = c;
	return rc;
}

void
redis_conn_free(struct redis_conn *c)
{
	if (c == NULL)
		return;
	if (c->counts)
		c->counts->lost += c->waiting;
	redis_resolve_cancel(c->resolve);
	if (c->bev)
		bufferevent_free(c->bev);
	if (c->reader)
		redisReaderFree(c->reader);
	event_free(c->timer);
	event_free(c->turn);
	redis_tls_free(c->tls);
	secret_free(c->password);
	free(c->queue);
	free(c->name);
	free(c->unix_socket);
	free(c->host);
	free(c->user);
	free(c);
}

bool
redis_conn_ready(const struct redis_conn *c)
{
	return c && c->state == READY;
}

const char *
redis_conn_why(const struct redis_conn *c)
{
	return c->why;
}

void
redis_conn_good(struct redis_conn *c)
{
	c->failures = 0;
	c->said[0][0] = c->said[1][0] = '\0';
}

void
redis_conn_hurry(struct redis_conn *c)
{
	c->failures = 0;
	if (c->state == WAITING)
		set_timer(c, 0);
}

void
redis_conn_drop(struct redis_conn *c, const char *why)
{
	fail(c, why);
}
