/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The house as a whole. What is to be done next is always found by looking (house_step), never by
 * remembering where one was: so a child may die at any moment of a start, a reload or a stop.
 */
#include "supervisor/house.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/exitcode.h"
#include "shared/harden.h"
#include "shared/log.h"
#include "shared/peer.h"
#include "supervisor/house_child.h"
#include "supervisor/notify.h"

/* Descriptors that each process has to have: sockets to each other, listeners, and some to work
 * with. */
#define DESCRIPTORS_LEAST 64

/* What the children get beyond grace and drain before they are killed. */
#define STOP_SLACK_MS 2000

static struct timeval
in_ms(int64_t ms)
{
	return (struct timeval){ ms / 1000, ms % 1000 * 1000 };
}

static void
close_listeners(struct house *h)
{
	for (size_t i = 0; i < h->options.n_listeners; i++)
		listener_close(&h->options.listeners[i]);
}

static unsigned
first_stopped_worker(const struct house *h)
{
	return h->conf ? h->config.workers : 0;
}

void
house_introduce(struct house *h, struct child *worker)
{
	struct msg_peer to_front = { worker->index, (uint32_t)worker->pid };
	struct msg_peer to_worker = { 0, (uint32_t)h->front.pid };
	int pair[2], rc;

	if (worker->state != CHILD_UP || worker->peer == NULL || h->front.peer == NULL ||
	    h->front.state == CHILD_STOPPING)
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		log_event(LOG_LEVEL_ERROR, "no_socket_pair", LS("error", strerror(errno)));
		child_kill(worker); /* its restart tries again, and backs off */
		return;
	}
	rc = peer_send_fd(worker->peer, MSG_PEER, 0, &to_worker, pair[0]);
	if (rc == 0)
		rc = peer_send_fd(h->front.peer, MSG_PEER, 0, &to_front, pair[1]);
	close(pair[0]);
	close(pair[1]);
	if (rc < 0)
		child_kill(worker);
	else
		worker->introduced = true;
}

void
house_worker_gone(struct house *h, struct child *worker)
{
	struct msg_peer_gone gone = { worker->index };

	if (worker->introduced && h->front.peer &&
	    peer_send(h->front.peer, MSG_PEER_GONE, 0, &gone) < 0)
		child_kill(&h->front);
	worker->introduced = false;
}

void
house_fail(struct house *h, int exit_status, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (h->stage != HOUSE_STANDS)
		return;
	if (h->options.kind == HOUSE_SERVE)
		log_event(LOG_LEVEL_ERROR, "giving_up", LS("why", text));
	else
		fprintf(stderr, "llmhealth: %s\n", text);
	h->exit_status = exit_status;
	h->stage = HOUSE_STOPS_WORKERS;
	close_listeners(h);
	house_step(h);
}

/* Every child that is wanted runs with the present generation. */
static bool
is_settled(const struct house *h)
{
	bool one = false;

	if (h->conf == NULL)
		return false;
	if (h->options.kind != HOUSE_DESCRIBE &&
	    (h->front.state != CHILD_UP || h->front.ready != h->generation))
		return false;
	for (unsigned i = 0; i < h->config.workers; i++) {
		const struct child *w = &h->workers[i];

		if (w->state == CHILD_UP && w->ready == h->generation)
			one = true;
		else if (w->state != CHILD_WAITING && w->state != CHILD_STOPPING)
			return false;
	}
	return one;
}

static void
start_round(struct house *h)
{
	struct msg_round round = { h->generation };

	if (h->options.kind != HOUSE_ROUND || h->front.round_sent || h->front.peer == NULL)
		return;
	if (peer_send(h->front.peer, MSG_ROUND, 0, &round) < 0)
		child_kill(&h->front);
	else
		h->front.round_sent = true;
}

static void
step_standing(struct house *h)
{
	bool old = false;

	for (unsigned i = 0; i < HOUSE_WORKERS_MAX; i++) {
		struct child *w = &h->workers[i];

		if (i >= first_stopped_worker(h)) {
			if (w->state != CHILD_DOWN && w->state != CHILD_STOPPING)
				child_stop(
				    w, 0, h->config.drain_ms, h->config.drain_ms + STOP_SLACK_MS);
			continue;
		}
		/* New, or it had to stop for an earlier configuration and has ended by now. */
		if (w->state == CHILD_DOWN)
			child_start(w);
		child_configure(w);
		/* A worker that the front uses has to have the generation before the front does.
		 * One that stops takes no job of any. */
		if (w->introduced && w->state != CHILD_STOPPING && w->ready != h->generation)
			old = true;
		/* At the start it waits for all, so that the first round is spread over all. */
		if (!h->has_stood && w->state == CHILD_STARTING)
			old = true;
	}
	if (h->options.kind != HOUSE_DESCRIBE && !old)
		child_configure(&h->front);
	if (is_settled(h)) {
		if (!h->settled) {
			h->settled = h->has_stood = true;
			if (h->events.settled)
				h->events.settled(h->arg);
		}
		if (h->stage == HOUSE_STANDS)
			start_round(h);
	}
}

