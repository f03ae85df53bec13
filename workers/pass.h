/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chats that a caller sends to one deployment, passed on to its provider and the answer back as it
 * comes. Beside the probes: they neither wait for these nor share their number. No secret of the
 * target leaves here, in no piece and across no two.
 */
#ifndef WORKERS_PASS_H
#define WORKERS_PASS_H

#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/msgs.h"

struct entry;
struct lines;
struct passes;
struct tokens;

/* What the front may ask for at most, whatever its settings are. */
#define PASSES_MAX 256
#define PASS_MAX_BODY ((uint64_t)64 << 20)

/* Sends a message to the front; what comes back is peer_send()'s. */
typedef int (*pass_send)(void *arg, enum msg_type type, const void *m);

struct passes *passes_new(struct lines *lines, struct tokens *tokens, pass_send send, void *arg);
/* Cancels all. */
void passes_free(struct passes *all);

/* Each PASS ends in one PASS_END unless it is cancelled. `e` NULL: there is no such deployment. */
void passes_start(struct passes *all, const struct msg_pass *m, struct entry *e);
void passes_body(struct passes *all, const struct msg_pass_body *m);
void passes_taken(struct passes *all, const struct msg_pass_taken *m);
void passes_cancel(struct passes *all, uint32_t id);
void passes_cancel_all(struct passes *all);
/* Under way. */
size_t passes_count(const struct passes *all);

#endif
