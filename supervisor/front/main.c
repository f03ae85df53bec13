/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llmhealth-front: the process that answers HTTP clients. Started by the supervisor with a socket
 * on descriptor 3, over which it is told everything: who it is, the configuration, its listening
 * sockets, its workers. It ends when told to, or when the supervisor is gone.
 */
#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/exitcode.h"
#include "shared/harden.h"
#include "shared/log.h"
#include "shared/peer.h"
#include "supervisor/front/database.h"
#include "supervisor/front/fleet.h"
#include "supervisor/front/http/http.h"
#include "supervisor/front/keep.h"
#include "supervisor/front/litellm.h"
#include "supervisor/front/otlp.h"
#include "supervisor/front/pool.h"
#include "supervisor/front/quorum.h"
#include "supervisor/front/round.h"
#include "supervisor/front/scheduler.h"
#include "supervisor/front/store/store.h"
#include "supervisor/front/verdict_pack.h"

#define LISTENERS_MAX 64
#define REFRESH_MS 1000
/* How often it is looked whether all clients and probes have ended, while stopping. */
#define DRAIN_LOOK_MS 20
#define LARGE_BLOCK (1 << 20)
/* What is queued for the supervisor at the end gets this long. */
#define FAREWELL_MS 1000
#define REFILL_MS 2	  /* between the pieces that a store is filled again with */
#define REFILL_WAITING 64 /* as many commands wait for their answers at most meanwhile */

enum front_state {
	FRONT_STARTING, /* no configuration yet */
	FRONT_LOADING,	/* verdicts of an earlier life are being read */
	FRONT_SERVING,
	FRONT_GRACE,	/* says that it stops, and answers still */
	FRONT_DRAINING, /* takes no more clients */
	FRONT_ENDED,
};

struct front {
	struct event_base *base;
	struct peer *supervisor;
	struct fleet *fleet;
	struct scheduler *scheduler;
	struct http *http;
	struct database *database;
	struct otlp *otlp;
	struct store *store;
	struct litellm *litellm;
	struct round *round;
	enum front_state state;
	bool one_round;
	int state_fd;
	char *state_path;
	int64_t grace_end_ms, drain_end_ms;
	struct {
		int fd;
		char *address;
	} held[LISTENERS_MAX]; /* not served before there is a configuration, so a key to ask for */
	size_t n_held;
	struct event *refresh, *stop, *refill;
	size_t refilled; /* deployments that were put again so far */
	int exit_status;
};

static void end(struct front *f, int exit_status);

static void
serve_held(struct front *f)
{
	while (f->n_held > 0) {
		char *address = f->held[--f->n_held].address;

		if (http_listen(f->http, f->held[f->n_held].fd, str_of(address)) < 0) {
			log_event(LOG_LEVEL_ERROR, "cannot_serve", LS("address", address));
			end(f, EXITCODE_START);
		}
		free(address);
	}
}

static void
set_state(struct front *f, enum front_state state)
{
	static const char *const names[] = { "starting", "loading", "serving", "grace", "draining",
		"ended" };

	log_event(
	    LOG_LEVEL_DEBUG, "front_state", LS("from", names[f->state]), LS("to", names[state]));
	f->state = state;
	switch (state) {
	case FRONT_STARTING:
	case FRONT_LOADING:
		break;
	case FRONT_SERVING:
		if (!f->one_round)
			scheduler_start(f->scheduler);
		serve_held(f);
		break;
	case FRONT_GRACE:
		http_drain(f->http);
		scheduler_stop(f->scheduler);
		database_stop(f->database);
		break;
	case FRONT_DRAINING:
		http_close_listeners(f->http);
		otlp_flush(f->otlp);
		break;
	case FRONT_ENDED:
		event_base_loopbreak(f->base);
		break;
	}
}

static void
end(struct front *f, int exit_status)
{
	if (f->state == FRONT_ENDED)
		return;
	f->exit_status = exit_status;
	set_state(f, FRONT_ENDED);
}

/* The supervisor has sent what it may not: that is a bug, and nothing of it can be trusted. */
static void
refuse(struct front *f, const char *what, int rc)
{
	log_event(
	    LOG_LEVEL_ERROR, "message_refused", LS("message", what), LS("error", err_text(rc)));
	end(f, EXITCODE_CANNOT_RUN);
}

static void
tell_ready(struct front *f)
{
	struct msg_ready m = { fleet_generation(f->fleet) };

	if (peer_send(f->supervisor, MSG_READY, 0, &m) < 0)
		end(f, EXITCODE_CANNOT_RUN);
}

