/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llmhealth-worker: the probing process. It hears the supervisor on descriptor 3 (targets and keys,
 * by generation) and the front on a socket that the supervisor hands it (jobs out of which it makes
 * results). It listens nowhere and knows nothing of Redis, schedules or verdicts.
 */
#include <event2/event.h>
#include <sched.h>
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
#include "shared/msgs.h"
#include "shared/peer.h"
#include "shared/settings.h"
#include "workers/auth/token_sender.h"
#include "workers/line.h"
#include "workers/otlp.h"
#include "workers/pass.h"
#include "workers/postgres.h"
#include "workers/probe.h"
#include "workers/targets.h"
#include "workers/transfer.h"
#include "workers/trial.h"

#define WORKER_NICE 5
#define OTHER_DESCRIPTORS 64
#define FLUSH_MS 1000

enum state {
	STATE_NEW, /* START has not come */
	STATE_RUNNING,
	STATE_GRACE,	/* told to stop; jobs are still taken */
	STATE_DRAINING, /* those under way are finished */
	STATE_OVER,
};

static const char *const state_names[] = { "new", "running", "grace", "draining", "over" };

struct worker {
	struct event_base *base;
	enum state state;
	uint32_t index;
	int exit_status;
	struct peer *supervisor;
	struct peer *front; /* NULL: none */
	struct transfers *transfers;
	struct lines *lines;
	struct tokens *tokens;
	struct probes *probes;
	struct passes *passes;
	struct targets *targets;
	struct otlp *otlp;
	struct postgres *postgres;
	uint32_t service; /* number of the SERVICE that is being answered */
	struct event *timer; /* of grace and drain */
	uint32_t drain_ms;
};

static void
set_state(struct worker *w, enum state state)
{
	struct timeval drain = { w->drain_ms / 1000, (w->drain_ms % 1000) * 1000 };

	if (w->state >= state)
		return;
	log_event(LOG_LEVEL_DEBUG, "worker_state", LS("from", state_names[w->state]),
	    LS("to", state_names[state]), LI("jobs", probes_count(w->probes)));
	w->state = state;
	switch (state) {
	case STATE_NEW:
	case STATE_RUNNING:
	case STATE_GRACE:
		break;
	case STATE_DRAINING:
		evtimer_add(w->timer, &drain);
		break;
	case STATE_OVER:
		event_base_loopbreak(w->base);
		break;
	default:
		fatal("worker state %d", (int)state);
	}
}

static void
end(struct worker *w, int status)
{
	if (w->state != STATE_OVER)
		w->exit_status = status;
	set_state(w, STATE_OVER);
}

/* Told to stop, and nothing is left to do. */
static void
end_if_drained(struct worker *w)
{
	if (w->state == STATE_DRAINING && probes_count(w->probes) == 0 &&
	    passes_count(w->passes) == 0 && otlp_count(w->otlp) == 0)
		end(w, EXITCODE_OK);
}

/* ---- the front ---- */

static void
front_lost(struct worker *w)
{
	peer_free(w->front);
	w->front = NULL;
	probes_cancel_all(w->probes);
	passes_cancel_all(w->passes);
	/* Nobody is left who could send a job or want a result. */
	if (w->state == STATE_GRACE)
		set_state(w, STATE_DRAINING);
	end_if_drained(w);
}

static void
report(const struct msg_result *result, void *arg)
{
	struct worker *w = arg;
	struct msg_result shorter;

	if (w->front == NULL)
		return;
	if (peer_send(w->front, MSG_RESULT, result->job, result) == ERR_LIMIT) {
		shorter = *result;
		shorter.raw_request = STR("null");
		shorter.detail = STR("");
		/* A front that reads no more is as good as gone: its jobs are asked for again
		 * elsewhere. */
		if (peer_send(w->front, MSG_RESULT, result->job, &shorter) < 0)
			log_event(LOG_LEVEL_ERROR, "result_dropped", LI("job", result->job),
			    LI("queued", peer_queued(w->front)));
	}
	end_if_drained(w);
}

static void
refuse(struct worker *w, const struct msg_job *job, uint32_t why)
{
	struct msg_job_refused m = { job->job, targets_generation(w->targets), job->handle, why };

	if (peer_send(w->front, MSG_JOB_REFUSED, job->job, &m) < 0)
		log_event(LOG_LEVEL_ERROR, "refusal_dropped", LI("job", job->job));
}

