/* SPDX-License-Identifier: Apache-2.0 */
/* What a provider's x-ratelimit-* headers ask of the next probe. */
#ifndef SUPERVISOR_FRONT_RATELIMIT_H
#define SUPERVISOR_FRONT_RATELIMIT_H

#include <stdint.h>

#include "shared/msgs.h"

/*
 * Milliseconds until a budget of which nothing remains is filled again: the longest of those that
 * x-ratelimit-remaining-NAME and x-ratelimit-reset-NAME tell; -1 when something is left of each.
 */
int64_t ratelimit_wait_ms(struct kvs headers);

#endif
