/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners and connections: bytes in, requests out to answer.c, replies back at the pace that they
 * ask for. Plain and TLS.
 */
#ifndef TESTS_STANDIN_CONN_H
#define TESTS_STANDIN_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/ssl.h>

#include "shared/err.h"
#include "tests/standin/standin.h"

#define SERVER_LISTENERS_MAX 2

struct server;
struct conn;

struct listener {
	struct server *server;
	int fd;
	SSL_CTX *tls; /* borrowed; NULL: plain */
	struct event ev;
	struct event ev_again; /* after running out of descriptors */
};

struct server {
	struct standin standin;
	struct event_base *base;
	struct listener listeners[SERVER_LISTENERS_MAX];
	size_t listener_count;
	struct conn *conns, *dead;
	struct event ev_reap;
	const struct timeval *common_delay; /* the queue of standin.latency_ms; NULL: none */
};

/* The standin member has been set up by the caller. */
void server_init(struct server *server, struct event_base *base);
/* Closes and frees everything but the standin member and the base. */
void server_clear(struct server *server);
/* Listens at "ADDRESS:PORT"; port 0 picks one, *port says which. ERR_INVALID or ERR_IO. */
int server_listen(
    struct server *server, const char *where, SSL_CTX *tls, unsigned *port) MUST_CHECK;

#endif
