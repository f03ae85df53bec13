/* SPDX-License-Identifier: Apache-2.0 */
/* When a provider wants to be asked again: Retry-After (RFC 9110) and OpenAI's retry-after-ms. */
#ifndef WORKERS_RETRY_AFTER_H
#define WORKERS_RETRY_AFTER_H

#include <stdint.h>

#include "shared/str.h"

/* Longer waits are cut to this. */
#define RETRY_AFTER_MAX_MS ((int64_t)24 * 3600 * 1000)

/*
 * Milliseconds to wait, or -1 when neither header says anything that can be understood. `ms` is the
 * value of retry-after-ms and wins; `seconds_or_date` that of Retry-After; each may be empty.
 * `now_ms` is the wall clock; a date that has passed is 0.
 */
int64_t retry_after_parse(struct str ms, struct str seconds_or_date, int64_t now_ms);

#endif
