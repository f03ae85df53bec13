/* SPDX-License-Identifier: Apache-2.0 */
/* Peers over a real socket pair: order, coalescing, descriptors, and what throws the other end out.
 */
#include "shared/peer.h"

#include "tests/unit/unit.h"

#include <event2/event.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/log.h"
#include "shared/wire.h"

struct seen {
	unsigned messages, gone;
	uint32_t last_job, last_id;
	int fd;
	struct peer *free_me; /* inside the handler */
};

struct fixture {
	struct event_base *base;
	struct peer *a, *b;
	struct seen at_a, at_b;
	int raw;  /* instead of a: the bare end of the pair */
	int b_fd; /* the peer's, to look at what has come */
};

static void
handler(struct peer *p, const struct msg *m, void *arg)
{
	struct seen *s = arg;

	if (m == NULL) {
		s->gone++;
		return;
	}
	s->messages++;
	s->last_id = m->id;
	if (m->type == MSG_JOB)
		s->last_job = ((const struct msg_job *)m->body)->job;
	if (m->fd >= 0) {
		if (s->fd >= 0)
			close(s->fd);
		s->fd = m->fd;
	}
	if (s->free_me) {
		peer_free(s->free_me);
		s->free_me = NULL;
	}
}

static void
make(struct fixture *f, enum role a, enum role b, bool raw)
{
	int sv[2];

	memset(f, 0, sizeof(*f));
	f->at_a.fd = f->at_b.fd = f->raw = -1;
	log_init("test", LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	f->base = event_base_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	if (raw)
		f->raw = sv[0];
	else
		f->a = peer_new(f->base, sv[0], a, b, "b", handler, &f->at_a);
	f->b_fd = sv[1];
	f->b = peer_new(f->base, sv[1], b, a, "a", handler, &f->at_b);
}

static void
unmake(struct fixture *f)
{
	peer_free(f->a);
	peer_free(f->b);
	if (f->raw >= 0)
		close(f->raw);
	if (f->at_b.fd >= 0)
		close(f->at_b.fd);
	event_base_free(f->base);
}

static void
turn(struct fixture *f, int times)
{
	while (times-- > 0)
		event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static void
test_order(void **state)
{
	struct fixture f;
	enum { N = 20000 };

	make(&f, ROLE_F, ROLE_W, false);
	for (uint32_t i = 1; i <= N; i++)
		assert_int_equal(peer_send(f.a, MSG_JOB, i, &(struct msg_job){ i, 1, i, STR("") }), 0);
	assert_true(peer_queued(f.a) > 0);
	for (int i = 0; i < 2000 && f.at_b.messages < N; i++)
		turn(&f, 1);
	assert_int_equal(f.at_b.messages, N);
	assert_int_equal(f.at_b.last_job, N);
	assert_int_equal(f.at_b.last_id, N);
	assert_int_equal(peer_queued(f.a), 0);
	peer_free(f.a);
	f.a = NULL;
	turn(&f, 3);
	assert_int_equal(f.at_b.gone, 1);
	turn(&f, 3);
	assert_int_equal(f.at_b.gone, 1);
	unmake(&f);
}

static void
test_descriptor(void **state)
{
	struct fixture f;
	struct stat mine, theirs;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	make(&f, ROLE_S, ROLE_W, false);
	assert_int_equal(peer_send_fd(f.a, MSG_PEER, 0, &(struct msg_peer){ 3, 4 }, null), 0);
	turn(&f, 5);
	assert_int_equal(f.at_b.messages, 1);
	assert_true(f.at_b.fd >= 0 && f.at_b.fd != null);
	assert_int_equal(fstat(null, &mine), 0);
	assert_int_equal(fstat(f.at_b.fd, &theirs), 0);
	assert_int_equal(mine.st_rdev, theirs.st_rdev);
	assert_true(fcntl(f.at_b.fd, F_GETFD) & FD_CLOEXEC);
	close(null);
	unmake(&f);
}

static void
test_denied(void **state)
{
	struct fixture f;

	make(&f, ROLE_W, ROLE_F, false);
	assert_int_equal(peer_send(f.a, MSG_JOB, 0, &(struct msg_job){ 1, 2, 3, STR("") }), ERR_DENIED);
	assert_int_equal(peer_queued(f.a), 0);
	unmake(&f);
}

static void
test_queue_limit(void **state)
{
	struct fixture f;
	int sent = 0;

	make(&f, ROLE_F, ROLE_W, false);
	peer_set_max_queued(f.a, 1000);
	while (peer_send(f.a, MSG_JOB, 0, &(struct msg_job){ 1, 2, 3, STR("") }) == 0)
		assert_true(++sent < 1000);
	assert_true(sent > 10);
	for (int i = 0; i < 100 && f.at_b.messages < (unsigned)sent; i++)
		turn(&f, 1);
	assert_int_equal(f.at_b.messages, sent);
	unmake(&f);
}

static void
test_free_inside_handler(void **state)
{
	struct fixture f;

	make(&f, ROLE_F, ROLE_W, false);
	f.at_b.free_me = f.b;
	for (int i = 0; i < 10; i++)
		assert_int_equal(peer_send(f.a, MSG_JOB, 0, &(struct msg_job){ 1, 2, 3, STR("") }), 0);
	turn(&f, 5);
	assert_int_equal(f.at_b.messages, 1);
	f.b = NULL;
	assert_int_equal(f.at_a.gone, 1);
	unmake(&f);
}

/* Each is written by a bare end of the pair; the peer throws it out and hears nothing more from it.
 */
static void
test_malformed(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		unsigned messages;
		bool eof;
	} cases[] = {
		{ "\0\0\0\5\1\0\0\x14\0\0\0\1\x94\1\2\3\xa0", 17, 1, false },
		{ "\0\0\0\5\1\0\0\x14\0\0\0\1\x94\1\2\3\xa0\0\0\0\5\2\0\0\x14\0\0\0\1\x94\1\2\3\xa0", 34, 1,
		    false },
		{ "GET / HTTP/1.1\r\n", 16, 0, false },
		{ "\0\0\0\5\1\0\0\x14\0\0\0\1\x94\1\2\xc0\xa0", 17, 0, false },
		{ "\0\0\0\4\1\0\0\x15\0\0\0\1\x93\1\2\3", 16, 0, false },
		{ "\xff\xff\xff\xff\1\0\0\x14\0\0\0\1", 12, 0, false },
		{ "\0\0\0\5\1\0\0\x14\0\0\0\1\x94\1", 14, 0, true },
		{ "\0\0\0", 3, 0, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture f;

		make(&f, ROLE_F, ROLE_W, true);
		log_init("test", LOG_FORMAT_TEXT, (enum log_level)0);
		assert_int_equal(write(f.raw, cases[i].bytes, cases[i].n), cases[i].n);
		if (cases[i].eof)
			shutdown(f.raw, SHUT_WR);
		turn(&f, 5);
		assert_int_equal(f.at_b.messages, cases[i].messages);
		assert_int_equal(f.at_b.gone, i == 0 ? 0 : 1);
		unmake(&f);
	}
}

/* A descriptor beside a message that carries none is closed, and so is its sender's line. */
static void
test_unwanted_descriptor(void **state)
{
	struct fixture f;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t) "\0\0\0\5\1\0\0\x14\0\0\0\1\x94\1\2\3\xa0", 17 };
	struct msghdr mh = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
	int pipe_fds[2];
	char byte;

	make(&f, ROLE_F, ROLE_W, true);
	log_init("test", LOG_FORMAT_TEXT, (enum log_level)0);
	assert_int_equal(pipe(pipe_fds), 0);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &pipe_fds[1], sizeof(int));
	assert_int_equal(sendmsg(f.raw, &mh, 0), 17);
	turn(&f, 5);
	assert_int_equal(f.at_b.fd, -1);
	assert_int_equal(f.at_b.gone, 1);
	peer_free(f.b);
	f.b = NULL;
	close(pipe_fds[1]);
	/* End-of-file: nobody has the other end of the pipe open any more. */
	assert_int_equal(read(pipe_fds[0], &byte, 1), 0);
	close(pipe_fds[0]);
	unmake(&f);
}

static void
test_flush(void **state)
{
	struct fixture f;
	unsigned char got[64];

	make(&f, ROLE_F, ROLE_W, false);
	assert_int_equal(peer_send(f.a, MSG_JOB, 9, &(struct msg_job){ 1, 2, 3, STR("") }), 0);
	assert_int_equal(peer_flush(f.a, 100), 0);
	assert_int_equal(peer_queued(f.a), 0);
	assert_int_equal(recv(f.b_fd, got, sizeof(got), MSG_DONTWAIT), WIRE_HEADER_BYTES + 5);
	/* Nobody reads: the kernel's buffer fills up, and flushing gives up in time. */
	for (int i = 0; i < 100000; i++)
		assert_int_equal(peer_send(f.a, MSG_JOB, 9, &(struct msg_job){ 1, 2, 3, STR("") }), 0);
	assert_int_equal(peer_flush(f.a, 10), ERR_AGAIN);
	assert_true(peer_queued(f.a) > 0);
	unmake(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_queue_limit),
		cmocka_unit_test(test_free_inside_handler),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_unwanted_descriptor),
		cmocka_unit_test(test_flush),
	};

	return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
