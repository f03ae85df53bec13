/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames over a STREAM socket pair. A descriptor travels with the first byte of its frame, so the
 * bytes before it leave in a call of their own.
 */
#include "shared/peer.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "shared/secret.h"
#include "shared/wire.h"

#define READ_BYTES 8192 /* some 20 results: others wait for them 0.15 ms */
#define KEPT_OUT ((size_t)256 << 10) /* of the buffer for what is sent */
#define READS_PER_TURN 1 /* others have events too; what is left comes in the next turn */
#define MAX_QUEUED ((size_t)64 << 20)
#define MAX_FDS 128 /* 64 workers, 16 listeners, and room */

struct fd_queue {
	struct {
		int fd;
		uint64_t at; /* to be sent: stream position of the byte that it travels with */
	} v[MAX_FDS];
	size_t n;
};

enum peer_state {
	PEER_OPEN,
	PEER_CLOSED, /* the handler knows or is about to */
};

struct peer {
	enum role me, them;
	char *name;
	int fd;
	enum peer_state state;
	int depth;    /* > 0 while one of our callbacks runs */
	bool free_me; /* peer_free() was called meanwhile */
	bool told;    /* the handler got its NULL */
	bool secrets; /* CONF_TARGET passed through: wipe the buffers */
	struct event *read_ev, *write_ev;
	bool flush_due;
	struct buf in, out;
	size_t in_start;  /* bytes of `in` that are handled */
	uint64_t out_pos; /* stream position of out.data[0] */
	size_t max_queued;
	struct fd_queue in_fds, out_fds;
	struct wire_decoder *decoder;
	peer_handler handler;
	void *arg;
};

static void
fd_queue_drop(struct fd_queue *q, size_t n)
{
	for (size_t i = n; i < q->n; i++)
		q->v[i - n] = q->v[i];
	q->n -= n;
}

static void
fd_queue_clear(struct fd_queue *q)
{
	for (size_t i = 0; i < q->n; i++)
		close(q->v[i].fd);
	q->n = 0;
}

static void
buf_wipe(struct peer *p, struct buf *b)
{
	if (p->secrets && b->data)
		secret_wipe(b->data, b->cap);
	buf_clear(b);
}

static void
peer_destroy(struct peer *p)
{
	if (p->read_ev)
		event_free(p->read_ev);
	if (p->write_ev)
		event_free(p->write_ev);
	if (p->fd >= 0)
		close(p->fd);
	fd_queue_clear(&p->in_fds);
	fd_queue_clear(&p->out_fds);
	buf_wipe(p, &p->in);
	buf_wipe(p, &p->out);
	wire_decoder_free(p->decoder);
	free(p->name);
	free(p);
}

/* The socket is of no more use. The handler is told by leave(), from the loop. */
static void
peer_close(struct peer *p)
{
	if (p->state == PEER_CLOSED)
		return;
	p->state = PEER_CLOSED;
	event_del(p->read_ev);
	event_del(p->write_ev);
	close(p->fd);
	p->fd = -1;
	/* The handler is told in a turn of its own: never inside somebody's peer_send(). */
	event_active(p->read_ev, EV_TIMEOUT, 0);
}

static void
enter(struct peer *p)
{
	p->depth++;
}

/* Returns whether the peer is still there. */
static bool
leave(struct peer *p)
{
	if (--p->depth == 0 && p->free_me) {
		peer_destroy(p);
		return false;
	}
	return true;
}

static void
throw_out(struct peer *p, const char *what, int err, unsigned type)
{
	const struct msg_row *row = msg_row(type);

	log_event(LOG_LEVEL_ERROR, "peer_malformed", LS("peer", p->name), LS("found", what),
	    LS("error", err_text(err)), LS("message", row ? row->name : "unknown"),
	    LI("number", type));
	peer_close(p);
}

