/* SPDX-License-Identifier: Apache-2.0 */
/* Cohere's route that reads documents, which other hosts have as well. */
#ifndef WORKERS_DIALECTS_COHERE_H
#define WORKERS_DIALECTS_COHERE_H

#include "shared/provider.h"
#include "workers/dialects/dialect.h"

/* The body of /v2/parse. */
void cohere_parse_body(struct buf *b, const struct target *t);
/* Judges its answer. */
void cohere_parse_judge(const struct target *t, const struct provider_call *call,
    const struct response *resp, struct result *res);

#endif
