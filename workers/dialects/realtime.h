/* SPDX-License-Identifier: Apache-2.0 */
/* Mode realtime: the handshake of a WebSocket, and what its first event means. */
#ifndef WORKERS_DIALECTS_REALTIME_H
#define WORKERS_DIALECTS_REALTIME_H

#include "shared/provider.h"
#include "workers/dialects/dialect.h"

/*
 * Makes a request whose http URL is there a handshake; adds all headers that are still missing. The
 * body, where there is one, is the first message after it.
 */
int realtime_end(const struct target *t, const struct build_context *ctx,
    struct provider_call *call, struct request *req, struct result *why) MUST_CHECK;
/* Judges an answer of status 101, whose body is the first event, or of a success that is none. */
void realtime_judge(const struct target *t, const struct response *resp, struct result *res);

#endif