/* Handles one frame at the start of what is unread. Returns whether there was a whole one. */
static bool
handle_frame(struct peer *p)
{
	const unsigned char *at = (const unsigned char *)p->in.data + p->in_start;
	size_t have = p->in.len - p->in_start;
	const struct msg_row *row;
	struct wire_header h;
	struct msg m = { 0 };
	int rc;

	if (have < WIRE_HEADER_BYTES)
		return false;
	wire_header_read(at, &h);
	rc = wire_header_check(&h, p->them, p->me);
	if (rc < 0) {
		throw_out(p, "header", rc, h.type);
		return false;
	}
	if (have < WIRE_HEADER_BYTES + (size_t)h.length)
		return false;
	row = msg_row(h.type);
	m.type = row->type;
	m.id = h.id;
	m.fd = -1;
	if (m.type == MSG_CONF_TARGET)
		p->secrets = true;
	/* Descriptors arrive with or before the last byte of their frame, in the frames' order. */
	if (row->fds > 0) {
		if (p->in_fds.n == 0) {
			throw_out(p, "no descriptor", ERR_SYNTAX, h.type);
			return false;
		}
		m.fd = p->in_fds.v[0].fd;
		fd_queue_drop(&p->in_fds, 1);
	}
	rc = wire_decode(p->decoder, m.type, at + WIRE_HEADER_BYTES, h.length, &m.body);
	if (rc < 0) {
		if (m.fd >= 0)
			close(m.fd);
		throw_out(p, "body", rc, h.type);
		return false;
	}
	p->in_start += WIRE_HEADER_BYTES + h.length;
	p->handler(p, &m, p->arg);
	return true;
}

static void
take_fds(struct peer *p, struct msghdr *mh)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (p->in_fds.n == MAX_FDS) {
				close(fd);
				continue;
			}
			p->in_fds.v[p->in_fds.n++].fd = fd;
		}
	}
}

/* Receives once. Returns bytes, 0 when there is nothing now, -1 when the other end is gone. */
static ssize_t
receive(struct peer *p)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * 8)];
	} control;
	struct iovec iov;
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	ssize_t n;

	if (p->in_start > 0) {
		if (p->secrets)
			secret_wipe(p->in.data, p->in_start);
		buf_drain(&p->in, p->in_start);
		p->in_start = 0;
	}
	iov.iov_base = buf_reserve(&p->in, READ_BYTES);
	iov.iov_len = READ_BYTES;
	if (iov.iov_base == NULL)
		return -1;
	n = recvmsg(p->fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	take_fds(p, &mh);
	if (n == 0)
		return -1;
	buf_commit(&p->in, (size_t)n);
	return n;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	ssize_t n = 1;

	enter(p);
	for (int i = 0; i < READS_PER_TURN && p->state == PEER_OPEN && n > 0 && !p->free_me; i++) {
		n = receive(p);
		while (p->state == PEER_OPEN && !p->free_me && handle_frame(p))
			;
		if (p->state == PEER_OPEN && !p->free_me && p->in_fds.n > 0 &&
		    p->in_start == p->in.len)
			throw_out(p, "descriptors that no message names", ERR_SYNTAX, 0);
		if (n < 0 && p->state == PEER_OPEN)
			peer_close(p);
		if (n < READ_BYTES)
			break;
	}
	if (p->state == PEER_CLOSED && !p->told && !p->free_me) {
		p->told = true;
		p->handler(p, NULL, p->arg);
	}
	(void)leave(p);
}

/* Sends what may leave in one call. Returns bytes, 0 when the kernel takes none now, -1 when gone.
 */