/* Verdicts go where the settings say now. */
static void
reopen_store(struct front *f)
{
	int rc = f->store && !f->one_round ? store_reopen(f->store, fleet_settings(f->fleet)) : 0;

	if (rc < 0)
		log_event(LOG_LEVEL_ERROR, "store_not_changed", LS("error", err_text(rc)));
}

static void
on_loaded(void *arg)
{
	struct front *f = arg;

	if (f->state != FRONT_LOADING)
		return;
	set_state(f, FRONT_SERVING);
	reopen_store(f);
	tell_ready(f);
}

static void
on_others(const struct store_item *item, void *arg)
{
	struct front *f = arg;
	struct deployment *d = keep_take(f->fleet, item);

	if (d == NULL)
		return;
	/* It may not have known what we know. Who decides differently for good is not argued with.
	 */
	(void)quorum_settle(f->fleet, f->store, d);
	scheduler_renewed(f->scheduler, d);
}

static void
on_sight(const struct store_item *item, void *arg)
{
	struct front *f = arg;
	struct buf scratch = BUF_INIT(VERDICT_PACKED_MAX);
	struct deployment *d;
	unsigned what = quorum_heard(f->fleet, f->store, item, &d);

	/* All who hear it come to the same; one of them keeps it. */
	if ((what & QUORUM_CHANGED) && store_leads(f->store, item->id))
		keep_put(f->store, f->fleet, d, &scratch);
	if (what & QUORUM_ALARM)
		scheduler_confirm(f->scheduler, d);
	buf_clear(&scratch);
}

static void
on_members(void *arg)
{
	struct front *f = arg;

	for (size_t i = 0; i < fleet_size(f->fleet); i++)
		(void)quorum_settle(f->fleet, f->store, fleet_at(f->fleet, i));
	scheduler_replan(f->scheduler);
}

static void
on_refill(void *arg)
{
	struct front *f = arg;

	if (f->state <= FRONT_LOADING)
		return;
	f->refilled = 0;
	event_active(f->refill, EV_TIMEOUT, 0);
}

/* Some in each turn of the loop, and no more than the server takes. */
static void
on_refill_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = { 0, REFILL_MS * 1000 };
	struct front *f = arg;
	struct store_status status;

	if (f->store == NULL || f->state >= FRONT_ENDED)
		return;
	store_status(f->store, &status);
	if (!status.connected)
		return; /* it is asked for again */
	if (status.waiting < REFILL_WAITING)
		f->refilled = keep_put_from(f->store, f->fleet, f->refilled);
	if (f->refilled < fleet_size(f->fleet))
		event_add(f->refill, &soon);
}

static void
open_store(struct front *f)
{
	static const struct store_events events = { on_others, on_members, on_refill, on_sight };
	const struct settings *s = fleet_settings(f->fleet);
	struct store_options o = {
		.base = f->base,
		.settings = s,
		.state_file = f->state_path && !f->one_round ? f->state_path : "",
		.state_fd = f->state_fd,
	};
	int rc = store_open(f->one_round ? &store_memory : &store_redis, &o, &f->store);

	f->state_fd = -1;
	if (rc < 0) {
		/* Verdicts are in memory all the same; they do not outlive us. */
		log_event(LOG_LEVEL_ERROR, "no_store",
		    LS("error", errno ? strerror(errno) : err_text(rc)));
		f->store = NULL;
	}
	scheduler_set_store(f->scheduler, f->store);
	if (f->store)
		store_watch(f->store, &events, f);
}

static void
configure_services(struct front *f)
{
	database_configure(f->database);
	otlp_configure(f->otlp);
}

static void
on_commit(struct front *f, const struct msg_conf_commit *m)
{
	int rc = fleet_conf_commit(f->fleet, m);

	if (rc < 0) {
		refuse(f, "CONF_COMMIT", rc);
		return;
	}
	scheduler_configure(f->scheduler);
	if (!f->one_round)
		configure_services(f);
	log_event(LOG_LEVEL_DEBUG, "configured", LI("generation", m->generation),
	    LI("deployments", m->count));
	if (f->state != FRONT_STARTING) {
		if (f->state != FRONT_LOADING) {
			reopen_store(f);
			tell_ready(f);
		}
		return;
	}
	set_state(f, FRONT_LOADING);
	open_store(f);
	if (f->store == NULL || f->one_round || keep_load(f->store, f->fleet, on_loaded, f) < 0)
		on_loaded(f);
}

