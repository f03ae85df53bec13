/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where sentinels say that the master is. All of them are kept connected and asked: at each search
 * of the master, and every now and then whether it still is where it was. What most of them say is
 * tried first, then what the others do; whether it is a master says the server itself (ROLE).
 */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_SENTINEL_H
#define SUPERVISOR_FRONT_STORE_REDIS_SENTINEL_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/redis_address.h"
#include "supervisor/front/store/redis_conn.h"

struct redis_sentinel;

struct redis_sentinel_options {
	struct redis_conn_options conn; /* how a sentinel is reached: credentials, TLS, timeout */
	const struct redis_address *addresses;
	size_t n;
	const char *service; /* the master's name */
	int64_t ask_ms;	     /* how often they are asked again */
};

/*
 * An answer to redis_sentinel_search(): NULL when none of them knows a master; or, unasked: most of
 * them name this one, whichever was found before. From the loop.
 */
typedef void (*redis_sentinel_cb)(const struct redis_address *master, const char *why, void *arg);

struct redis_sentinel_events {
	redis_sentinel_cb found, most;
};

int redis_sentinel_new(struct event_base *base, const struct redis_sentinel_options *o,
    const struct redis_sentinel_events *events, void *arg, struct redis_sentinel **out) MUST_CHECK;
/* No callback is called any more. Accepts NULL. */
void redis_sentinel_free(struct redis_sentinel *s);
/* Asks all for the master; `found` is called once. The master that was found last did not do. */
void redis_sentinel_search(struct redis_sentinel *s);
/* The master that was found is good: the next search begins with what most say. */
void redis_sentinel_good(struct redis_sentinel *s);
/* How many answer. */
size_t redis_sentinel_alive(const struct redis_sentinel *s);

#endif
