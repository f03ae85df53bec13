/* SPDX-License-Identifier: Apache-2.0 */
/* A host's name to its address without holding up the loop: the C library's resolver in a thread.
 */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_RESOLVE_H
#define SUPERVISOR_FRONT_STORE_REDIS_RESOLVE_H

#include <stdint.h>
#include <sys/socket.h>

#include "shared/err.h"

struct event_base;
struct redis_resolve;

/* From the loop. n is 0 when there is no address; `why` says so then. The resolve has ended. */
typedef void (*redis_resolve_cb)(
    const struct sockaddr *address, socklen_t n, const char *why, void *arg);

/*
 * Starts; cb is called once unless it is cancelled. Of several addresses it is the one of index
 * `attempt`, counted round. ERR_IO when no thread could be made.
 */
int redis_resolve_new(struct event_base *base, const char *host, uint16_t port, unsigned attempt,
    redis_resolve_cb cb, void *arg, struct redis_resolve **out) MUST_CHECK;
void redis_resolve_cancel(struct redis_resolve *r);

#endif