static void
on_start(struct front *f, const struct msg_start *m)
{
	enum log_level level =
	    m->log_level <= LOG_LEVEL_DEBUG ? (enum log_level)m->log_level : LOG_LEVEL_INFO;
	enum log_format format =
	    m->log_format <= LOG_FORMAT_JOURNALD ? (enum log_format)m->log_format : LOG_FORMAT_TEXT;

	log_init("front", format, level);
	f->one_round = m->flags & START_ONE_ROUND;
}

static void
on_listener(struct front *f, const struct msg_listener *m, int fd)
{
	if (f->state >= FRONT_DRAINING || f->one_round || f->n_held == LISTENERS_MAX) {
		close(fd);
		return;
	}
	f->held[f->n_held].fd = fd;
	f->held[f->n_held++].address = str_dup(m->address);
	if (f->state >= FRONT_SERVING)
		serve_held(f);
}

static void
on_state(struct front *f, const struct msg_state *m, int fd)
{
	if (f->state != FRONT_STARTING || f->state_fd >= 0) {
		close(fd);
		return;
	}
	f->state_fd = fd;
	free(f->state_path);
	f->state_path = str_dup(m->path);
}

static void
on_stop_timer(evutil_socket_t fd, short what, void *arg)
{
	struct front *f = arg;
	int64_t now = clock_mono_ms();

	if (f->state == FRONT_GRACE && now >= f->grace_end_ms)
		set_state(f, FRONT_DRAINING);
	if (f->state == FRONT_DRAINING) {
		struct scheduler_counts counts;

		scheduler_counts(f->scheduler, &counts);
		if (now >= f->drain_end_ms ||
		    (http_connections(f->http) == 0 && counts.in_flight == 0 &&
			otlp_idle(f->otlp)))
			end(f, EXITCODE_OK);
	}
}

static void
on_stop(struct front *f, const struct msg_stop *m)
{
	struct timeval tv = { 0, DRAIN_LOOK_MS * 1000 };

	if (f->state >= FRONT_GRACE)
		return;
	f->grace_end_ms = clock_mono_ms() + m->grace_ms;
	f->drain_end_ms = f->grace_end_ms + m->drain_ms;
	if (f->one_round || f->state < FRONT_SERVING) {
		end(f, EXITCODE_OK);
		return;
	}
	set_state(f, FRONT_GRACE);
	event_add(f->stop, &tv);
	on_stop_timer(-1, 0, f);
}

static void
on_round(struct front *f, const struct msg_round *m)
{
	if (!f->one_round || f->round || m->generation != fleet_generation(f->fleet) ||
	    f->state != FRONT_SERVING) {
		refuse(f, "ROUND", ERR_INVALID);
		return;
	}
	f->round = round_new(f->fleet, f->scheduler, f->supervisor);
}

static void
on_message(struct peer *p, const struct msg *m, void *arg)
{
	struct front *f = arg;
	const struct msg_peer *peer;
	int rc;

	if (m == NULL) {
		/* The supervisor is gone: nobody is left behind. */
		end(f, EXITCODE_OK);
		return;
	}
	switch (m->type) {
	case MSG_START:
		on_start(f, m->body);
		break;
	case MSG_CONF_BEGIN:
		rc = fleet_conf_begin(f->fleet, m->body);
		if (rc < 0)
			refuse(f, "CONF_BEGIN", rc);
		break;
	case MSG_CONF_DEPLOYMENT:
		rc = fleet_conf_deployment(f->fleet, m->body);
		if (rc < 0)
			refuse(f, "CONF_DEPLOYMENT", rc);
		break;
	case MSG_CONF_REMOVE:
		rc = fleet_conf_remove(f->fleet, m->body);
		if (rc < 0)
			refuse(f, "CONF_REMOVE", rc);
		break;
	case MSG_CONF_COMMIT:
		on_commit(f, m->body);
		break;
	case MSG_PEER:
		peer = m->body;
		pool_add(scheduler_pool(f->scheduler), peer->index, peer->pid, m->fd);
		break;
	case MSG_PEER_GONE:
		pool_gone(
		    scheduler_pool(f->scheduler), ((const struct msg_peer_gone *)m->body)->index);
		break;
	case MSG_LISTENER:
		on_listener(f, m->body, m->fd);
		break;
	case MSG_STATE:
		on_state(f, m->body, m->fd);
		break;
	case MSG_STOP:
		on_stop(f, m->body);
		break;
	case MSG_ROUND:
		on_round(f, m->body);
		break;
	default: /* the peer checks the direction: nothing else comes */
		break;
	}
}

