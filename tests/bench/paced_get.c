/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client that asks for one path over a kept connection at an even pace, and how long each
 * answer took: what a liveliness probe sees. Prints one JSON object, times in microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int
open_connection(const char *host, long port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct timeval limit = { 10, 0 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || inet_pton(AF_INET, host, &at.sin_addr) != 1)
		fatal("no address: %s", host);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		fatal("connect: %s", strerror(errno));
	return fd;
}

/* Reads one answer; it must have a Content-Length and status 200. */
static void
read_answer(int fd)
{
	char answer[65536];
	size_t n = 0, whole = 0;

	while (whole == 0 || n < whole) {
		ssize_t got = recv(fd, answer + n, sizeof(answer) - 1 - n, 0);
		char *end, *length;

		if (got <= 0)
			fatal("no answer: %s", got < 0 ? strerror(errno) : "closed");
		n += (size_t)got;
		answer[n] = '\0';
		end = strstr(answer, "\r\n\r\n");
		if (whole > 0 || end == NULL)
			continue;
		length = strcasestr(answer, "\r\ncontent-length:");
		if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0 || length == NULL || length > end)
			fatal("not the answer that was expected: %.100s", answer);
		whole = (size_t)(end + 4 - answer) + strtoul(length + 17, NULL, 10);
		if (whole >= sizeof(answer))
			fatal("the answer is too large");
	}
}

int
main(int argc, char **argv)
{
	struct buf request = BUF_INIT(4096);
	long port, count, pace_us;
	int64_t *took, began;
	int fd;

	log_init("paced_get", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	if (argc != 6) {
		fputs("usage: paced_get HOST PORT PATH COUNT MICROSECONDS-BETWEEN\n", stderr);
		return 2;
	}
	port = strtol(argv[2], NULL, 10);
	count = strtol(argv[4], NULL, 10);
	pace_us = strtol(argv[5], NULL, 10);
	if (port < 1 || port > 65535 || count < 1 || count > 1000000 || pace_us < 1)
		fatal("wrong numbers");
	took = xcalloc((size_t)count, sizeof(*took));
	buf_addf(&request, "GET %s HTTP/1.1\r\nHost: %s:%ld\r\n\r\n", argv[3], argv[1], port);
	fd = open_connection(argv[1], port);
	began = clock_mono_us();
	for (long i = 0; i < count; i++) {
		int64_t due = began + i * pace_us, now = clock_mono_us();

		if (due > now) {
			struct timespec until = { due / 1000000, due % 1000000 * 1000 };

			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
			now = clock_mono_us();
		}
		if (send(fd, buf_text(&request), request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
			fatal("send: %s", strerror(errno));
		read_answer(fd);
		/* A late answer delays the next question; the wait counts for that one, too. */
		took[i] = clock_mono_us() - (due < now && i > 0 && due > began ? due : now);
	}
	close(fd);
	qsort(took, (size_t)count, sizeof(*took), compare);
	printf("{\"count\": %ld, \"p50_us\": %lld, \"p90_us\": %lld, \"p99_us\": %lld, \"max_us\": "
	       "%lld}\n",
	    count, (long long)took[count / 2], (long long)took[count * 9 / 10],
	    (long long)took[count * 99 / 100], (long long)took[count - 1]);
	free(took);
	buf_clear(&request);
	return 0;
}
