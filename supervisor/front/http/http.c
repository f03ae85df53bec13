/* SPDX-License-Identifier: Apache-2.0 */
/* The server: listening sockets, how many clients there may be, draining, and the one timer of all.
 */
#include "supervisor/front/http/http.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/entry.h"
#include "supervisor/front/http/events.h"
#include "supervisor/front/http/guard.h"
#include "supervisor/front/http/gzip.h"
#include "supervisor/front/http/health.h"
#include "supervisor/front/http/metrics.h"
#include "supervisor/front/http/models.h"
#include "supervisor/front/http/otlp_metrics.h"
#include "supervisor/front/http/passthrough.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/tally.h"

#define ACCEPTS_A_TURN 64
#define ACCEPT_PAUSE_MS 100
#define MAX_HEAD (2u << 20) /* of an answer; a CORS preflight repeats the request's header */

static const char refusal[] = "HTTP/1.1 503 Service Unavailable\r\n"
			      "content-length: 33\r\n"
			      "content-type: application/json\r\n"
			      "retry-after: 1\r\n"
			      "connection: close\r\n\r\n"
			      "{\"detail\":\"Too many connections\"}";

static void
set_timer(struct event *e, int64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	event_add(e, &tv);
}

static void
start_sweep(struct http *h)
{
	int64_t ms = conn_shortest_ms(h) / 4;

	if (!event_pending(h->sweep, EV_TIMEOUT, NULL))
		set_timer(h->sweep, ms < 10 ? 10 : ms > 1000 ? 1000 : ms);
}

static void
on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = arg;

	conn_sweep(h);
	if (h->n_conns > 0)
		start_sweep(h);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct http *h = arg;

	for (size_t i = 0; i < h->n_listeners; i++)
		event_add(h->listeners[i].event, NULL);
}

/* No descriptor is left: the listeners are quiet for a moment, or the loop would spin. */
static void
pause_accepting(struct http *h)
{
	static int64_t logged_ms = -60000;
	int64_t now = clock_mono_ms();

	for (size_t i = 0; i < h->n_listeners; i++)
		event_del(h->listeners[i].event);
	set_timer(h->resume, ACCEPT_PAUSE_MS);
	if (now - logged_ms >= 60000) {
		logged_ms = now;
		log_event(LOG_LEVEL_WARNING, "http_accept_failed", LS("why", strerror(errno)),
		    LI("connections", h->n_conns));
	}
}

/* Says no in one packet; costs no memory. */
static void
turn_away(struct http *h, int fd)
{
	if (send(fd, refusal, sizeof(refusal) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
		shutdown(fd, SHUT_WR);
		/* What has arrived is taken, or closing would reset the connection before the
		 * answer is read. */
		if (recv(fd, h->scratch, sizeof(h->scratch), MSG_DONTWAIT) < 0)
			errno = 0;
	}
	close(fd);
}

static void
on_accept(evutil_socket_t listener, short what, void *arg)
{
	struct listener *l = arg;
	struct http *h = l->http;

	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct sockaddr_storage client = { 0 };
		socklen_t len = sizeof(client);
		int fd = accept4(listener, (struct sockaddr *)&client, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM)
				pause_accepting(h);
			return; /* EAGAIN, or a client that has gone already */
		}
		if (h->n_conns >= (size_t)http_setting(h, SETTING_HTTP_CONNECTIONS)) {
			turn_away(h, fd);
			continue;
		}
		conn_open(
		    h, fd, l->health, guard_place(h->guard, (const struct sockaddr *)&client));
		start_sweep(h);
	}
}

