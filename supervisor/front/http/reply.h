/* SPDX-License-Identifier: Apache-2.0 */
/* The head of an answer, as LiteLLM's proxy writes it: same names, same values. */
#ifndef SUPERVISOR_FRONT_HTTP_REPLY_H
#define SUPERVISOR_FRONT_HTTP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/str.h"
#include "supervisor/front/http/blob.h"

enum reply_type {
	REPLY_JSON,
	REPLY_TEXT,
	REPLY_HEALTH,  /* application/health+json */
	REPLY_PROBLEM, /* application/problem+json */
	REPLY_NO_TYPE, /* no content-type */
	REPLY_STREAM,  /* neither that nor a length: it ends with the connection */
};

struct reply {
	int status;
	enum reply_type type;
	struct str lead;   /* borrowed: what the body begins with; small, it is copied */
	struct blob *body; /* borrowed: the rest of it; NULL: empty */
	struct str etag;   /* with its quotes; empty: none */
	struct str extra;  /* complete header lines, each with CRLF */
	struct str vary;   /* empty: `Origin` */
	bool gzip;	   /* the body is compressed */
};

/* What of the request and the connection shows in the head. */
struct reply_context {
	struct str origin;     /* that may read the answer: CORS headers; empty: none */
	bool head;	       /* answer to HEAD: length, no body */
	bool close;	       /* the connection ends after this */
	bool keep_alive;       /* say so (HTTP/1.0) */
	bool no_store;	       /* for this client alone */
	struct str request_id;
	int64_t now_ms;
};

/* A copy that outlives what the answer borrows; its body has a reference more. */
void reply_keep(struct reply *kept, const struct reply *r);
void reply_drop(struct reply *kept);
/* Appends the whole head with its empty line. */
void reply_head(struct buf *out, const struct reply *r, const struct reply_context *c);
/* A copy of a request id, or NULL where it could not stand in a header and in a log as it is. */
char *reply_clean_id(struct str id);
/* The standard phrase of a status. */
const char *reply_phrase(int status);
/* Appends a date as RFC 9110 writes it (29 characters). */
void reply_date(struct buf *out, int64_t wall_ms);
/* The body `{"detail":"…"}` with the phrase of the status, or with the text when not NULL. */
struct blob *reply_detail(int status, const char *text);

#endif
