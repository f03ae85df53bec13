/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP side of the front: listening sockets, connections, routes. It reads the fleet and asks
 * the scheduler; it changes neither.
 */
#ifndef SUPERVISOR_FRONT_HTTP_HTTP_H
#define SUPERVISOR_FRONT_HTTP_HTTP_H

#include <stddef.h>

#include "shared/err.h"
#include "shared/str.h"

struct database;
struct event_base;
struct fleet;
struct otlp;
struct scheduler;
struct http;

/* libevent's, of all events here; everything else should come after them. */
#define HTTP_PRIORITY 0

/* All three are borrowed and outlive it. No socket is open yet. */
struct http *http_new(struct event_base *base, struct fleet *fleet, struct scheduler *scheduler);
/* Whose state is shown; borrowed. Without it there is none. */
void http_set_database(struct http *h, const struct database *database);
/* Whose metrics are collected here from now on; borrowed, outlives it. Once at most. */
void http_set_otlp(struct http *h, struct otlp *otlp);
/* Closes everything at once, cancelling what is asked for. Accepts NULL. */
void http_free(struct http *h);
/*
 * Serves the listening socket, which is taken over also when this fails. `address`, copied, is for logs
 * and says with LISTEN_HEALTH which routes there are.
 */
int http_listen(struct http *h, int fd, struct str address) MUST_CHECK;
/* From now on liveliness says 503 {"status":"shutting_down"}; everything else goes on. */
void http_drain(struct http *h);
/*
 * Accepts no more. Requests that are being answered go on; each connection closes after its answer,
 * idle ones now.
 */
void http_close_listeners(struct http *h);
/* Clients that are connected. */
size_t http_connections(const struct http *h);

#endif
