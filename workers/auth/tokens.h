/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's credentials by identity: fetched once for all who wait, kept until shortly before
 * they expire, renewed while they still hold. A failure is kept for a while too, so that a token
 * service that is down is not asked by each probe. How one is had is the scheme's matter (auth.h),
 * how a request gets there is the sender's.
 */
#ifndef WORKERS_AUTH_TOKENS_H
#define WORKERS_AUTH_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "workers/auth/auth.h"

struct event;
struct event_base;
struct token;
struct tokens;

#define TOKENS_FETCH_MS 30000  /* a fetch takes no longer, whoever waits */
#define TOKENS_BACKOFF_MS 1000 /* after a failure, doubled each time up to */
#define TOKENS_BACKOFF_MAX_MS 60000

/* How a request to a token service ended: a whole answer, or why there is none, in our own words.
 */
struct token_answer {
	bool whole;
	struct response response;
	struct str words;
};

/* The answer is valid during the call only. */
typedef void (*tokens_answered)(const struct token_answer *answer, void *arg);

/* What tokens.c needs of the world, so that its tests need none of it. */
struct tokens_world {
	/*
	 * Sends a request by the target's proxy and TLS settings; `metadata`: to an address of
	 * instance metadata, which is otherwise refused, and past the proxy. `done` is called once,
	 * never from inside the call. The request is the caller's and is forgotten after the call.
	 */
	void *(*send)(void *arg, const struct target *t, bool metadata, const struct request *r,
	    int64_t timeout_ms, tokens_answered done, void *done_arg);
	/* No call any more. */
	void (*cancel)(void *sent);
	/* Reads a whole regular file of at most AUTH_MAX_FILE bytes; 0, or a negative error and
	 * errno. */
	int (*read)(void *arg, const char *path, struct buf *out);
	/*
	 * Runs a program: lists of texts, each with a final NUL. `done` as of send, its `whole` an
	 * output of at most AUTH_MAX_FILE bytes in response.body. NULL: no programs are run.
	 */
	void *(*run)(void *arg, struct str words, struct str variables, int64_t timeout_ms,
	    tokens_answered done, void *done_arg);
	void (*stop)(void *running);
	void *arg;
};

/* Who waits; embedded. */
struct token_wait {
	struct token_wait *next, **link; /* NULL link: it does not wait */
	struct token *token;
	struct event *timer;
	int64_t timeout_ms;
	/* The fetch ended, or the time is over: ask token_take() now, which then never says
	 * ERR_AGAIN. */
	void (*done)(struct token_wait *w);
	bool told, late; /* done was called; because the time was over */
};

/* `base` may be NULL: then nobody's time is ever over. */
struct tokens *tokens_new(struct event_base *base, const struct tokens_world *world);
/* All tokens must have been released. */
void tokens_free(struct tokens *all);
/* Ends all fetches, before the world goes. */
void tokens_stop(struct tokens *all);

/*
 * The token of a target's identity, to be released. ERR_INVALID or ERR_DENIED with `why` filled
 * when the target has not what the scheme needs.
 */
int token_get(struct tokens *all, struct target *t, const struct auth_scheme *scheme,
    struct token **out, struct result *why) MUST_CHECK;
/* Accepts NULL. Who waits for it must have been cancelled. */
void token_release(struct token *k);

/*
 * The credential to use now. 0: *out is valid until the loop turns. ERR_AGAIN: `w` waits, w->done
 * will be called; w->timeout_ms and w->done are set by the caller. ERR_DENIED: there is none, `why`
 * says so. A target of the same identity, for what a fetch needs.
 */
int token_take(struct token *k, struct target *t, struct token_wait *w,
    const struct credential **out, struct result *why) MUST_CHECK;
/* Waits no more; nothing when it does not wait. */
void token_wait_cancel(struct token_wait *w);
/* Which credential it is: another number for each that was fetched; 0: none yet. */
uint64_t token_version(const struct token *k);
/* The credential that is there, expired or not; NULL: none was fetched yet. */
const struct credential *token_credential(const struct token *k);
/* The provider refused the credential (401): it is fetched anew before it is used again. */
void token_refused(struct token *k, uint64_t version);

#endif
