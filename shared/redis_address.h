/* SPDX-License-Identifier: Apache-2.0 */
/* The address of a Redis server, a sentinel or a node of a cluster, as settings name it. */
#ifndef SHARED_REDIS_ADDRESS_H
#define SHARED_REDIS_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/str.h"

struct redis_address {
	char host[256];
	uint16_t port;
};

/* "host:port", "host", "[v6]:port", "[v6]". ERR_SYNTAX when it is none of these. */
int redis_address_parse(struct str text, uint16_t port, struct redis_address *a) MUST_CHECK;
bool redis_address_eq(const struct redis_address *a, const struct redis_address *b);

#endif
