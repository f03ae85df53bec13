/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A caller's own chat request, as /chat/completions takes it, put into the request that a
 * deployment's provider wants: its model, base, auth and parameters are the deployment's, the rest
 * is the caller's. Where the provider speaks otherwise than OpenAI, the request and its answer are
 * translated (chat_family.h). As pure as a dialect.
 */
#ifndef WORKERS_DIALECTS_CHAT_H
#define WORKERS_DIALECTS_CHAT_H

#include "workers/dialects/dialect.h"

/* A whole answer that is translated is at most so long, and an event of a stream. */
#define CHAT_MAX_ANSWER ((size_t)8 << 20)
#define CHAT_MAX_EVENT ((size_t)1 << 20)

struct chat_family;

/* One chat under way: what is needed to put the answer back. */
struct chat {
	const struct chat_family *family; /* NULL: nothing is translated */
	bool stream;
	/* Only for those who read it: */
	bool usage_wanted, begun, failed;
	int64_t created_s, tokens_in, tokens_out;
	size_t n_calls;
	const char *finish; /* static; NULL: not yet */
	struct build_context ctx;
	struct sse sse;
	struct buf model;	    /* as JSON */
	struct buf pending;	    /* of a stream: what has not been read */
	struct buf said, thought, calls; /* of a whole answer */
	struct buf *out, *why;
};

void chat_init(struct chat *c);
void chat_clear(struct chat *c);

/* Whether a chat can be passed on to the target; else `why` (may be NULL) gets a sentence. */
bool chat_takes(const struct target *t, struct buf *why);
/* What the target speaks, whose judge knows its errors: a probe may have another. */
const struct dialect *chat_dialect(const struct target *t);
/* How the target's credential is got; NULL: it needs none. */
const struct auth_scheme *chat_scheme(const struct target *t);
/*
 * Fills the request from the caller's body, of which nothing is trusted: `model` in it means
 * nothing. Its parameters come before the deployment's, as in LiteLLM. What the scheme signs is
 * signed afterwards, by the caller. ERR_INVALID with `why` filled when it cannot be built.
 */
int chat_build(const struct target *t, struct str body, const struct build_context *ctx,
    struct chat *c, struct request *req, struct result *why) MUST_CHECK;

/* ---- answers that are translated ---- */

/* What an answer of success must be like; false: `type` is something else. */
bool chat_type_fits(const struct chat *c, struct str type);
/*
 * A whole answer, put into `out`; a piece of a stream, whole events of which are; its end. 0, or
 * ERR_INVALID with a sentence in `why`: then it is over.
 */
int chat_whole(struct chat *c, struct str body, struct buf *out, struct buf *why) MUST_CHECK;
int chat_piece(struct chat *c, struct str bytes, struct buf *out, struct buf *why) MUST_CHECK;
int chat_end(struct chat *c, struct buf *out, struct buf *why) MUST_CHECK;
/* A provider's error in LiteLLM's form. */
void chat_add_error(struct buf *out, int status, struct str message);

#endif
