/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies compressed with gzip. A body is compressed once: the compressed one is kept with it and ends
 * with it. What is too large for one turn of the loop is done in pieces, one body after the other.
 * Without zlib nothing is ever compressed.
 */
#ifndef SUPERVISOR_FRONT_HTTP_GZIP_H
#define SUPERVISOR_FRONT_HTTP_GZIP_H

#include <stdbool.h>
#include <sys/queue.h>

#include "shared/str.h"
#include "supervisor/front/http/blob.h"

struct event_base;
struct gzip;
struct gzip_job;

/* Somebody who waits for a compressed body. Embedded in its owner. */
struct gzip_wait {
	TAILQ_ENTRY(gzip_wait) link;
	struct gzip_job *job;
	/* It is there: gzip_body() has it. Called in a turn of its own. */
	void (*done)(struct gzip_wait *w);
};

/* Whether this program can. */
bool gzip_built(void);
struct gzip *gzip_new(struct event_base *base);
/* Nobody may wait any more. Accepts NULL. */
void gzip_free(struct gzip *g);

/* The compressed body, borrowed from b; NULL when it must be waited for. */
struct blob *gzip_body(struct gzip *g, struct blob *b);
/* Waits for the body's; only after gzip_body() has given NULL. */
void gzip_wait(struct gzip *g, struct blob *b, struct gzip_wait *w);
/* Nobody is told. A body that nobody waits for is not gone on with. */
void gzip_cancel(struct gzip *g, struct gzip_wait *w);
/*
 * Another text and, behind it, what has been compressed: one stream, of which only the text is worked
 * on. `rest` may be NULL. The reference is the caller's.
 */
struct blob *gzip_joined(struct gzip *g, struct str text, const struct blob *rest);

#endif
