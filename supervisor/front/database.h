/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LiteLLM's database as the front knows it: whether its last test of the connection worked. A worker makes the
 * test, because the URL holds a password, which the front never has. It is made again and again by itself, so
 * that nobody who asks waits for it.
 */
#ifndef SUPERVISOR_FRONT_DATABASE_H
#define SUPERVISOR_FRONT_DATABASE_H

#include <stdint.h>

struct database;
struct event_base;
struct fleet;
struct msg_service_state;
struct pool;

enum database_state {
	DATABASE_NONE, /* none is configured, or libpq is not built in */
	DATABASE_UNKNOWN, /* its first test is not over */
	DATABASE_CONNECTED,
	DATABASE_DISCONNECTED,
};

struct database_status {
	enum database_state state;
	uint32_t latency_us; /* of the last test: connecting, signing in, SELECT 1 */
	const char *why; /* DISCONNECTED, or NONE though it is configured; borrowed */
	uint64_t tests, failures;
};

/* All are borrowed and outlive it. */
struct database *database_new(struct event_base *base, const struct fleet *fleet, struct pool *pool);
/* Accepts NULL. */
void database_free(struct database *d);
/* After each configuration: another URL may be in force, so it is tested now. */
void database_configure(struct database *d);
/* No test any more. */
void database_stop(struct database *d);
/* A worker has answered. */
void database_take(struct database *d, const struct msg_service_state *m);
/* Accepts NULL: there is none. */
void database_status(const struct database *d, struct database_status *status);

#endif
