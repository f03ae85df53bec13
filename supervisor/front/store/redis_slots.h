/* SPDX-License-Identifier: Apache-2.0 */
/* The hash slots of a Redis cluster: a key's slot, redirections, and what CLUSTER SLOTS says. */
#ifndef SUPERVISOR_FRONT_STORE_REDIS_SLOTS_H
#define SUPERVISOR_FRONT_STORE_REDIS_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/redis_address.h"
#include "shared/str.h"
#include "supervisor/front/store/redis_reply.h"

#define REDIS_SLOTS 16384

/* CRC16 of the key, or of what is between its first `{` and the next `}`. */
uint16_t redis_slot(struct str key);

/*
 * The slot and the node that a MOVED or ASK names; a node without a host is on the host of who
 * said it (`from`). False when it is no such reply.
 */
bool redis_slots_redirect(const struct redisReply *r, const struct redis_address *from,
    uint16_t *slot, struct redis_address *node);

typedef void (*redis_slots_cb)(
    uint16_t first, uint16_t last, const struct redis_address *master, void *arg);
/*
 * One call for each range of an answer to CLUSTER SLOTS; what is malformed in it is passed over.
 * Gives the number of calls.
 */
size_t redis_slots_read(const struct redisReply *r, const struct redis_address *from,
    redis_slots_cb cb, void *arg);

#endif
