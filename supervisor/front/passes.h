/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Callers' chats on their way to a worker and back, in pieces: no more than a window of each is
 * under way, so that nothing piles up before who reads slowly. Which deployment, and what the
 * caller is told, is http's matter.
 */
#ifndef SUPERVISOR_FRONT_PASSES_H
#define SUPERVISOR_FRONT_PASSES_H

#include <stddef.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/msgs.h"

struct event_base;
struct pass;
struct passes;
struct pool;

/* None is called from inside passes_start(). The messages are valid during the call only. */
struct pass_events {
	void (*head)(void *arg, const struct msg_pass_head *m);
	/* To be answered by passes_taken(), then or later. */
	void (*piece)(void *arg, struct str bytes);
	/* The last word; the pass is gone. */
	void (*end)(void *arg, const struct msg_pass_end *m);
};

struct passes *passes_new(struct event_base *base, struct pool *pool);
/* Ends all without a word. Accepts NULL. */
void passes_free(struct passes *all);
size_t passes_count(const struct passes *all);

/*
 * Sends the body, which is taken out of the buffer, to the deployment of that handle. NULL when
 * there is no worker now; the body is then still there. A worker that sends max_untaken bytes more
 * than were taken ends the pass: it knows no window.
 */
struct pass *passes_start(struct passes *all, uint32_t handle, struct buf *body, int64_t timeout_ms,
    size_t max_untaken, const struct pass_events *events, void *arg);
/* So many bytes have left; more may come. */
void passes_taken(struct pass *p, size_t n);
/* Nobody waits any more: no call, and the worker is told. */
void passes_cancel(struct pass *p);

#endif