static bool
all_down(const struct house *h)
{
	if (h->front.pid > 0 || h->front.peer)
		return false;
	for (unsigned i = 0; i < HOUSE_WORKERS_MAX; i++)
		if (h->workers[i].pid > 0 || h->workers[i].peer)
			return false;
	return true;
}

static void
step_stopping(struct house *h)
{
	if (h->stage == HOUSE_STOPS_FRONT && h->front.pid == 0) {
		h->stage = HOUSE_STOPS_WORKERS;
		close_listeners(h);
	}
	if (h->stage != HOUSE_STOPS_WORKERS)
		return;
	for (unsigned i = 0; i < HOUSE_WORKERS_MAX; i++)
		if (h->workers[i].state != CHILD_DOWN && h->workers[i].state != CHILD_STOPPING)
			child_stop(&h->workers[i], 0, 0, CHILD_STOP_MS);
	if (h->front.state != CHILD_DOWN && h->front.state != CHILD_STOPPING)
		child_stop(&h->front, 0, 0, CHILD_STOP_MS);
	if (all_down(h))
		event_base_loopbreak(h->base);
}

static void
on_step(evutil_socket_t fd, short what, void *arg)
{
	struct house *h = arg;

	if (h->stage == HOUSE_STANDS)
		step_standing(h);
	if (h->stage != HOUSE_STANDS)
		step_stopping(h);
}

void
house_step(struct house *h)
{
	/* In a turn of its own: whoever calls may be in the middle of one child's affairs. */
	if (h->step)
		event_active(h->step, EV_TIMEOUT, 0);
}

static void
on_grace_over(evutil_socket_t fd, short what, void *arg)
{
	/* The front closes its copies now; with ours open the kernel would still take connections.
	 */
	close_listeners(arg);
}

void
house_stop(struct house *h, int exit_status)
{
	struct timeval grace = in_ms(h->config.grace_ms);

	if (h->stage != HOUSE_STANDS)
		return;
	h->exit_status = exit_status;
	/* One that is starting may serve already, before its READY is read here: it knows. */
	if (h->options.kind != HOUSE_SERVE ||
	    (h->front.state != CHILD_UP && h->front.state != CHILD_STARTING)) {
		h->stage = HOUSE_STOPS_WORKERS;
		close_listeners(h);
	} else {
		h->stage = HOUSE_STOPS_FRONT;
		event_add(h->grace, &grace);
		child_stop(&h->front, h->config.grace_ms, h->config.drain_ms,
		    h->config.grace_ms + h->config.drain_ms + STOP_SLACK_MS);
	}
	house_step(h);
}

static void
stop_at_once(struct house *h)
{
	close_listeners(h);
	h->stage = HOUSE_STOPS_WORKERS;
	child_kill(&h->front);
	for (unsigned i = 0; i < HOUSE_WORKERS_MAX; i++)
		child_kill(&h->workers[i]);
	house_step(h);
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	struct house *h = arg;

	switch (number) {
	case SIGCHLD:
		child_reap(&h->front);
		for (unsigned i = 0; i < HOUSE_WORKERS_MAX; i++)
			child_reap(&h->workers[i]);
		break;
	case SIGHUP:
		if (h->stage == HOUSE_STANDS && h->events.reload)
			h->events.reload(h->arg);
		break;
	default:
		log_event(LOG_LEVEL_NOTICE, h->stop_signals ? "stopping_at_once" : "stopping",
		    LS("signal", number == SIGINT ? "INT" : "TERM"));
		if (h->stop_signals++ > 0) {
			stop_at_once(h);
			break;
		}
		if (h->events.stopping)
			h->events.stopping(h->arg);
		house_stop(h, EXITCODE_OK);
		break;
	}
}

static void
on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	notify_send("WATCHDOG=1");
}

static int
open_state(void)
{
	int fd = memfd_create("llmhealth-state", MFD_CLOEXEC);

	if (fd < 0)
		log_event(LOG_LEVEL_WARNING, "no_state_memory", LS("error", strerror(errno)));
	return fd;
}

