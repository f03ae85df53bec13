/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to the server that has our keys: it is at a fixed address, or where sentinels say, or the
 * node of a cluster that our slot is on. One connection for commands, one for the channel.
 */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_ROUTE_H
#define SUPERVISOR_FRONT_STORE_REDIS_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/settings.h"
#include "supervisor/front/store/redis_conn.h"

struct redis_route;

struct redis_route_status {
	const char *topology; /* "server", "sentinel", "cluster" */
	const char *server;   /* "host:port" or a path; "" when none was found. Until the next call */
	uint64_t moved, asked, again; /* redirections that were followed; see redis_cluster.h */
	uint64_t masters;	      /* times that the master was found to be another */
	size_t connections;
};

/* The events of both; `arg` is theirs. Both count in `counts`, which outlives them. ERR_INVALID: a setting cannot be used (logged). */
int redis_route_new(struct event_base *base, const struct settings *s, struct str key,
    const struct redis_conn_events *command, const struct redis_conn_events *channel, void *arg,
    struct redis_counts *counts, struct redis_route **out) MUST_CHECK;
/* No callback is called any more. Accepts NULL. */
void redis_route_free(struct redis_route *r);

/* No callback is called any more, but what was sent still leaves. */
void redis_route_mute(struct redis_route *r);

/* As those of redis_conn.h, for the connection of our own keys. */
bool redis_route_ready(const struct redis_route *r);
const char *redis_route_why(const struct redis_route *r);
void redis_route_drop(struct redis_route *r, const char *why);
void redis_route_flush(struct redis_route *r, int64_t wait_ms);
int redis_route_send(struct redis_route *r, const struct str *args, size_t n, redis_reply_cb cb,
    void *arg) MUST_CHECK;
/* For a key that is not ours, which may be elsewhere. */
int redis_route_send_key(struct redis_route *r, struct str key, const struct str *args, size_t n,
    redis_reply_cb cb, void *arg) MUST_CHECK;
/* Both connections do what they should. */
void redis_route_good(struct redis_route *r);

/* The connection of the channel. */
int redis_route_listen(struct redis_route *r, const struct str *args, size_t n, redis_reply_cb cb,
    void *arg) MUST_CHECK;
void redis_route_drop_channel(struct redis_route *r, const char *why);
/* Whether the channel is lost because it goes where our keys have gone, which are at hand. */
bool redis_route_channel_moves(const struct redis_route *r);

void redis_route_status(const struct redis_route *r, struct redis_route_status *status);

#endif
