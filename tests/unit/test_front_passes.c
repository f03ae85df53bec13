/* SPDX-License-Identifier: Apache-2.0 */
/* Chats on their way between the front and a worker: the window, workers that stop, die, and lie.
 */
#include "supervisor/front/passes.h"

#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/peer.h"
#include "supervisor/front/pool.h"
#include "tests/unit/unit.h"

#define WORKERS 2

struct fake {
	struct peer *peer; /* the worker's end */
	uint32_t pass;	   /* of the last PASS */
	unsigned passes, cancels;
	uint64_t promised;
	size_t body, taken;
	bool silent; /* takes the body without a word */
};

static struct event_base *base;
static struct pool *pool;
static struct passes *passes;
static struct fake fakes[WORKERS];

/* What the caller heard. */
static unsigned heads, ends;
static size_t pieces;
static struct msg_pass_end last;

static void
on_head(void *arg, const struct msg_pass_head *m)
{
	heads++;
	assert_int_equal(m->status, 200);
}

static void
on_piece(void *arg, struct str bytes)
{
	pieces += bytes.n;
}

static void
on_end(void *arg, const struct msg_pass_end *m)
{
	ends++;
	last = *m;
	last.error = last.detail = STR("");
}

static const struct pass_events events = { on_head, on_piece, on_end };

static void
on_job(void *job_arg, const struct msg_result *r, void *arg)
{
}

static void
on_worker(void *arg)
{
}

static void
say_taken(struct fake *w, size_t n)
{
	struct msg_pass_body_taken m = { w->pass, (uint32_t)n };

	assert_int_equal(peer_send(w->peer, MSG_PASS_BODY_TAKEN, 0, &m), 0);
}

static void
on_message(struct peer *p, const struct msg *m, void *arg)
{
	struct fake *w = arg;
	const struct msg_pass *pass;
	const struct msg_pass_body *body;

	if (m == NULL)
		return;
	switch (m->type) {
	case MSG_PASS:
		pass = m->body;
		w->passes++;
		w->pass = pass->pass;
		w->promised = pass->body_bytes;
		assert_int_equal(pass->handle, 7);
		break;
	case MSG_PASS_BODY:
		body = m->body;
		w->body += body->bytes.n;
		if (!w->silent)
			say_taken(w, body->bytes.n);
		break;
	case MSG_PASS_TAKEN:
		w->taken += ((const struct msg_pass_taken *)m->body)->bytes;
		break;
	case MSG_PASS_CANCEL:
		w->cancels++;
		break;
	default:
		fail();
	}
}

