/* SPDX-License-Identifier: Apache-2.0 */
/* The dialect of probes that cost nothing; no provider's row names it, target_new() puts it in. */
#ifndef WORKERS_DIALECTS_FREE_H
#define WORKERS_DIALECTS_FREE_H

#include "workers/dialects/dialect.h"

extern const struct dialect dialect_free;
/* Whether the target's `probe` is one of them. */
bool free_is(const struct target *t);

#endif
