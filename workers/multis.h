/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curl's multi handles on the event loop: many of them, because curl walks a multi's connections at
 * each transfer's end. Sockets and timers only; what is transferred is transfer.c's matter.
 */
#ifndef WORKERS_MULTIS_H
#define WORKERS_MULTIS_H

#include <curl/curl.h>

#include "shared/err.h"

#define MULTIS 16

struct event_base;
struct multis;

/* Called from the loop for each transfer that ended, after it left its multi. It may add and
 * remove. */
typedef void (*multis_done)(CURL *easy, CURLcode code, void *arg);

struct multis *multis_new(
    struct event_base *base, unsigned long max_connections, multis_done done, void *arg);
/* All transfers must have been removed. */
void multis_free(struct multis *m);

/* A socket that CURLOPT_OPENSOCKETFUNCTION has just made. */
void multis_socket_opened(struct multis *m, curl_socket_t fd);
/* To be set on each easy handle, with the multis as its argument: CURLOPT_CLOSESOCKETFUNCTION. */
int multis_close_socket(void *arg, curl_socket_t fd);

/* Starts the transfer, in this turn of the loop; slot < MULTIS. ERR_LIMIT when curl refuses it. */
int multis_add(struct multis *m, unsigned slot, CURL *easy) MUST_CHECK;
/* Takes a transfer out before its end; never from inside one of curl's callbacks. */
void multis_remove(struct multis *m, unsigned slot, CURL *easy);

#endif
