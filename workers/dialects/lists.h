/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists of models of providers with a dialect of their own: the list and listed of their struct
 * dialect. The key goes as it goes with the dialect's own request.
 */
#ifndef WORKERS_DIALECTS_LISTS_H
#define WORKERS_DIALECTS_LISTS_H

#include "workers/dialects/dialect.h"

int lists_ask(const struct target *t, const struct build_context *ctx, struct request *req,
    struct result *why) MUST_CHECK;
int lists_read(const struct target *t, const struct response *resp,
    void (*each)(void *arg, struct str name), void *arg, struct result *res) MUST_CHECK;

#endif