static void
settle(void)
{
	for (int i = 0; i < 50; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
add_worker(unsigned i)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	fakes[i] = (struct fake){ .pass = 0 };
	fakes[i].peer = peer_new(base, fds[1], ROLE_W, ROLE_F, "front", on_message, &fakes[i]);
	pool_add(pool, i, 1, fds[0]);
}

static int
set_up(void **state)
{
	const struct pool_events pool_events = { on_job, on_worker };

	base = event_base_new();
	pool = pool_new(base, &pool_events, NULL);
	passes = passes_new(base, pool);
	memset(fakes, 0, sizeof(fakes));
	heads = ends = 0;
	pieces = 0;
	return 0;
}

static int
tear_down(void **state)
{
	passes_free(passes);
	pool_free(pool);
	for (unsigned i = 0; i < WORKERS; i++)
		peer_free(fakes[i].peer);
	event_base_free(base);
	return 0;
}

static struct pass *
start(size_t bytes)
{
	struct buf body = BUF_INIT(SIZE_MAX / 2);
	struct pass *p;

	memset(buf_reserve(&body, bytes), 'x', bytes);
	buf_commit(&body, bytes);
	p = passes_start(passes, 7, &body, 1000, 2 * PASS_WINDOW, &events, NULL);
	assert_int_equal(body.len, p ? 0 : bytes);
	buf_clear(&body);
	return p;
}

static void
say_end(struct fake *w, uint32_t pass, uint32_t outcome)
{
	struct msg_pass_end m = {
		.pass = pass, .outcome = outcome, .error = STR(""), .detail = STR("")
	};

	assert_int_equal(peer_send(w->peer, MSG_PASS_END, 0, &m), 0);
}

static void
test_there_and_back(void **state)
{
	struct msg_pass_head head = { .status = 200 };
	struct msg_pass_piece piece = { .bytes = STR("answer") };
	struct pass *p;

	assert_null(start(1));
	add_worker(0);
	p = start(3000000);
	assert_non_null(p);
	settle();
	assert_int_equal(fakes[0].promised, 3000000);
	assert_int_equal(fakes[0].body, 3000000);
	head.pass = piece.pass = fakes[0].pass;
	assert_int_equal(peer_send(fakes[0].peer, MSG_PASS_HEAD, 0, &head), 0);
	assert_int_equal(peer_send(fakes[0].peer, MSG_PASS_PIECE, 0, &piece), 0);
	settle();
	assert_int_equal(heads, 1);
	assert_int_equal(pieces, 6);
	passes_taken(p, 6);
	settle();
	assert_int_equal(fakes[0].taken, 6);
	say_end(&fakes[0], fakes[0].pass, PASS_WHOLE);
	settle();
	assert_int_equal(ends, 1);
	assert_int_equal(last.outcome, PASS_WHOLE);
	assert_int_equal(passes_count(passes), 0);
	/* What comes late is nobody's. */
	assert_int_equal(peer_send(fakes[0].peer, MSG_PASS_PIECE, 0, &piece), 0);
	say_end(&fakes[0], fakes[0].pass, PASS_WHOLE);
	say_taken(&fakes[0], 1);
	settle();
	assert_int_equal(ends, 1);
	assert_int_equal(pieces, 6);
}

static void
test_window(void **state)
{
	struct pass *p;

	add_worker(0);
	fakes[0].silent = true;
	p = start(3000000);
	settle();
	assert_int_equal(fakes[0].body, PASS_WINDOW);
	say_taken(&fakes[0], 1);
	settle();
	assert_int_equal(fakes[0].body, PASS_WINDOW + PASS_PIECE_BYTES);
	/* More than was sent. */
	say_taken(&fakes[0], UINT32_MAX);
	settle();
	assert_int_equal(fakes[0].body, 2 * PASS_WINDOW + PASS_PIECE_BYTES);
	passes_cancel(p);
	settle();
	assert_int_equal(fakes[0].cancels, 1);
	assert_int_equal(ends, 0);
	assert_int_equal(passes_count(passes), 0);
}

static void
test_a_worker_that_stops(void **state)
{
	add_worker(0);
	add_worker(1);
	assert_non_null(start(10));
	settle();
	/* 7 % 2: the second is the deployment's own. */
	assert_int_equal(fakes[1].passes, 1);
	say_end(&fakes[1], fakes[1].pass, PASS_STOPPING);
	settle();
	assert_int_equal(fakes[0].passes, 1);
	assert_int_equal(fakes[0].body, 10);
	assert_int_equal(ends, 0);
	/* An end that is another's. */
	say_end(&fakes[1], fakes[0].pass, PASS_WHOLE);
	settle();
	assert_int_equal(ends, 0);
	say_end(&fakes[0], fakes[0].pass, PASS_STOPPING);
	settle();
	assert_int_equal(ends, 1);
	assert_int_equal(last.exception_status, 503);
}

static void
test_a_worker_that_dies(void **state)
{
	add_worker(0);
	add_worker(1);
	assert_non_null(start(10));
	assert_non_null(start(10));
	settle();
	peer_free(fakes[0].peer);
	fakes[0].peer = NULL;
	settle();
	assert_int_equal(ends, 0);
	peer_free(fakes[1].peer);
	fakes[1].peer = NULL;
	settle();
	assert_int_equal(ends, 2);
	assert_int_equal(last.outcome, PASS_FAILED);
	assert_int_equal(last.exception_status, 502);
	assert_int_equal(passes_count(passes), 0);
	assert_null(start(10));
}

/* Pieces without a head, two heads, another worker asked after the head, and no end of pieces. */
static void
test_a_worker_that_lies(void **state)
{
	static char data[PASS_PIECE_BYTES];
	struct msg_pass_head head = { .status = 200 };
	struct msg_pass_piece piece = { .bytes = { data, sizeof(data) } };
	struct pass *p;

	add_worker(0);
	add_worker(1);
	p = start(10);
	settle();
	head.pass = piece.pass = fakes[1].pass;
	assert_int_equal(peer_send(fakes[1].peer, MSG_PASS_PIECE, 0, &piece), 0);
	settle();
	assert_int_equal(pieces, 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(peer_send(fakes[1].peer, MSG_PASS_HEAD, 0, &head), 0);
	for (size_t sent = 0; sent < 2 * PASS_WINDOW; sent += sizeof(data))
		assert_int_equal(peer_send(fakes[1].peer, MSG_PASS_PIECE, 0, &piece), 0);
	settle();
	assert_int_equal(heads, 1);
	assert_int_equal(pieces, 2 * PASS_WINDOW);
	assert_int_equal(ends, 0);
	passes_taken(p, sizeof(data));
	assert_int_equal(peer_send(fakes[1].peer, MSG_PASS_PIECE, 0, &piece), 0);
	settle();
	assert_int_equal(ends, 0);
	assert_int_equal(peer_send(fakes[1].peer, MSG_PASS_PIECE, 0, &piece), 0);
	settle();
	assert_int_equal(ends, 1);
	assert_int_equal(last.exception_status, 502);
	assert_int_equal(fakes[1].cancels, 1);
	assert_int_equal(passes_count(passes), 0);
}

/* Nobody else is asked what may have been paid for. */
static void
test_a_worker_that_stops_after_the_head(void **state)
{
	struct msg_pass_head head = { .status = 200 };

	add_worker(0);
	add_worker(1);
	assert_non_null(start(10));
	settle();
	head.pass = fakes[1].pass;
	assert_int_equal(peer_send(fakes[1].peer, MSG_PASS_HEAD, 0, &head), 0);
	say_end(&fakes[1], fakes[1].pass, PASS_STOPPING);
	settle();
	assert_int_equal(fakes[0].passes, 0);
	assert_int_equal(ends, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_there_and_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_window, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_worker_that_stops, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_worker_that_dies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_worker_that_lies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    test_a_worker_that_stops_after_the_head, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
