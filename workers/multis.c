/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curl_multi_socket_action() on libevent. A socket that curl lets go of between two probes stays
 * registered for reading, which saves two system calls a probe over a kept connection; it is
 * unregistered when something happens on it, or when curl closes it.
 */
#include "workers/multis.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/log.h"

struct slot {
	struct multis *owner;
	CURLM *multi;
	struct event timer;
	int alive; /* transfers added and not yet ended, as we know */
	bool due;  /* its timer has run out: to be served in this turn */
};

struct sock {
	struct event ev;
	struct slot *slot;
	short events; /* registered now; 0 for none */
	bool wanted;  /* curl waits for something on it */
};

struct multis {
	struct event_base *base;
	struct slot slots[MULTIS];
	struct sock **socks; /* by descriptor */
	size_t n_socks;
	struct event *kick;
	bool kicked;
	multis_done done;
	void *arg;
};

static struct sock *
sock_at(struct multis *m, curl_socket_t fd)
{
	size_t i = (size_t)fd;

	if (i >= m->n_socks) {
		size_t n = i + i / 2 + 64;

		m->socks = xrealloc(m->socks, n * sizeof(struct sock *));
		memset(m->socks + m->n_socks, 0, (n - m->n_socks) * sizeof(struct sock *));
		m->n_socks = n;
	}
	if (m->socks[i] == NULL)
		m->socks[i] = xcalloc(1, sizeof(struct sock));
	return m->socks[i];
}

static void
sock_unregister(struct sock *s)
{
	if (s->events)
		event_del(&s->ev);
	s->events = 0;
	s->wanted = false;
}

/* Hands on what ended. */
static void
collect(struct multis *m, struct slot *slot)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(slot->multi, &left)) != NULL) {
		CURL *easy = msg->easy_handle;
		CURLcode code = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_multi_remove_handle(slot->multi, easy);
		slot->alive--;
		m->done(easy, code, m->arg);
	}
}

static void
act(struct slot *slot, curl_socket_t fd, int what)
{
	int running = 0;

	(void)curl_multi_socket_action(slot->multi, fd, what, &running);
	if (running != slot->alive)
		collect(slot->owner, slot);
}

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct sock *s = arg;

	if (!s->wanted) {
		sock_unregister(s);
		return;
	}
	act(s->slot, fd,
	    (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *per_socket)
{
	struct slot *slot = arg;
	struct multis *m = slot->owner;
	struct sock *s = sock_at(m, fd);
	short events;

	if (what == CURL_POLL_REMOVE) {
		if (s->events == (EV_READ | EV_PERSIST))
			s->wanted = false;
		else
			sock_unregister(s);
		return 0;
	}
	events = (short)((what & CURL_POLL_IN ? EV_READ : 0) |
			 (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
	s->slot = slot;
	s->wanted = true;
	if (s->events == events)
		return 0;
	if (s->events)
		event_del(&s->ev);
	s->events = events;
	if (event_assign(&s->ev, m->base, fd, events, on_socket, s) < 0 ||
	    event_add(&s->ev, NULL) < 0)
		fatal("cannot watch a provider's socket");
	return 0;
}

/* Whatever was known of that number was of a socket that is no more. */
void
multis_socket_opened(struct multis *m, curl_socket_t fd)
{
	if ((size_t)fd < m->n_socks && m->socks[fd])
		sock_unregister(m->socks[fd]);
}

int
multis_close_socket(void *arg, curl_socket_t fd)
{
	struct multis *m = arg;

	if ((size_t)fd < m->n_socks && m->socks[fd])
		sock_unregister(m->socks[fd]);
	return close(fd);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void
on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct multis *m = arg;

	m->kicked = false;
	for (unsigned i = 0; i < MULTIS; i++)
		if (m->slots[i].due) {
			m->slots[i].due = false;
			act(&m->slots[i], CURL_SOCKET_TIMEOUT, 0);
		}
}

/* "Now" is what curl says when a transfer is added: served once for all that this turn adds. */
static int
want_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct slot *slot = arg;
	struct multis *m = slot->owner;

	if (timeout_ms < 0) {
		event_del(&slot->timer);
	} else if (timeout_ms == 0) {
		slot->due = true;
		if (!m->kicked) {
			m->kicked = true;
			event_active(m->kick, EV_TIMEOUT, 0);
		}
	} else {
		struct timeval tv = { timeout_ms / 1000, (timeout_ms % 1000) * 1000 };

		evtimer_add(&slot->timer, &tv);
	}
	return 0;
}

static void
slot_open(struct multis *m, struct slot *slot, long max_connections)
{
	slot->owner = m;
	slot->multi = curl_multi_init();
	if (slot->multi == NULL)
		fatal("curl_multi_init failed");
	evtimer_assign(&slot->timer, m->base, on_timer, slot);
	curl_multi_setopt(slot->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
	curl_multi_setopt(slot->multi, CURLMOPT_SOCKETDATA, slot);
	curl_multi_setopt(slot->multi, CURLMOPT_TIMERFUNCTION, want_timer);
	curl_multi_setopt(slot->multi, CURLMOPT_TIMERDATA, slot);
	curl_multi_setopt(slot->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	curl_multi_setopt(slot->multi, CURLMOPT_MAXCONNECTS, max_connections);
}

struct multis *
multis_new(struct event_base *base, unsigned long max_connections, multis_done done, void *arg)
{
	struct multis *m = xcalloc(1, sizeof(*m));
	long each = (long)(max_connections / MULTIS);

	m->base = base;
	m->done = done;
	m->arg = arg;
	m->kick = event_new(base, -1, EV_PERSIST, on_kick, m);
	if (m->kick == NULL)
		fatal("event_new failed");
	for (unsigned i = 0; i < MULTIS; i++)
		slot_open(m, &m->slots[i], each > 0 ? each : 1);
	return m;
}

void
multis_free(struct multis *m)
{
	if (m == NULL)
		return;
	for (unsigned i = 0; i < MULTIS; i++) {
		curl_multi_cleanup(m->slots[i].multi);
		event_del(&m->slots[i].timer);
	}
	for (size_t i = 0; i < m->n_socks; i++)
		if (m->socks[i]) {
			sock_unregister(m->socks[i]);
			free(m->socks[i]);
		}
	free(m->socks);
	event_free(m->kick);
	free(m);
}

int
multis_add(struct multis *m, unsigned slot, CURL *easy)
{
	if (curl_multi_add_handle(m->slots[slot].multi, easy) != CURLM_OK)
		return ERR_LIMIT;
	m->slots[slot].alive++;
	return 0;
}

void
multis_remove(struct multis *m, unsigned slot, CURL *easy)
{
	curl_multi_remove_handle(m->slots[slot].multi, easy);
	m->slots[slot].alive--;
}