static void
take_job(struct worker *w, const struct msg_job *job)
{
	struct entry *e;

	if (w->state != STATE_RUNNING && w->state != STATE_GRACE) {
		refuse(w, job, REFUSED_STOPPING);
		return;
	}
	if (job->generation != targets_generation(w->targets)) {
		refuse(w, job, REFUSED_GENERATION);
		return;
	}
	e = targets_find(w->targets, job->handle);
	if (e == NULL || probes_start(w->probes, job, e) < 0)
		refuse(w, job, REFUSED_UNKNOWN);
}

static void
take_test(struct worker *w, const struct msg_test *m)
{
	const struct msg_job job = { m->job, m->generation, m->handle, m->request };
	struct entry *e = NULL;

	if (w->state != STATE_RUNNING && w->state != STATE_GRACE) {
		refuse(w, &job, REFUSED_STOPPING);
	} else if (m->generation != targets_generation(w->targets)) {
		refuse(w, &job, REFUSED_GENERATION);
	} else {
		e = trial_new(targets_find(w->targets, m->handle), m);
		if (e == NULL || probes_start(w->probes, &job, e) < 0)
			refuse(w, &job, REFUSED_UNKNOWN);
		if (e)
			entry_release(e); /* the probe holds it */
	}
}

static int
send_pass(void *arg, enum msg_type type, const void *m)
{
	struct worker *w = arg;
	int rc = w->front ? peer_send(w->front, type, 0, m) : ERR_CLOSED;

	if (type == MSG_PASS_END)
		end_if_drained(w);
	return rc;
}

static void
take_pass(struct worker *w, const struct msg_pass *m)
{
	const struct msg_pass_end stopping = {
		.pass = m->pass, .outcome = PASS_STOPPING, .error = STR(""), .detail = STR("")
	};

	if (w->state == STATE_RUNNING || w->state == STATE_GRACE)
		passes_start(w->passes, m, targets_find(w->targets, m->handle));
	else if (peer_send(w->front, MSG_PASS_END, 0, &stopping) < 0)
		log_event(LOG_LEVEL_ERROR, "refusal_dropped", LI("pass", m->pass));
}

static void
tell_service(struct worker *w, uint32_t number, const struct postgres_outcome *o)
{
	struct msg_service_state m = { number, SERVICE_DATABASE, o->state, o->latency_us, str_of(o->why) };

	if (w->front && peer_send(w->front, MSG_SERVICE_STATE, 0, &m) < 0)
		log_event(LOG_LEVEL_ERROR, "service_state_dropped", LI("number", number));
}

static void
on_postgres(const struct postgres_outcome *o, void *arg)
{
	struct worker *w = arg;

	tell_service(w, w->service, o);
}

static void
take_service(struct worker *w, const struct msg_service *m)
{
	const struct postgres_outcome none = { SERVICE_NONE, 0, "no such service" };

	if (m->service != SERVICE_DATABASE) {
		tell_service(w, m->number, &none);
		return;
	}
	/* One that is under way answers the newer question, too: the front asks again when it has begun anew. */
	if (postgres_test(w->postgres, m->timeout_ms, on_postgres, w) < 0)
		log_event(LOG_LEVEL_DEBUG, "service_shared", LI("number", m->number));
	w->service = m->number;
}

static void
on_exported(const struct msg_exported *m, void *arg)
{
	struct worker *w = arg;

	if (w->front && peer_send(w->front, MSG_EXPORTED, 0, m) < 0)
		log_event(LOG_LEVEL_ERROR, "exported_dropped", LI("number", m->number));
	end_if_drained(w);
}

static void
on_front(struct peer *p, const struct msg *m, void *arg)
{
	struct worker *w = arg;

	if (m == NULL) {
		/* Without jobs it has most likely been told to stop; its death is logged by who
		 * sees it. */
		log_event(probes_count(w->probes) ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
		    "front_gone", LI("worker", w->index), LI("jobs", probes_count(w->probes)));
		front_lost(w);
		return;
	}
	switch (m->type) {
	case MSG_JOB:
		take_job(w, m->body);
		break;
	case MSG_TEST:
		take_test(w, m->body);
		break;
	case MSG_EXPORT:
		otlp_send(w->otlp, m->body);
		break;
	case MSG_SERVICE:
		take_service(w, m->body);
		break;
	case MSG_JOB_CANCEL:
		probes_cancel(w->probes, ((const struct msg_job_cancel *)m->body)->job);
		end_if_drained(w);
		break;
	case MSG_PASS:
		take_pass(w, m->body);
		break;
	case MSG_PASS_BODY:
		passes_body(w->passes, m->body);
		break;
	case MSG_PASS_TAKEN:
		passes_taken(w->passes, m->body);
		break;
	case MSG_PASS_CANCEL:
		passes_cancel(w->passes, ((const struct msg_pass_cancel *)m->body)->pass);
		end_if_drained(w);
		break;
	default:
		fatal("message %d of the front has no handler", (int)m->type);
	}
}

