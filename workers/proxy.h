/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a host is asked through the target's proxy. The environment is not consulted here. */
#ifndef WORKERS_PROXY_H
#define WORKERS_PROXY_H

#include <stdbool.h>

/*
 * `no_proxy` as Python reads NO_PROXY: names split by commas, each with all its subdomains,
 * `host:port`, an address, or `*` alone for all. `host` without brackets.
 */
bool proxy_skipped(const char *no_proxy, const char *host, unsigned port);

#endif
