/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-sent events (WHATWG HTML, 9.2.6) out of a body that grows: what has been read is not read
 * again. It knows lines and events, not what they mean.
 */
#ifndef WORKERS_DIALECTS_SSE_H
#define WORKERS_DIALECTS_SSE_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/str.h"

/* What one event may have, its lines' names included. */
#define SSE_MAX_EVENT ((size_t)64 << 10)

/* How far a body has been read; all 0 at its beginning. */
struct sse {
	size_t event; /* where the event under way begins */
	size_t line;  /* where its last line begins */
	size_t seen;  /* no line end before it */
	size_t max;   /* of one event; 0: SSE_MAX_EVENT */
	bool later;   /* the body's beginning is gone, where a byte order mark may stand */
};

/*
 * The data of the next event that is complete, appended to `data`, or of the last one when the body
 * has `ended`. 1 when there is one, 0 when there is none yet, ERR_LIMIT when an event is too long.
 * Comments and events without data are passed over.
 */
int sse_next(struct sse *s, struct str body, bool ended, struct buf *data) MUST_CHECK;

#endif
