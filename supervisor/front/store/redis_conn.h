/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a Redis server, kept up: connects (TCP, Unix socket, TLS), says who it is,
 * pipelines what it is given, and comes back by itself after a loss. Knows nothing of what the
 * commands mean. hiredis formats and reads, libevent moves the bytes.
 */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_CONN_H
#define SUPERVISOR_FRONT_STORE_REDIS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/str.h"
#include "supervisor/front/store/redis_reply.h"

struct event_base;
struct redis_conn;
struct redis_counts;
struct secret;

/* Borrowed for redis_conn_new(), which copies them. */
struct redis_conn_options {
	const char *name;	 /* in log lines */
	const char *unix_socket; /* a path, or "" */
	const char *host;
	uint16_t port;
	bool tls, tls_verify;
	const char *ca, *cert, *key; /* PEM files, or "" */
	const char *user;	     /* "" for the default user */
	const struct secret *password;
	int database;
	int64_t timeout_ms; /* to connect, and for an answer */
	bool subscriber;    /* takes messages of channels */
	struct redis_counts *counts; /* where it counts; borrowed, outlives it; NULL: nowhere */
	/*
	 * Asked before each attempt where the server is now, instead of socket, host and port; answers
	 * with redis_conn_found(), at once or later. NULL: it is where they say.
	 */
	void (*find)(struct redis_conn *c, void *find_arg);
	void *find_arg;
	bool master;  /* a server that says that it is a replica is left again */
	bool cluster; /* redirections are the caller's to follow */
};

/*
 * A reply, or NULL: the connection was lost, and nobody knows whether the command was carried out.
 * Always from the loop; may send more commands. The reply is freed after the call.
 */
typedef void (*redis_reply_cb)(const struct redisReply *r, void *arg);

/* From the loop. They may send commands, but not free the connection. */
struct redis_conn_events {
	void (*ready)(void *arg);				/* from now on commands are taken */
	void (*lost)(const char *why, void *arg);		/* after each ready, once */
	void (*message)(const struct redisReply *r, void *arg); /* of a subscriber; may be NULL */
};

/* Starts connecting. ERR_INVALID: a file of the TLS options cannot be used (logged). */
int redis_conn_new(struct event_base *base, const struct redis_conn_options *o,
    const struct redis_conn_events *events, void *arg, struct redis_conn **out) MUST_CHECK;
/* No callback is called any more. Accepts NULL. */
void redis_conn_free(struct redis_conn *c);

/* The answer of find: host NULL when nobody knows, `why` says so then. Later ones are ignored. */
void redis_conn_found(struct redis_conn *c, const char *host, uint16_t port, const char *why);
/* Whether its find waits for an answer. */
bool redis_conn_searches(const struct redis_conn *c);
/* Where it is connected, or was last. Borrowed. */
const char *redis_conn_host(const struct redis_conn *c);
uint16_t redis_conn_port(const struct redis_conn *c);

bool redis_conn_ready(const struct redis_conn *c);
/* Why the last attempt failed; "" when none has. Borrowed. */
const char *redis_conn_why(const struct redis_conn *c);
/* The server has shown that it works: the next loss is answered by a quick attempt. */
void redis_conn_good(struct redis_conn *c);
/* What it waits for may be there now: the next attempt is at once. */
void redis_conn_hurry(struct redis_conn *c);
/* Ends the connection, which comes back later: its server has said what makes it useless. */
void redis_conn_drop(struct redis_conn *c, const char *why);

/*
 * Sends a command of n arguments; what is sent in one turn of the loop leaves in one write. cb may
 * be NULL. ERR_CLOSED when there is no connection, ERR_LIMIT when too much waits for an answer.
 */
int redis_conn_send(struct redis_conn *c, const struct str *args, size_t n, redis_reply_cb cb,
    void *arg) MUST_CHECK;
/* The same with a command as it is sent. */
int redis_conn_send_text(
    struct redis_conn *c, struct str text, redis_reply_cb cb, void *arg) MUST_CHECK;
/* Waits at most so long for what was sent to leave; for the end. */
void redis_conn_flush(struct redis_conn *c, int64_t wait_ms);
/* Nobody hears of the answers to what was sent. */
void redis_conn_mute(struct redis_conn *c);

#endif
