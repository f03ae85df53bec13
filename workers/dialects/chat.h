/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A caller's own chat request, as /chat/completions takes it, put into the request that a
 * deployment's provider wants: its model, base, auth and parameters are the deployment's, the rest
 * is the caller's. As pure as a dialect.
 */
#ifndef WORKERS_DIALECTS_CHAT_H
#define WORKERS_DIALECTS_CHAT_H

#include "workers/dialects/dialect.h"

/* Whether a chat can be passed on to the target; else `why` (may be NULL) gets a sentence. */
bool chat_takes(const struct target *t, struct buf *why);
/* How the target's credential is got; NULL: it needs none. */
const struct auth_scheme *chat_scheme(const struct target *t);
/*
 * Fills the request from the caller's body, of which nothing is trusted: `model` in it means
 * nothing. Its parameters come before the deployment's, as in LiteLLM. What the scheme signs is
 * signed afterwards, by the caller. ERR_INVALID with `why` filled when it cannot be built.
 */
int chat_build(const struct target *t, struct str body, const struct build_context *ctx,
    struct request *req, struct result *why) MUST_CHECK;

#endif
