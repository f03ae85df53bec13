/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a redirect is followed. The request carries the provider's key and is sent again as it
 * is, so only where it goes to the same host, and never from https to http.
 */
#ifndef WORKERS_REDIRECT_H
#define WORKERS_REDIRECT_H

#include "shared/err.h"
#include "shared/str.h"

#define REDIRECT_MAX_HOPS 3

/*
 * The URL that `location` means when `url` answered with it. On success *next is on the heap
 * (free()). ERR_DENIED when it is another host, another port of the same scheme, or leaves https;
 * ERR_SYNTAX when it is no URL; *host, if not NULL, is then the other host on the heap, or NULL.
 */
int redirect_resolve(const char *url, struct str location, char **next, char **host) MUST_CHECK;

#endif
