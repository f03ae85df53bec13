/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The house: one front and some workers under this process. Starts them, gives them their
 * configuration and each other, starts again what died, reloads, stops. What a configuration means
 * and what is shown to people is its caller's work.
 */
#ifndef SUPERVISOR_HOUSE_H
#define SUPERVISOR_HOUSE_H

#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/msgs.h"
#include "supervisor/conf_send.h"
#include "supervisor/listen.h"

#define HOUSE_WORKERS_MAX 64

struct event_base;
struct house;

enum house_kind {
	HOUSE_SERVE,	/* front with listeners and workers, until stopped */
	HOUSE_ROUND,	/* front and workers, one round */
	HOUSE_DESCRIBE, /* one worker, which says what it would ask */
};

/* What does not change while the house stands. The texts are borrowed as long as it does. */
struct house_options {
	enum house_kind kind;
	const char *user;	    /* who the children run as; "": as we are */
	const char *state_path;	    /* the front's state file; "": none */
	struct listener *listeners; /* open; the house closes them when it stops serving */
	size_t n_listeners;
	int log_level, log_format;
};

/* What may change with a reload. */
struct house_config {
	unsigned workers; /* 1 to HOUSE_WORKERS_MAX */
	int64_t grace_ms, drain_ms;
};

/* Each is called from the loop; NULL where nobody listens. All may call house_stop(). */
struct house_events {
	/* The configuration is in force everywhere: after the start and after each
	 * house_configure(). */
	void (*settled)(void *arg);
	/* A signal asks to read the configuration again. */
	void (*reload)(void *arg);
	/* A signal asks to stop; the house stops already. */
	void (*stopping)(void *arg);
	void (*progress)(const struct msg_round_progress *m, void *arg);
	void (*verdict)(const struct msg_round_verdict *m, void *arg);
	void (*round_done)(const struct msg_round_done *m, void *arg);
	void (*described)(const struct msg_described *m, void *arg);
};

/*
 * Finds the programs and the user, and raises the limit of open descriptors. ERR_NOT_FOUND or
 * ERR_LIMIT: *why is one line that says what is missing.
 * Nothing is started yet.
 */
int house_new(const struct house_options *options, const struct house_events *events, void *arg,
    struct house **out, struct buf *why) MUST_CHECK;
/* For a house whose house_run() has returned or was never called. Accepts NULL. */
void house_free(struct house *h);

/* For timers of the caller's. */
struct event_base *house_base(struct house *h);

/* The configuration to bring into force, now or while it runs. Holds c. */
void house_configure(struct house *h, struct conf *c, const struct house_config *config);

/* Runs until it is stopped and every child has gone. Returns the exit status. */
int house_run(struct house *h);

/* Ends the house: the children are asked to end, at most grace and drain are waited for. */
void house_stop(struct house *h, int exit_status);

/* Asks the worker what it would ask of a target; for HOUSE_DESCRIBE, once it has settled. */
int house_describe(struct house *h, uint32_t handle) MUST_CHECK;

#endif