/* ---- the supervisor ---- */

static void
start(struct worker *w, const struct msg_start *m)
{
	w->index = m->index;
	log_init("worker",
	    m->log_format <= LOG_FORMAT_JOURNALD ? (enum log_format)m->log_format : LOG_FORMAT_TEXT,
	    m->log_level >= LOG_LEVEL_ERROR && m->log_level <= LOG_LEVEL_DEBUG
		? (enum log_level)m->log_level
		: LOG_LEVEL_INFO);
	set_state(w, STATE_RUNNING);
}

static void
read_settings(struct worker *w, struct strs texts)
{
	static const enum setting wanted[] = { SETTING_MAX_BODY, SETTING_DATABASE_URL,
		SETTING_OTLP_TRACES_ENDPOINT, SETTING_OTLP_METRICS_ENDPOINT, SETTING_OTLP_HEADERS,
		SETTING_OTLP_CA, SETTING_OTLP_CERT, SETTING_OTLP_KEY };
	struct settings s;

	settings_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (wanted[i] < texts.n && settings_set(&s, wanted[i], texts.v[wanted[i]], NULL) < 0)
			log_event(LOG_LEVEL_ERROR, "setting_refused", LS("setting", setting_row(wanted[i])->path));
	transfers_set_max_body(w->transfers, s.num[SETTING_MAX_BODY]);
	postgres_set_url(w->postgres, str_of(s.text[SETTING_DATABASE_URL]));
	otlp_configure(w->otlp, &s);
	settings_clear(&s);
}

static void
ready(struct worker *w)
{
	struct msg_ready m = { targets_generation(w->targets) };

	log_event(LOG_LEVEL_DEBUG, "worker_ready", LI("worker", w->index),
	    LI("generation", m.generation));
	if (peer_send(w->supervisor, MSG_READY, 0, &m) < 0)
		end(w, EXITCODE_CANNOT_RUN);
}

static void
meet_front(struct worker *w, const struct msg *m)
{
	if (w->front)
		front_lost(w);
	w->front = peer_new(w->base, m->fd, ROLE_W, ROLE_F, "front", on_front, w);
}

static void
send_description(const struct msg_described *m, void *arg)
{
	struct worker *w = arg;
	struct msg_described shorter;

	if (peer_send(w->supervisor, MSG_DESCRIBED, m->handle, m) == ERR_LIMIT) {
		shorter = *m;
		shorter.body = STR("");
		if (peer_send(w->supervisor, MSG_DESCRIBED, m->handle, &shorter) < 0)
			end(w, EXITCODE_CANNOT_RUN);
	}
}

static void
describe(struct worker *w, const struct msg_describe *m)
{
	struct msg_described unknown = { .handle = m->handle,
		.reason = REASON_CONFIG,
		.error = STR("no such target here"),
		.method = STR(""),
		.url = STR(""),
		.body = STR("") };
	struct entry *e = targets_find(w->targets, m->handle);

	if (e)
		probes_describe(w->probes, e, send_description, w);
	else
		send_description(&unknown, w);
}

static void
stop(struct worker *w, const struct msg_stop *m)
{
	struct timeval grace = { m->grace_ms / 1000, (m->grace_ms % 1000) * 1000 };

	if (w->state != STATE_RUNNING)
		return;
	w->drain_ms = m->drain_ms;
	set_state(w, STATE_GRACE);
	if (m->grace_ms == 0 || w->front == NULL)
		set_state(w, STATE_DRAINING);
	else
		evtimer_add(w->timer, &grace);
	end_if_drained(w);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	if (w->state == STATE_GRACE) {
		set_state(w, STATE_DRAINING);
		end_if_drained(w);
	} else {
		end(w, EXITCODE_OK);
	}
}

/* Messages that do not fit what came before: the supervisor is not one of ours. */
static void
disagree(struct worker *w, const struct msg *m)
{
	const struct msg_row *row = msg_row(m->type);

	log_event(LOG_LEVEL_ERROR, "supervisor_disagrees",
	    LS("message", row ? row->name : "unknown"),
	    LI("generation", targets_generation(w->targets)));
	if (m->fd >= 0)
		close(m->fd);
	end(w, EXITCODE_CANNOT_RUN);
}

