/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The house's inside: a child's life as house.c and house_child.c share it. Nobody else includes
 * this.
 */
#ifndef SUPERVISOR_HOUSE_CHILD_H
#define SUPERVISOR_HOUSE_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervisor/children.h"
#include "supervisor/house.h"
#include "supervisor/restart.h"

struct event;
struct peer;

/* A child that has not said READY for this long is killed and started again. */
#define CHILD_READY_MS 60000
/* After it was told to stop at once, a child has this long before it is killed. */
#define CHILD_STOP_MS 3000
/* A child that has died this often before the house first stood is given up. */
#define CHILD_START_TRIES 5

enum child_state {
	CHILD_DOWN,	/* there is none, and none is wanted */
	CHILD_WAITING,	/* it died; the timer starts it again */
	CHILD_STARTING, /* runs, but the configuration is not in force there yet */
	CHILD_UP,	/* has said READY at least once */
	CHILD_STOPPING, /* was told to stop */
};

struct child {
	struct house *house;
	enum role role;
	uint32_t index;
	enum child_state state;
	pid_t pid;	   /* 0: none, or collected already */
	int status;	   /* as collected */
	struct peer *peer; /* NULL: none, or gone before the process is */
	struct restart restart;
	struct event *timer;
	struct conf *has;     /* what it was sent last, held */
	uint32_t sent, ready; /* generations; 0: none */
	bool round_sent;      /* the front has been asked for its round */
	bool introduced;      /* the front knows this worker */
};

enum house_stage {
	HOUSE_STANDS,
	HOUSE_STOPS_FRONT,   /* grace and drain run */
	HOUSE_STOPS_WORKERS, /* nobody needs them any more */
};

struct house {
	struct house_options options;
	struct house_events events;
	void *arg;
	struct event_base *base;
	struct event *signals[4], *step, *watchdog, *grace;
	struct child_user user;
	char *front_path, *worker_path;
	int state_fd;
	enum house_stage stage;
	int exit_status;
	unsigned stop_signals;
	struct child front, workers[HOUSE_WORKERS_MAX];
	struct conf *conf;
	struct house_config config;
	uint32_t generation;
	bool settled, has_stood;
};

/* Starts the program and tells it who it is. On failure the restart table decides. */
void child_start(struct child *c);
/* Brings the house's configuration to it, unless it has it. */
void child_configure(struct child *c);
/* Tells it to stop, and kills it when it has not ended by the deadline. */
void child_stop(struct child *c, int64_t grace_ms, int64_t drain_ms, int64_t deadline_ms);
void child_kill(struct child *c);
/* Collects it if it has ended and decides what follows. */
void child_reap(struct child *c);
void child_clear(struct child *c);

/* Something has changed: do what is to be done next. */
void house_step(struct house *h);
/* It cannot go on. One line to standard error, and the end. */
void house_fail(struct house *h, int exit_status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A worker is ready, or the front is new: makes them a socket pair. */
void house_introduce(struct house *h, struct child *worker);
/* The worker has gone. */
void house_worker_gone(struct house *h, struct child *worker);

#endif