static void
on_refresh(evutil_socket_t fd, short what, void *arg)
{
	struct front *f = arg;

	fleet_refresh(f->fleet, clock_wall_ms());
}

/*
 * epoll with a changelist: many changes to one descriptor in a turn are one system call. Clients
 * come before all else (HTTP_PRIORITY): between two other events it is looked whether one has come.
 */
static struct event_base *
make_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (config == NULL ||
	    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK |
					      EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST |
					      EVENT_BASE_FLAG_IGNORE_ENV) < 0 ||
	    event_config_set_max_dispatch_interval(config, NULL, 1, HTTP_PRIORITY + 1) < 0)
		fatal("cannot configure the event loop");
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (base == NULL || event_base_priority_init(base, HTTP_PRIORITY + 2) < 0)
		fatal("cannot make an event loop");
	return base;
}

static void
on_worker_message(enum msg_type type, const void *body, void *arg)
{
	struct front *f = arg;

	if (type == MSG_SERVICE_STATE)
		database_take(f->database, body);
	else if (type == MSG_EXPORTED)
		otlp_take(f->otlp, body);
}

static void
front_open(struct front *f)
{
	struct timeval tv = { REFRESH_MS / 1000, 0 };

	f->state_fd = -1;
	f->base = make_base();
	f->fleet = fleet_new();
	f->scheduler = scheduler_new(f->base, f->fleet);
	f->litellm = litellm_new(f->base, f->fleet, f->scheduler);
	f->database = database_new(f->base, f->fleet, scheduler_pool(f->scheduler));
	pool_set_listener(scheduler_pool(f->scheduler), on_worker_message, f);
	f->http = http_new(f->base, f->fleet, f->scheduler);
	http_set_database(f->http, f->database);
	f->otlp = otlp_new(f->base, f->fleet, scheduler_pool(f->scheduler));
	http_set_otlp(f->http, f->otlp);
	f->refresh = event_new(f->base, -1, EV_PERSIST, on_refresh, f);
	f->stop = event_new(f->base, -1, EV_PERSIST, on_stop_timer, f);
	f->refill = evtimer_new(f->base, on_refill_turn, f);
	if (f->refresh == NULL || f->stop == NULL || f->refill == NULL || event_add(f->refresh, &tv) < 0)
		fatal("cannot make the front's timers");
	f->supervisor =
	    peer_new(f->base, HARDEN_PEER_FD, ROLE_F, ROLE_S, "supervisor", on_message, f);
}

static void
front_close(struct front *f)
{
	http_free(f->http);
	database_free(f->database);
	otlp_free(f->otlp);
	round_free(f->round);
	if (f->store && store_flush(f->store) < 0)
		log_event(LOG_LEVEL_ERROR, "state_not_saved", LS("at", "the end"));
	scheduler_set_store(f->scheduler, NULL);
	store_close(f->store);
	litellm_free(f->litellm);
	scheduler_free(f->scheduler);
	if (peer_flush(f->supervisor, FAREWELL_MS) < 0)
		log_event(
		    LOG_LEVEL_DEBUG, "supervisor_gone", LI("queued", peer_queued(f->supervisor)));
	peer_free(f->supervisor);
	fleet_free(f->fleet);
	event_free(f->refresh);
	event_free(f->stop);
	event_free(f->refill);
	event_base_free(f->base);
	if (f->state_fd >= 0)
		close(f->state_fd);
	free(f->state_path);
	while (f->n_held > 0) {
		close(f->held[--f->n_held].fd);
		free(f->held[f->n_held].address);
	}
}

int
main(int argc, char **argv)
{
	struct front f = { 0 };
	int rc;

	log_init("front", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	/* The socket's end stops us, after the state is saved: no signal for that. */
	rc = harden_child(0);
	if (rc == ERR_INVALID) {
		fprintf(stderr, "%s: started by llmhealth, not by hand\n", argv[0]);
		return EXITCODE_USAGE;
	}
	if (rc < 0) {
		log_event(LOG_LEVEL_ERROR, "cannot_harden", LS("error", strerror(errno)));
		return EXITCODE_START;
	}
	(void)harden_raise_descriptors();
	/* A large block goes back to the system when it is freed, also after the first such one. */
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	front_open(&f);
	if (event_base_dispatch(f.base) < 0)
		fatal("the event loop failed");
	front_close(&f);
	return f.exit_status;
}
