/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread and the loop each hold the job; who lets go of it last frees it, because a thread in
 * getaddrinfo() cannot be stopped.
 */
#include "supervisor/front/store/redis_resolve.h"

#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "shared/buf.h"

struct redis_resolve {
	atomic_int holders;
	char *host;
	char port[8];
	unsigned attempt;
	int done_fd;
	/* The thread's answer. */
	int error;
	struct sockaddr_storage address;
	socklen_t n;
	/* The loop's. */
	struct event *event;
	redis_resolve_cb cb;
	void *arg;
};

static void
let_go(struct redis_resolve *r)
{
	if (atomic_fetch_sub(&r->holders, 1) > 1)
		return;
	close(r->done_fd);
	free(r->host);
	free(r);
}

static void *
resolve(void *arg)
{
	struct redis_resolve *r = arg;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL;
	unsigned count = 0;

	r->error = getaddrinfo(r->host, r->port, &hints, &found);
	for (const struct addrinfo *a = r->error ? NULL : found; a; a = a->ai_next)
		count++;
	if (count > 0) {
		const struct addrinfo *a = found;

		for (unsigned skip = r->attempt % count; skip > 0; skip--)
			a = a->ai_next;
		if (a->ai_addrlen <= sizeof(r->address)) {
			memcpy(&r->address, a->ai_addr, a->ai_addrlen);
			r->n = a->ai_addrlen;
		}
	}
	if (found)
		freeaddrinfo(found);
	(void)eventfd_write(r->done_fd, 1);
	let_go(r);
	return NULL;
}

static void
on_done(evutil_socket_t fd, short what, void *arg)
{
	struct redis_resolve *r = arg;

	event_free(r->event);
	r->event = NULL;
	r->cb((const struct sockaddr *)&r->address, r->n,
	    r->error ? gai_strerror(r->error) : "no address", r->arg);
	let_go(r);
}

int
redis_resolve_new(struct event_base *base, const char *host, uint16_t port, unsigned attempt,
    redis_resolve_cb cb, void *arg, struct redis_resolve **out)
{
	struct redis_resolve *r = xcalloc(1, sizeof(*r));
	pthread_t thread;

	r->host = xstrdup(host);
	snprintf(r->port, sizeof(r->port), "%u", port);
	r->attempt = attempt;
	r->cb = cb;
	r->arg = arg;
	atomic_init(&r->holders, 2);
	r->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->event = event_new(base, r->done_fd, EV_READ, on_done, r);
	if (r->done_fd < 0 || r->event == NULL || event_add(r->event, NULL) < 0 ||
	    pthread_create(&thread, NULL, resolve, r) != 0) {
		if (r->event)
			event_free(r->event);
		if (r->done_fd >= 0)
			close(r->done_fd);
		free(r->host);
		free(r);
		return ERR_IO;
	}
	pthread_detach(thread);
	*out = r;
	return 0;
}

void
redis_resolve_cancel(struct redis_resolve *r)
{
	if (r == NULL)
		return;
	event_free(r->event);
	let_go(r);
}
