/* SPDX-License-Identifier: Apache-2.0 */
/* TLS to a Redis server: certificates, and a bufferevent that speaks it. */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_TLS_H
#define SUPERVISOR_FRONT_STORE_REDIS_TLS_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/err.h"

struct bufferevent;
struct event_base;
struct redis_tls;

struct redis_tls_options {
	const char *ca;		/* PEM file; "": the system's */
	const char *cert, *key; /* client certificate, PEM; "": none */
	bool verify;		/* the server's certificate and name */
};

/* ERR_INVALID: `why` says which file is wrong. */
int redis_tls_new(
    const struct redis_tls_options *o, struct redis_tls **out, struct buf *why) MUST_CHECK;
/* A bufferevent without a socket, to be connected. NULL when out of memory. */
struct bufferevent *redis_tls_bufferevent(
    struct redis_tls *t, struct event_base *base, const char *host);
/* Appends what went wrong with the handshake, if anything did. */
void redis_tls_error(struct bufferevent *b, struct buf *why);
/* Accepts NULL. */
void redis_tls_free(struct redis_tls *t);

#endif
