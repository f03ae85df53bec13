/* SPDX-License-Identifier: Apache-2.0 */
/* Mode realtime: the handshake of a WebSocket, and what its first event means. */
#ifndef WORKERS_DIALECTS_REALTIME_H
#define WORKERS_DIALECTS_REALTIME_H

#include "workers/dialects/ask.h"

/*
 * Makes a request whose http URL is there a handshake; adds all headers that are still missing. The
 * body, where there is one, is the first message after it.
 */
int realtime_end(struct asking *a) MUST_CHECK;
/* Judges an answer of status 101, whose body is the first event, or of a success that is none. */
void realtime_judge(const struct target *t, const struct response *resp, struct result *res);

#endif