static int
check_descriptors(struct buf *why)
{
	struct rlimit files;

	(void)harden_raise_descriptors();
	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= DESCRIPTORS_LEAST)
		return 0;
	buf_addf(why,
	    "only %llu files may be open at a time, %d are needed: raise the limit (ulimit -n)",
	    (unsigned long long)files.rlim_cur, DESCRIPTORS_LEAST);
	return ERR_LIMIT;
}

static void
init_children(struct house *h)
{
	h->front = (struct child){ .house = h, .role = ROLE_F };
	restart_init(&h->front.restart);
	for (unsigned i = 0; i < HOUSE_WORKERS_MAX; i++) {
		h->workers[i] = (struct child){ .house = h, .role = ROLE_W, .index = i };
		restart_init(&h->workers[i].restart);
	}
}

int
house_new(const struct house_options *options, const struct house_events *events, void *arg,
    struct house **out, struct buf *why)
{
	struct house *h = xcalloc(1, sizeof(*h));
	int rc;

	h->options = *options;
	h->events = *events;
	h->arg = arg;
	h->state_fd = -1;
	init_children(h);
	rc = check_descriptors(why);
	if (rc == 0)
		rc = child_user_find(options->user, &h->user, why);
	if (rc == 0)
		rc = child_program_find("llmhealth-worker", &h->worker_path, why);
	if (rc == 0 && options->kind != HOUSE_DESCRIBE)
		rc = child_program_find("llmhealth-front", &h->front_path, why);
	if (rc < 0) {
		house_free(h);
		return rc;
	}
	h->base = event_base_new();
	if (h->base == NULL)
		fatal("cannot make an event loop");
	h->step = event_new(h->base, -1, 0, on_step, h);
	h->grace = event_new(h->base, -1, 0, on_grace_over, h);
	h->watchdog = event_new(h->base, -1, EV_PERSIST, on_watchdog, h);
	if (h->step == NULL || h->grace == NULL || h->watchdog == NULL)
		fatal("cannot make a timer");
	if (options->kind != HOUSE_DESCRIBE)
		h->state_fd = open_state();
	*out = h;
	return 0;
}

void
house_free(struct house *h)
{
	if (h == NULL)
		return;
	child_clear(&h->front);
	for (unsigned i = 0; i < HOUSE_WORKERS_MAX; i++)
		child_clear(&h->workers[i]);
	for (size_t i = 0; i < ARRAY_LEN(h->signals); i++)
		if (h->signals[i])
			event_free(h->signals[i]);
	if (h->step)
		event_free(h->step);
	if (h->grace)
		event_free(h->grace);
	if (h->watchdog)
		event_free(h->watchdog);
	if (h->base)
		event_base_free(h->base);
	if (h->state_fd >= 0)
		close(h->state_fd);
	conf_free(h->conf);
	child_user_clear(&h->user);
	free(h->front_path);
	free(h->worker_path);
	free(h);
}

struct event_base *
house_base(struct house *h)
{
	return h->base;
}

void
house_configure(struct house *h, struct conf *c, const struct house_config *config)
{
	conf_hold(c);
	conf_free(h->conf);
	h->conf = c;
	h->config = *config;
	h->generation++;
	h->settled = false;
	house_step(h);
}

int
house_run(struct house *h)
{
	static const int numbers[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP };
	struct timeval watchdog = in_ms(notify_watchdog_ms());

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		/* A round or a description ends with its terminal. */
		if (numbers[i] == SIGHUP && h->options.kind != HOUSE_SERVE)
			continue;
		h->signals[i] = evsignal_new(h->base, numbers[i], on_signal, h);
		if (h->signals[i] == NULL || event_add(h->signals[i], NULL) < 0)
			fatal("cannot watch signal %d", numbers[i]);
	}
	if (notify_watchdog_ms() > 0)
		event_add(h->watchdog, &watchdog);
	for (unsigned i = 0; i < h->config.workers && h->stage == HOUSE_STANDS; i++)
		child_start(&h->workers[i]);
	if (h->options.kind != HOUSE_DESCRIBE && h->stage == HOUSE_STANDS)
		child_start(&h->front);
	event_base_dispatch(h->base);
	return h->exit_status;
}

int
house_describe(struct house *h, uint32_t handle)
{
	struct msg_describe m = { handle };

	if (h->workers[0].peer == NULL)
		return ERR_CLOSED;
	return peer_send(h->workers[0].peer, MSG_DESCRIBE, 0, &m);
}
