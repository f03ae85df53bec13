/* SPDX-License-Identifier: Apache-2.0 */
/* The notify protocol of systemd, without its library: a datagram of text lines. */
#include "supervisor/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char socket_path[108];
static int64_t watchdog_ms;

void
notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");

	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
	    strlen(path) >= sizeof(socket_path))
		return;
	memcpy(socket_path, path, strlen(path) + 1);
	if (usec && (pid == NULL || strtol(pid, NULL, 10) == (long)getpid()))
		watchdog_ms = strtoll(usec, NULL, 10) / 2000;
	if (watchdog_ms < 0)
		watchdog_ms = 0;
}

void
notify_send(const char *state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t n = strlen(socket_path);
	int fd;

	if (n == 0)
		return;
	memcpy(un.sun_path, socket_path, n);
	if (un.sun_path[0] == '@')
		un.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* A missing or full socket is systemd's trouble, not a reason to stop serving. */
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}

void
notify_reloading(void)
{
	struct timespec ts;
	char text[96];

	clock_gettime(CLOCK_MONOTONIC, &ts);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
	notify_send(text);
}

int64_t
notify_watchdog_ms(void)
{
	return watchdog_ms;
}
