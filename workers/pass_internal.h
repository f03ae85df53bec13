/* SPDX-License-Identifier: Apache-2.0 */
/* A pass, for the files that it is made of: pass.c asks, pass_answer.c gives the answer back. */
#ifndef WORKERS_PASS_INTERNAL_H
#define WORKERS_PASS_INTERNAL_H

#include "workers/auth/credential.h"
#include "workers/dialects/chat.h"
#include "workers/pass.h"
#include "workers/probe_internal.h"
#include "workers/transfer.h"

enum pass_state {
	PASS_ARRIVING, /* its body is not there yet */
	PASS_SIGNING,  /* it waits for its credential */
	PASS_ASKING,
};

struct pass {
	struct pass *next, **link;
	struct passes *owner;
	struct entry *entry;
	uint32_t id;
	enum pass_state state;
	uint64_t body_bytes;
	int64_t timeout_ms, started_us;
	struct buf body;
	const struct auth_scheme *scheme;
	struct token_wait wait;
	uint64_t version;
	struct plan *plan;
	struct transfer *transfer;
	struct chat chat;
	struct buf answer; /* a whole one, until it can be translated */
	struct buf fault;  /* what is wrong with one that is translated */
	bool packed;	  /* the answer is compressed, which was not asked for */
	bool lost;	  /* the front did not take a piece: what follows would be another answer */
	struct buf held;  /* the end of what came, which may be the beginning of a secret */
	size_t not_taken; /* of what was sent to the front */
};

struct passes {
	struct lines *lines;
	struct tokens *tokens;
	pass_send send;
	void *arg;
	struct pass *first;
	size_t n;
	struct request request;
	struct result result;
	struct buf text, masked, chunks;
};

/* False: the front did not take it. */
bool pass_tell(struct passes *all, enum msg_type type, const void *m);
/* Ends a pass with what stands in the owner's result. */
void pass_fail(struct pass *p);
/* The end is told when it is over here: whoever hears of the last one may find that none is left.
 */
void pass_end_whole(struct pass *p);

extern const struct transfer_sink pass_sink;
void pass_on_outcome(struct transfer *x, const struct transfer_outcome *o, void *arg);

#endif
