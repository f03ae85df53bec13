/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One child from its start to its end. The process's end (waitpid) decides; a socket that closes
 * first only means that the process has to be ended too.
 */
#include "supervisor/house_child.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/exitcode.h"
#include "shared/log.h"
#include "shared/peer.h"

/* 100,000 deployments of a few kilobytes each have to fit. */
#define QUEUED_MAX ((size_t)1 << 30)

static const char *
child_name(const struct child *c)
{
	static char name[32];

	if (c->role == ROLE_F)
		return "front";
	snprintf(name, sizeof(name), "worker %u", c->index);
	return name;
}

static void
set_state(struct child *c, enum child_state state)
{
	static const char *const names[] = { "down", "waiting", "starting", "up", "stopping" };

	if (state == c->state)
		return;
	log_event(LOG_LEVEL_DEBUG, "child_state", LS("child", child_name(c)),
	    LS("from", names[c->state]), LS("to", names[state]));
	c->state = state;
}

static void
set_timer(struct child *c, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(c->timer, &tv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;

	switch (c->state) {
	case CHILD_WAITING:
		child_start(c);
		break;
	case CHILD_STARTING:
	case CHILD_UP:
		log_event(LOG_LEVEL_ERROR, "child_not_ready", LS("child", child_name(c)),
		    LI("waited_ms", CHILD_READY_MS));
		child_kill(c);
		break;
	case CHILD_STOPPING:
		log_event(LOG_LEVEL_WARNING, "child_not_stopped", LS("child", child_name(c)));
		child_kill(c);
		break;
	case CHILD_DOWN:
		break;
	}
}

static void
drop_peer(struct child *c)
{
	peer_free(c->peer);
	c->peer = NULL;
}

/* What a READY means: the configuration is in force there. */
static void
on_ready(struct child *c, uint32_t generation)
{
	c->ready = generation;
	if (c->ready != c->sent)
		return;
	if (c->state != CHILD_STOPPING)
		event_del(c->timer);
	if (c->state == CHILD_STARTING) {
		set_state(c, CHILD_UP);
		log_event(LOG_LEVEL_INFO, "child_ready", LS("child", child_name(c)),
		    LI("child_pid", c->pid), LI("generation", generation),
		    LI("after_ms", clock_mono_ms() - c->restart.started_ms));
		if (c->role == ROLE_W)
			house_introduce(c->house, c);
	}
	house_step(c->house);
}

/* It has ended, or could not be started: when does it come back? */
static void
decide(struct child *c, int status)
{
	struct house *h = c->house;
	int64_t delay_ms;
	char how[48];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "killed by signal %d (%s)", WTERMSIG(status),
		    sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
	else
		snprintf(how, sizeof(how), "exit status %d", WEXITSTATUS(status));
	if (restart_died(&c->restart, clock_mono_ms(), status, &delay_ms) == RESTART_NEVER) {
		set_state(c, CHILD_DOWN);
		house_fail(h, EXITCODE_START,
		    "the %s cannot start (%s): its last line above says why", child_name(c), how);
		return;
	}
	if (!h->has_stood && c->restart.repeats >= CHILD_START_TRIES) {
		set_state(c, CHILD_DOWN);
		house_fail(h, EXITCODE_CANNOT_RUN, "the %s died %u times while starting (%s)",
		    child_name(c), c->restart.repeats, how);
		return;
	}
	log_event(LOG_LEVEL_ERROR, "child_died", LS("child", child_name(c)), LS("how", how),
	    LI("repeats", c->restart.repeats), LI("again_in_ms", delay_ms));
	set_state(c, CHILD_WAITING);
	set_timer(c, delay_ms);
}

/* The process has been collected and its socket read to the end. */
static void
child_ended(struct child *c)
{
	enum child_state was = c->state;

	event_del(c->timer);
	conf_free(c->has);
	c->has = NULL;
	c->sent = c->ready = 0;
	if (c->role == ROLE_W)
		house_worker_gone(c->house, c);
	if (was == CHILD_STOPPING || c->house->stage != HOUSE_STANDS)
		set_state(c, CHILD_DOWN);
	else
		decide(c, c->status);
	house_step(c->house);
}

static void
on_message(struct peer *p, const struct msg *m, void *arg)
{
	struct child *c = arg;
	const struct house_events *e = &c->house->events;

	if (m == NULL) {
		/* Either it dies (the signal is on its way) or it sent nonsense: both end the same
		 * way. */
		drop_peer(c);
		if (c->pid == 0)
			child_ended(c);
		else if (c->state != CHILD_STOPPING)
			child_kill(c);
		return;
	}
	switch (m->type) {
	case MSG_READY:
		on_ready(c, ((const struct msg_ready *)m->body)->generation);
		break;
	case MSG_ROUND_PROGRESS:
		if (e->progress)
			e->progress(m->body, c->house->arg);
		break;
	case MSG_ROUND_VERDICT:
		if (e->verdict)
			e->verdict(m->body, c->house->arg);
		break;
	case MSG_ROUND_DONE:
		if (e->round_done)
			e->round_done(m->body, c->house->arg);
		break;
	case MSG_DESCRIBED:
		if (e->described)
			e->described(m->body, c->house->arg);
		break;
	default: /* the peer checks the direction: nothing else comes */
		break;
	}
}

static int
send_first(struct child *c)
{
	struct house *h = c->house;
	struct msg_start start = {
		.index = c->index,
		.log_level = (uint32_t)h->options.log_level,
		.log_format = (uint32_t)h->options.log_format,
		.flags = h->options.kind == HOUSE_SERVE ? 0 : START_ONE_ROUND,
	};
	struct msg_state state = { str_of(h->options.state_path) };
	int rc;

	rc = peer_send(c->peer, MSG_START, 0, &start);
	if (rc < 0 || c->role == ROLE_W)
		return rc;
	if (h->state_fd >= 0)
		rc = peer_send_fd(c->peer, MSG_STATE, 0, &state, h->state_fd);
	for (size_t i = 0; rc == 0 && i < h->options.n_listeners; i++) {
		const struct listener *l = &h->options.listeners[i];
		struct msg_listener m = { str_of(l->address) };

		if (l->fd >= 0)
			rc = peer_send_fd(c->peer, MSG_LISTENER, 0, &m, l->fd);
	}
	return rc;
}

void
child_start(struct child *c)
{
	struct house *h = c->house;
	int sock;

	if (c->timer == NULL) {
		c->timer = event_new(h->base, -1, 0, on_timer, c);
		if (c->timer == NULL)
			fatal("cannot make a timer");
	}
	restart_started(&c->restart, clock_mono_ms());
	if (child_spawn(
		c->role == ROLE_F ? h->front_path : h->worker_path, &h->user, &sock, &c->pid) < 0) {
		log_event(LOG_LEVEL_ERROR, "child_not_started", LS("child", child_name(c)),
		    LS("error", strerror(errno)));
		c->pid = 0;
		decide(c, EXITCODE_CANNOT_RUN << 8);
		return;
	}
	set_state(c, CHILD_STARTING);
	c->sent = c->ready = 0;
	c->round_sent = false;
	c->peer = peer_new(h->base, sock, ROLE_S, c->role, child_name(c), on_message, c);
	peer_set_max_queued(c->peer, QUEUED_MAX);
	log_event(LOG_LEVEL_DEBUG, "child_started", LS("child", child_name(c)), LI("child_pid", c->pid));
	set_timer(c, CHILD_READY_MS);
	if (send_first(c) < 0) {
		child_kill(c);
		return;
	}
	if (c->role == ROLE_F)
		for (unsigned i = 0; i < HOUSE_WORKERS_MAX; i++)
			house_introduce(h, &h->workers[i]);
	house_step(h);
}

void
child_configure(struct child *c)
{
	struct house *h = c->house;
	int rc;

	if (c->peer == NULL || c->sent == h->generation || c->state == CHILD_STOPPING)
		return;
	rc = conf_send(h->conf, c->has, c->role, h->generation, c->peer);
	if (rc < 0) {
		log_event(LOG_LEVEL_ERROR, "config_not_sent", LS("child", child_name(c)),
		    LS("error", err_text(rc)));
		child_kill(c);
		return;
	}
	conf_free(c->has);
	c->has = conf_hold(h->conf);
	c->sent = h->generation;
	set_timer(c, CHILD_READY_MS);
}

void
child_kill(struct child *c)
{
	/* The peer stays for now: this may run inside its handler's caller. Its end is the
	 * process's. */
	if (c->pid > 0)
		(void)kill(c->pid, SIGKILL);
}

void
child_stop(struct child *c, int64_t grace_ms, int64_t drain_ms, int64_t deadline_ms)
{
	struct msg_stop stop = { (uint32_t)grace_ms, (uint32_t)drain_ms };

	if (c->pid == 0) {
		if (c->timer)
			event_del(c->timer);
		set_state(c, CHILD_DOWN);
		return;
	}
	set_state(c, CHILD_STOPPING);
	set_timer(c, deadline_ms);
	if (c->peer && peer_send(c->peer, MSG_STOP, 0, &stop) < 0)
		drop_peer(c); /* end of file stops it as well */
}

void
child_reap(struct child *c)
{
	pid_t pid;

	if (c->pid == 0)
		return;
	do
		pid = waitpid(c->pid, &c->status, WNOHANG);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return;
	if (pid < 0)
		c->status = EXITCODE_CANNOT_RUN << 8; /* somebody else has waited for it */
	c->pid = 0;
	/* What it said last may still have to be read: then the end of file is the end. */
	if (c->peer == NULL)
		child_ended(c);
}

void
child_clear(struct child *c)
{
	drop_peer(c);
	conf_free(c->has);
	c->has = NULL;
	if (c->timer)
		event_free(c->timer);
	c->timer = NULL;
}
