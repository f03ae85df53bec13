/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For benches that play the supervisor: starts a front or a worker on a socket pair as the
 * supervisor does, sends it a configuration of equal deployments, and reads what it costs.
 */
#ifndef TESTS_BENCH_CHILD_H
#define TESTS_BENCH_CHILD_H

#include <stdint.h>
#include <sys/types.h>

#include "shared/peer.h"

struct event_base;
struct settings;

struct child {
	pid_t pid;
	struct peer *peer; /* its descriptor 3 */
	int64_t exec_us;   /* clock_mono_us() right before its execve() */
};

/* Ends the bench when the program cannot be started. The handler is the peer's. */
void child_start(struct child *c, struct event_base *base, const char *program, enum role role,
    peer_handler handler, void *arg);
/* Closes its socket, at which it has to end by itself; after 10 s it is killed. Its exit status, or
 * -1. */
int child_end(struct child *c);

/* CPU time of all its threads so far. */
double child_cpu_us(const struct child *c);
long child_rss_kb(const struct child *c);
long child_peak_rss_kb(const struct child *c);

/* The pair on which jobs go: its other end is sent to the child. */
struct peer *child_open_jobs(struct child *c, struct event_base *base, enum role here,
    enum role there, peer_handler handler);

void child_send_start(struct child *c);
/* CONF_BEGIN of generation 1; NULL: all settings at their defaults. */
void child_send_begin(struct child *c, const struct settings *s);
/* What every target of a bench has in common. */
struct child_target {
	const char *base, *model, *ca;
	uint64_t timeout_ms;
};
void child_send_target(struct child *c, uint32_t handle, const struct child_target *t);
void child_send_deployment(struct child *c, uint32_t handle);
void child_send_commit(struct child *c, uint32_t count);

/* peer_send() that ends the bench when it fails. */
void child_send(struct peer *p, enum msg_type type, const void *m);

#endif
