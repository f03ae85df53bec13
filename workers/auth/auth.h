/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface of an auth scheme: how a credential is had, as pure steps, and how a request is
 * signed with it. Like a dialect it does no I/O and knows no clock; tokens.c sends the requests,
 * reads the files and keeps what came. Adding a scheme is one file and a line in schemes.h.
 */
#ifndef WORKERS_AUTH_AUTH_H
#define WORKERS_AUTH_AUTH_H

#include "workers/auth/credential.h"
#include "workers/dialects/dialect.h"

/* What a step says beside an error (ERR_*, with `why` filled). */
enum auth_step {
	AUTH_DONE = 0, /* the credential is complete */
	AUTH_SEND,     /* ask: the request is filled, its answer goes to judge */
	AUTH_READ,     /* ask: the file x->path is wanted; ask is called again with x->file */
	AUTH_MORE,     /* judge: ask is called again */
	AUTH_RUN,      /* ask: the program x->words is to be run; ask is called again with x->file */
};

#define AUTH_MAX_STEPS 16
#define AUTH_MAX_FILE ((size_t)64 << 10)

/* One fetch of a credential under way. tokens.c makes it and clears it. */
struct auth_exchange {
	unsigned step;	     /* 0 at first, then how many were sent */
	unsigned state;	     /* the scheme's own, 0 at first */
	const char *service; /* static: who is asked in this step, "AWS STS"; set by ask */
	struct buf path;     /* AUTH_READ: which file */
	struct str file;     /* its bytes, valid while ask runs; p is NULL when none was read */
	struct buf words;    /* AUTH_RUN: the program and its arguments, each with a final NUL */
	struct buf variables; /* AUTH_RUN: its variables, "NAME=value" each with a final NUL */
	int64_t run_ms;	     /* AUTH_RUN: how long it may take; 0: as long as a fetch */
	bool metadata;	     /* set by ask: the request goes to an instance metadata address */
	struct secret *kept; /* between steps, the scheme's own: a session token, an assertion */
	struct buf note;     /* between steps, the scheme's own: a role's name, a URL */
	struct secret *hidden[AUTH_MAX_STEPS]; /* what was sent and is no parameter of the target:
						  never shown */
	size_t n_hidden;
	struct credential *credential; /* being filled */
};

struct auth_scheme {
	const char *name;
	/*
	 * Appends all that decides which credential it is: two targets with the same text share
	 * one. It may hold secrets; it is hashed and wiped. ERR_INVALID with `why` filled when the
	 * target has not what the scheme needs.
	 */
	int (*identity)(const struct target *t, struct buf *key, struct result *why);
	/* The next step: AUTH_DONE, AUTH_SEND, AUTH_READ or an error. */
	int (*ask)(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
	    struct request *req, struct result *why);
	/* What the answer means: AUTH_DONE, AUTH_MORE or an error. Of any status, whole. */
	int (*judge)(const struct target *t, struct auth_exchange *x,
	    const struct build_context *ctx, const struct response *resp, struct result *why);
	/*
	 * Applied to what the dialect built, last of all: adds the headers of a signature. NULL
	 * when the dialect itself puts the token where it belongs. A scheme that signs is asked at
	 * each probe.
	 */
	int (*sign)(const struct target *t, const struct credential *c,
	    const struct build_context *ctx, struct request *req, struct result *why);
};

/*
 * Says that there is no credential: reason `auth`, status 401, LiteLLM's class and the provider's
 * name in front, never the provider's fault. `service` is who failed, or NULL. Returns ERR_DENIED.
 */
int auth_refuse(const struct target *t, struct result *why, const char *service, const char *fmt,
    ...) PRINTF_LIKE(4, 5);

void auth_exchange_init(struct auth_exchange *x);
void auth_exchange_clear(struct auth_exchange *x);
/* Remembers a text that words about this exchange must not show. There is room for one a step. */
void auth_hide(struct auth_exchange *x, struct str text);
/* The credential that stands for one that is not there yet, where a request is only shown. */
const struct credential *auth_shown_credential(void);

#endif