struct http *
http_new(struct event_base *base, struct fleet *fleet, struct scheduler *scheduler)
{
	struct http *h = xcalloc(1, sizeof(*h));

	h->base = base;
	h->fleet = fleet;
	h->scheduler = scheduler;
	for (int i = 0; i < CONN_STATES; i++)
		TAILQ_INIT(&h->conns[i]);
	buf_init(&h->head, MAX_HEAD);
	signal(SIGPIPE, SIG_IGN); /* sendfile() has no flag against it */
	entry_watch(fleet);
	h->guard = guard_new();
	h->gzip = gzip_new(base);
	h->health = health_new();
	h->models = models_new();
	h->tally = tally_new(fleet);
	h->metrics = metrics_new(h);
	h->events = events_new(h);
	h->passthrough = passthrough_new(h);
	h->started_ms = clock_wall_ms();
	h->sweep = evtimer_new(base, on_sweep, h);
	h->resume = evtimer_new(base, on_resume, h);
	if (h->sweep == NULL || h->resume == NULL)
		fatal("out of memory");
	return h;
}

void
http_close_listeners(struct http *h)
{
	for (size_t i = 0; i < h->n_listeners; i++) {
		event_free(h->listeners[i].event);
		close(h->listeners[i].fd);
		free(h->listeners[i].address);
	}
	h->n_listeners = 0;
	event_del(h->resume);
	h->closing = true;
	events_close(h->events);
	conn_close_idle(h);
}

void
http_free(struct http *h)
{
	if (h == NULL)
		return;
	http_close_listeners(h);
	for (int i = 0; i < CONN_STATES; i++)
		while (!TAILQ_EMPTY(&h->conns[i]))
			conn_free(TAILQ_FIRST(&h->conns[i]));
	event_free(h->sweep);
	event_free(h->resume);
	guard_free(h->guard);
	gzip_free(h->gzip);
	health_free(h->health);
	models_free(h->models);
	events_free(h->events);
	otlp_metrics_free(h->otlp_metrics);
	passthrough_free(h->passthrough);
	metrics_free(h->metrics);
	tally_free(h->tally);
	requests_clear(&h->requests);
	buf_clear(&h->head);
	free(h);
}

int
http_listen(struct http *h, int fd, struct str address)
{
	struct listener *l = &h->listeners[h->n_listeners];
	int on = 1;

	if (h->n_listeners == HTTP_MAX_LISTENERS || h->closing) {
		close(fd);
		return h->closing ? ERR_CLOSED : ERR_LIMIT;
	}
	if (evutil_make_socket_nonblocking(fd) < 0) {
		close(fd);
		return ERR_IO;
	}
	/* Accepted sockets inherit it. A Unix socket has no such option and needs none. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		errno = 0;
	l->event = event_new(h->base, fd, EV_READ | EV_PERSIST, on_accept, l);
	if (l->event == NULL || event_priority_set(l->event, HTTP_PRIORITY) < 0 ||
	    event_add(l->event, NULL) < 0) {
		if (l->event)
			event_free(l->event);
		close(fd);
		return ERR_IO;
	}
	l->http = h;
	l->fd = fd;
	settings_bare_address(address, &l->health);
	l->address = str_dup(address);
	h->n_listeners++;
	log_event(LOG_LEVEL_DEBUG, "http_listening", LV("address", address));
	return 0;
}

void
http_set_database(struct http *h, const struct database *database)
{
	h->database = database;
}

void
http_set_otlp(struct http *h, struct otlp *otlp)
{
	h->otlp = otlp;
	h->otlp_metrics = otlp_metrics_new(h, otlp);
}

void
http_drain(struct http *h)
{
	h->draining = true;
}

size_t
http_connections(const struct http *h)
{
	return h->n_conns;
}

char *
http_cors(const struct http *h, struct str origin)
{
	const struct settings *s = fleet_settings(h->fleet);
	struct str item;

	if (origin.n == 0 || s->text[SETTING_CORS][0] == '\0')
		return NULL;
	for (size_t i = 0; settings_list_item(s, SETTING_CORS, i, &item); i++)
		if (str_is(item, "*") || str_eq(item, origin))
			return str_dup(item);
	return NULL;
}