static void
on_supervisor(struct peer *p, const struct msg *m, void *arg)
{
	struct worker *w = arg;
	int rc = 0;

	if (m == NULL) {
		/* Nobody is left to work for. */
		end(w, EXITCODE_OK);
		return;
	}
	if ((m->type == MSG_START) != (w->state == STATE_NEW)) {
		disagree(w, m);
		return;
	}
	switch (m->type) {
	case MSG_START:
		start(w, m->body);
		break;
	case MSG_CONF_BEGIN:
		targets_begin(w->targets, m->body);
		read_settings(w, ((const struct msg_conf_begin *)m->body)->settings);
		break;
	case MSG_CONF_TARGET:
		rc = targets_add(w->targets, m->body);
		break;
	case MSG_CONF_REMOVE:
		rc = targets_remove(w->targets, m->body);
		break;
	case MSG_CONF_COMMIT:
		rc = targets_commit(w->targets, m->body);
		if (rc == 0)
			ready(w);
		break;
	case MSG_PEER:
		meet_front(w, m);
		break;
	case MSG_STOP:
		stop(w, m->body);
		break;
	case MSG_DESCRIBE:
		describe(w, m->body);
		break;
	default:
		fatal("message %d of the supervisor has no handler", (int)m->type);
	}
	if (rc < 0)
		disagree(w, m);
}

/* ---- the program ---- */

static struct event_base *
new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (config == NULL)
		fatal("event_config_new failed");
	/* One thread uses it; changes of interest between two waits cost one system call, not each
	 * its own. */
	event_config_set_flag(
	    config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (base == NULL)
		fatal("no event loop");
	return base;
}

static void
harden(void)
{
	int rc = harden_child(SIGKILL);

	if (rc == ERR_INVALID) {
		fprintf(stderr, "llmhealth-worker is started by llmhealth, not by hand: see "
				"llmhealth --help\n");
		exit(EXITCODE_USAGE);
	}
	if (rc == ERR_CLOSED)
		exit(EXITCODE_OK);
	if (rc < 0)
		fatal("cannot harden this process: %m");
}

int
main(void)
{
	struct worker w = { .state = STATE_NEW };
	struct tokens_world world;
	uint64_t descriptors;
	size_t running;

	log_init("worker", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	harden();
	/* Where processors are scarce, answering comes before asking. */
	errno = 0;
	if (nice(WORKER_NICE) < 0 && errno != 0)
		log_event(LOG_LEVEL_DEBUG, "nice_refused", LS("error", strerror(errno)));
	/* What wakes up does not take the processor from the front, which answers people. */
	if (sched_setscheduler(0, SCHED_BATCH, &(const struct sched_param){ 0 }) < 0)
		log_event(LOG_LEVEL_DEBUG, "batch_refused", LS("error", strerror(errno)));
	descriptors = harden_raise_descriptors();
	/* Half for probes under way, half for connections that are kept: together never too many.
	 */
	running =
	    descriptors > OTHER_DESCRIPTORS * 2 ? (size_t)(descriptors - OTHER_DESCRIPTORS) / 2 : 1;
	w.base = new_base();
	w.transfers = transfers_new(w.base, running);
	w.lines = lines_new(w.transfers);
	world = token_sender(w.transfers);
	w.tokens = tokens_new(w.base, &world);
	w.probes = probes_new(w.lines, w.tokens, running, report, &w);
	w.passes = passes_new(w.lines, w.tokens, send_pass, &w);
	w.targets = targets_new();
	w.otlp = otlp_new(w.transfers, on_exported, &w);
	w.postgres = postgres_new(w.base);
	w.timer = evtimer_new(w.base, on_timer, &w);
	if (w.timer == NULL)
		fatal("evtimer_new failed");
	w.supervisor =
	    peer_new(w.base, HARDEN_PEER_FD, ROLE_W, ROLE_S, "supervisor", on_supervisor, &w);
	if (event_base_dispatch(w.base) < 0)
		fatal("the event loop failed");
	if (w.front && peer_flush(w.front, FLUSH_MS) < 0)
		log_event(LOG_LEVEL_DEBUG, "front_gone_before_the_end", LI("worker", w.index));
	probes_free(w.probes);
	passes_free(w.passes);
	tokens_stop(w.tokens);
	targets_free(w.targets);
	tokens_free(w.tokens);
	lines_free(w.lines);
	otlp_free(w.otlp);
	transfers_free(w.transfers);
	postgres_free(w.postgres);
	peer_free(w.front);
	peer_free(w.supervisor);
	event_free(w.timer);
	event_base_free(w.base);
	return w.exit_status;
}