static ssize_t
transmit(struct peer *p)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { p->out.data, p->out.len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	bool with_fd = false;
	ssize_t n;

	if (p->out_fds.n > 0) {
		uint64_t until = p->out_fds.v[0].at - p->out_pos;

		if (until == 0) {
			with_fd = true;
			mh.msg_control = &control;
			mh.msg_controllen = sizeof(control);
			c = CMSG_FIRSTHDR(&mh);
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(sizeof(int));
			memcpy(CMSG_DATA(c), &p->out_fds.v[0].fd, sizeof(int));
			until = p->out_fds.n > 1 ? p->out_fds.v[1].at - p->out_pos : p->out.len;
		}
		if (until < iov.iov_len)
			iov.iov_len = until;
	}
	n = sendmsg(p->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (with_fd) {
		close(p->out_fds.v[0].fd);
		fd_queue_drop(&p->out_fds, 1);
	}
	p->out_pos += (uint64_t)n;
	if (p->secrets)
		secret_wipe(p->out.data, (size_t)n);
	buf_drain(&p->out, (size_t)n);
	/* After a burst (a configuration is one) its memory is not kept for the next. */
	if (p->out.len == 0 && p->out.cap > KEPT_OUT)
		buf_wipe(p, &p->out);
	return n;
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	ssize_t n = 1;

	p->flush_due = false;
	enter(p);
	while (p->state == PEER_OPEN && p->out.len > 0 && n > 0)
		n = transmit(p);
	if (n < 0)
		peer_close(p);
	else if (p->state == PEER_OPEN && p->out.len > 0)
		event_add(p->write_ev, NULL);
	(void)leave(p);
}

struct peer *
peer_new(struct event_base *base, int fd, enum role me, enum role them, const char *name,
    peer_handler handler, void *arg)
{
	struct peer *p = xcalloc(1, sizeof(*p));

	p->me = me;
	p->them = them;
	p->name = xstrdup(name);
	p->fd = fd;
	p->max_queued = MAX_QUEUED;
	p->handler = handler;
	p->arg = arg;
	p->decoder = wire_decoder_new();
	/* A whole frame of the largest kind and one more read must fit. */
	buf_init(&p->in, ((size_t)2 << 20) + READ_BYTES);
	buf_init(&p->out, SIZE_MAX / 2);
	evutil_make_socket_nonblocking(fd);
	evutil_make_socket_closeonexec(fd);
	p->read_ev = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, p);
	p->write_ev = event_new(base, fd, EV_WRITE, on_writable, p);
	if (p->read_ev == NULL || p->write_ev == NULL || event_add(p->read_ev, NULL) < 0)
		fatal("cannot watch the socket of %s", name);
	return p;
}

void
peer_free(struct peer *p)
{
	if (p == NULL)
		return;
	if (p->depth > 0) {
		p->free_me = true;
		return;
	}
	peer_destroy(p);
}

int
peer_send_fd(struct peer *p, enum msg_type type, uint32_t id, const void *m, int fd)
{
	const struct msg_row *row = msg_row(type);
	uint64_t at = p->out_pos + p->out.len;
	int copy = -1, rc;

	if (p->state != PEER_OPEN)
		return ERR_CLOSED;
	if (row == NULL || !(row->from & p->me) || !(row->to & p->them) ||
	    (fd >= 0) != (row->fds > 0))
		return ERR_DENIED;
	if (p->out.len >= p->max_queued || (fd >= 0 && p->out_fds.n == MAX_FDS))
		return ERR_LIMIT;
	if (fd >= 0) {
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (copy < 0)
			return ERR_IO;
	}
	rc = wire_encode(&p->out, type, id, m);
	if (rc < 0) {
		if (copy >= 0)
			close(copy);
		return rc;
	}
	if (copy >= 0) {
		p->out_fds.v[p->out_fds.n].fd = copy;
		p->out_fds.v[p->out_fds.n++].at = at;
	}
	if (type == MSG_CONF_TARGET)
		p->secrets = true;
	if (!p->flush_due) {
		p->flush_due = true;
		event_active(p->write_ev, EV_WRITE, 0);
	}
	return 0;
}

int
peer_send(struct peer *p, enum msg_type type, uint32_t id, const void *m)
{
	return peer_send_fd(p, type, id, m, -1);
}

int
peer_flush(struct peer *p, int timeout_ms)
{
	int64_t deadline = clock_mono_ms() + timeout_ms;

	while (p->state == PEER_OPEN && p->out.len > 0) {
		struct pollfd pfd = { .fd = p->fd, .events = POLLOUT };
		int64_t left = deadline - clock_mono_ms();

		if (transmit(p) < 0) {
			peer_close(p);
			return ERR_CLOSED;
		}
		if (p->out.len == 0)
			break;
		if (left <= 0)
			return ERR_AGAIN;
		(void)poll(&pfd, 1, (int)left);
	}
	return p->state == PEER_OPEN ? 0 : ERR_CLOSED;
}

size_t
peer_queued(const struct peer *p)
{
	return p->out.len;
}

void
peer_set_max_queued(struct peer *p, size_t max)
{
	p->max_queued = max;
}
