/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface of a dialect: one wire format, as two pure functions. `build` says what to ask,
 * `judge` says what the answer means. No I/O, no clock, no randomness of their own: what varies
 * comes in. Adding a dialect is one file with a `const struct dialect`, a line in
 * shared/dialects.def and a fixture folder.
 */
#ifndef WORKERS_DIALECTS_DIALECT_H
#define WORKERS_DIALECTS_DIALECT_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/reason.h"
#include "shared/str.h"
#include "workers/target.h"

#define REQUEST_MAX_HEADERS 64
#define REQUEST_MAX_URL 8192
#define REQUEST_MAX_BODY ((size_t)1 << 20)

struct auth_scheme;
struct credential;

/* What varies from probe to probe. */
struct build_context {
	uint32_t variant; /* a random number: chat picks one of LiteLLM's two messages by it */
	int64_t now_ms;	  /* wall clock, for what is signed */
	/* What the target's scheme gave; NULL exactly when the dialect's scheme() is NULL or says
	 * NULL. */
	const struct credential *credential;
	unsigned char
	    random[16]; /* for ids that must differ from probe to probe; see request_add_uuid() */
};

/* One HTTP request. Everything is owned by the request and kept by request_reset() for the next. */
struct request {
	const char *method; /* static: "POST" */
	struct buf url;
	struct buf headers; /* lines "Name: value\0", one after the other */
	size_t n_headers;
	struct buf body;	  /* of a WebSocket's handshake: the first message behind it */
	struct buf shown_base;	  /* raw_request_api_base, as LiteLLM shows it */
	struct buf shown_body;	  /* raw_request_body, as LiteLLM shows it: a JSON value */
	const char *sign_service; /* for a scheme that signs, static: "bedrock"; NULL: none */
	struct buf sign_region;	  /* for a scheme that signs: "us-west-2" */
};

void request_init(struct request *r);
void request_reset(struct request *r);
void request_clear(struct request *r);
/* The value of a header that has been added (any case), empty when absent. */
struct str request_header(const struct request *r, const char *name);
/* Appends a version 4 UUID made of the context's random bytes; `n` tells apart those of one
 * request. */
void request_add_uuid(struct buf *b, const struct build_context *ctx, unsigned char n);
/* ERR_INVALID when name or value holds CR, LF or NUL; ERR_LIMIT at REQUEST_MAX_HEADERS. */
int request_add_header(struct request *r, struct str name, struct str value) MUST_CHECK;

/* One HTTP answer, whole. */
struct response {
	int status;
	struct str body;
	/* The value of a header (case-insensitive), empty when absent. */
	struct str (*header)(const struct response *r, const char *name);
	void *arg; /* of header() */
};

/* What the judge, or the transfer, found. `error` and `detail` are masked by the caller, not here.
 */
struct result {
	bool healthy;
	enum reason reason;
	int64_t exception_status;
	struct buf error; /* LiteLLM's first error line, "litellm.X: …"; empty when healthy */
	struct buf
	    detail; /* our own words: what was found, what was expected; empty when healthy */
	uint32_t tokens_in, tokens_out;
};

void result_init(struct result *r);
void result_reset(struct result *r);
void result_clear(struct result *r);

struct dialect {
	const char *name;
	/*
	 * How the target gets its credential (workers/auth/schemes.h): build then finds it in
	 * ctx->credential, and what the scheme signs is signed after build. NULL, here or as its
	 * result: the key that is configured is all that is needed.
	 */
	const struct auth_scheme *(*scheme)(const struct target *t);
	/*
	 * Fills the request. When the target cannot be asked (no key, no such mode) it returns
	 * ERR_INVALID and fills `why` (reason, exception_status, error, detail). The API key
	 * appears in headers (or URL) only.
	 */
	int (*build)(const struct target *t, const struct build_context *ctx, struct request *req,
	    struct result *why);
	/* Judges a whole answer of any status. Never fails: what is not the right shape is
	 * unhealthy. */
	void (*judge)(const struct target *t, const struct response *resp, struct result *res);
	/*
	 * For a target whose model is a wildcard; NULL: this dialect knows no list of models.
	 * `list` asks for the list as build does. `listed` reads a whole answer of any status: it
	 * calls `each` with every model, by the name that build takes, and returns 0, or
	 * ERR_INVALID with `res` filled.
	 */
	int (*list)(const struct target *t, const struct build_context *ctx, struct request *req,
	    struct result *why);
	int (*listed)(const struct target *t, const struct response *resp,
	    void (*each)(void *arg, struct str name), void *arg, struct result *res);
	/*
	 * The request is the same for the same variant and credential: it may be kept from probe to
	 * probe. What a scheme signs is built each time, whatever is said here.
	 */
	bool stable;
	/* How many variants there are; 1 when the request never varies. */
	uint32_t variants;
};

/* The dialect of that name, or NULL. */
const struct dialect *dialect_find(struct str name);

/*
 * How a probe ended that has no whole answer. Fills res with our reason and LiteLLM's words for the
 * target's provider (words.c). `what` is our own phrase: "connection refused by 127.0.0.1:9".
 */
void judge_transport(
    const struct target *t, enum reason reason, struct str what, struct result *res);

#endif
