/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results from a worker's process to a front's: as frames through peers (encoded, coalesced,
 * decoded and checked), or, with --raw, the same bytes in the same batches, only cut at their
 * lengths. Prints one JSON object.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/peer.h"
#include "shared/reason.h"
#include "shared/wire.h"

#define A_TURN 64
#define QUEUED_MAX (1 << 20)
#define PIECE (64 * 1024)

static long wanted, count;
static struct event *again;

/* What a healthy probe's result looks like. */
static void
make_result(struct msg_result *m, uint32_t number)
{
	static const struct kv headers[] = {
		{ STR("x-ratelimit-remaining-requests"), STR("99") },
		{ STR("x-ratelimit-remaining-tokens"), STR("9999") },
	};

	*m = (struct msg_result){
		.job = number,
		.generation = 1,
		.handle = number % 5000,
		.healthy = true,
		.reason = REASON_OK,
		.http_status = 200,
		.exception_status = 200,
		.first_byte_us = 400000,
		.total_us = 410000,
		.tokens_in = 9,
		.tokens_out = 16,
		.retry_after_ms = -1,
		.headers = { headers, 2 },
		.checked_at_ms = 1700000000000,
		.flags = RESULT_REUSED,
	};
}

static void
on_nothing(struct peer *p, const struct msg *m, void *arg)
{
	if (m == NULL)
		event_base_loopbreak(arg);
}

static void
send_some(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = *(struct peer **)arg;
	struct timeval now = { 0, 0 };

	for (int i = 0; i < A_TURN && count < wanted && peer_queued(p) < QUEUED_MAX; i++) {
		struct msg_result m;

		make_result(&m, (uint32_t)count++);
		if (peer_send(p, MSG_RESULT, 0, &m) != 0)
			fatal("cannot send");
	}
	if (count < wanted)
		event_add(again, &now);
}

static void
send_frames(int fd)
{
	struct event_base *base = event_base_new();
	struct timeval now = { 0, 0 };
	struct peer *p;

	if (base == NULL)
		fatal("no event loop");
	p = peer_new(base, fd, ROLE_W, ROLE_F, "front", on_nothing, base);
	again = evtimer_new(base, send_some, &p);
	event_add(again, &now);
	event_base_dispatch(base); /* until the reader closes */
	event_free(again);
	peer_free(p);
	event_base_free(base);
}

static void
on_result(struct peer *p, const struct msg *m, void *arg)
{
	if (m == NULL)
		fatal("closed after %ld", count);
	if (++count == wanted)
		event_base_loopbreak(arg);
}

static void
read_frames(int fd)
{
	struct event_base *base = event_base_new();
	struct peer *p;

	if (base == NULL)
		fatal("no event loop");
	p = peer_new(base, fd, ROLE_F, ROLE_W, "worker", on_result, base);
	event_base_dispatch(base);
	peer_free(p);
	event_base_free(base);
}

static void
send_raw(int fd)
{
	struct buf frame = BUF_INIT(4096), piece = BUF_INIT(1 << 20);
	struct msg_result m;
	long in_piece;

	make_result(&m, 1);
	if (wire_encode(&frame, MSG_RESULT, 0, &m) != 0)
		fatal("cannot encode");
	in_piece = A_TURN;
	for (long i = 0; i < in_piece; i++)
		buf_add_str(&piece, buf_str(&frame));
	while (count < wanted) {
		size_t n = piece.len;

		if (wanted - count < in_piece)
			n = (size_t)(wanted - count) * frame.len;
		for (size_t at = 0; at < n;) {
			ssize_t done = write(fd, piece.data + at, n - at);

			if (done <= 0)
				fatal("write: %s", strerror(errno));
			at += (size_t)done;
		}
		count += (long)(n / frame.len);
	}
	buf_clear(&frame);
	buf_clear(&piece);
}

static void
read_raw(int fd)
{
	static unsigned char bytes[2 * PIECE];
	size_t n = 0;

	while (count < wanted) {
		ssize_t got = read(fd, bytes + n, sizeof(bytes) - n);
		size_t at = 0;

		if (got <= 0)
			fatal("closed after %ld", count);
		n += (size_t)got;
		while (n - at >= WIRE_HEADER_BYTES) {
			struct wire_header h;

			wire_header_read(bytes + at, &h);
			if (n - at < WIRE_HEADER_BYTES + h.length)
				break;
			at += WIRE_HEADER_BYTES + h.length;
			count++;
		}
		memmove(bytes, bytes + at, n - at);
		n -= at;
	}
}

int
main(int argc, char **argv)
{
	bool raw = argc == 3 && strcmp(argv[1], "--raw") == 0;
	int pair[2], status = 0;
	int64_t began;
	pid_t child;

	log_init("wire_rate", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	if (argc != 2 + raw || (wanted = strtol(argv[1 + raw], NULL, 10)) < 1) {
		fputs("usage: wire_rate [--raw] MESSAGES\n", stderr);
		return 2;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		fatal("socketpair: %s", strerror(errno));
	child = fork();
	if (child < 0)
		fatal("fork: %s", strerror(errno));
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		(raw ? send_raw : send_frames)(pair[1]);
		_exit(0);
	}
	close(pair[1]);
	began = clock_mono_us();
	(raw ? read_raw : read_frames)(pair[0]);
	printf("{\"messages\": %ld, \"rate\": %.0f}\n", count,
	    (double)count * 1e6 / (double)(clock_mono_us() - began));
	if (raw)
		close(pair[0]);
	waitpid(child, &status, 0);
	return status != 0;
}
