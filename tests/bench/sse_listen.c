/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a change of a verdict takes to reach many listeners of /health/events.
 *
 *   sse_listen --port N --pid N --listeners N --changes N
 *
 * Connects the listeners to http_front, then, one after another, has it change a verdict (SIGUSR2)
 * and takes the time until each listener has it. Prints one JSON object with microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 20 /* for everything: then something is wrong */

static int epoll, pid, port, listeners = 1000, changes = 50;

static int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void
die(const char *what)
{
	fprintf(stderr, "sse_listen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
open_listener(void)
{
	static const char request[] = "GET /health/events HTTP/1.1\r\nHost: a\r\n\r\n";
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct epoll_event e = { .events = EPOLLIN, .data = { .fd = fd } };

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    write(fd, request, sizeof(request) - 1) < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		die("cannot listen");
}

/* Waits until n listeners have had something with that text; each one's time goes to `at`. */
static void
await(int n, const char *text, int64_t *at)
{
	struct epoll_event events[256];
	int64_t end = now_us() + SECONDS * INT64_C(1000000);
	char buf[65537];

	for (int got = 0; got < n;) {
		int ready = epoll_wait(epoll, events, 256, 1000);

		for (int i = 0; i < ready; i++) {
			ssize_t len = read(events[i].data.fd, buf, sizeof(buf) - 1);

			if (len <= 0)
				die("a listener was closed");
			buf[len] = '\0';
			for (char *p = buf; got < n && (p = strstr(p, text)) != NULL; p++)
				at[got++] = now_us();
		}
		if (now_us() > end) {
			errno = ETIMEDOUT;
			die("not all listeners heard it");
		}
	}
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
	int64_t *at, *spent;
	size_t n = 0;

	for (int i = 1; i + 1 < argc; i += 2) {
		int value = atoi(argv[i + 1]);

		if (strcmp(argv[i], "--port") == 0)
			port = value;
		else if (strcmp(argv[i], "--pid") == 0)
			pid = value;
		else if (strcmp(argv[i], "--listeners") == 0)
			listeners = value;
		else if (strcmp(argv[i], "--changes") == 0)
			changes = value;
	}
	if (port <= 0 || pid <= 1 || listeners <= 0 || changes <= 0) {
		fprintf(stderr, "sse_listen: --port and --pid are needed\n");
		return 2;
	}
	epoll = epoll_create1(0);
	at = calloc((size_t)listeners, sizeof(*at));
	spent = calloc((size_t)listeners * (size_t)changes, sizeof(*spent));
	if (epoll < 0 || at == NULL || spent == NULL)
		die("cannot start");
	for (int i = 0; i < listeners; i++)
		open_listener();
	await(listeners, "retry: ", at);
	for (int i = 0; i < changes; i++) {
		int64_t start = now_us();

		if (kill(pid, SIGUSR2) < 0)
			die("kill");
		await(listeners, "event: verdict", at);
		for (int k = 0; k < listeners; k++)
			spent[n++] = at[k] - start;
	}
	qsort(spent, n, sizeof(*spent), compare);
	printf(
	    "{\"listeners\": %d, \"changes\": %d, \"p50_us\": %lld, \"p99_us\": %lld, \"max_us\": "
	    "%lld}\n",
	    listeners, changes, (long long)spent[n / 2], (long long)spent[n * 99 / 100],
	    (long long)spent[n - 1]);
	free(at);
	free(spent);
	return 0;
}
