/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4, as docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html says it.
 * Pure: a request and a key go in, a signature comes out. Of curl's own it differs in what it was
 * written for: the path is escaped once more than on the wire, as every service but S3 wants it.
 */
#ifndef WORKERS_AUTH_SIGV4_H
#define WORKERS_AUTH_SIGV4_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/str.h"

#define SIGV4_MAX_HEADERS 64
#define SIGV4_MAX_PARAMETERS 64

struct sigv4 {
	const char *method;
	struct str path;	  /* as on the wire, without the query; empty is "/" */
	struct str query;	  /* as on the wire, without the question mark */
	const struct kv *headers; /* that are signed, Host among them; what signing adds is not */
	size_t n_headers;
	struct str body;
	struct str access_key, secret_key;
	struct str session_token; /* empty: none */
	const char *region, *service;
	int64_t now_ms;
	bool normalize;	   /* "/a/../b//c" is signed as "/b/c" */
	bool sign_body;	   /* the body's digest is a signed header of its own */
	bool token_after;  /* the session token is added, but not signed */
	int64_t expires_s; /* of a signature in the query */
};

struct sigv4_signature {
	char date[17];		       /* "20150830T123600Z": X-Amz-Date */
	char body_digest[65];	       /* X-Amz-Content-Sha256 where sign_body says so */
	char hex[65];		       /* the signature alone */
	struct buf canonical, to_sign; /* kept for tests and for finding out why one is refused */
	struct buf value;	       /* of the header Authorization; or the whole query, signed */
};

void sigv4_signature_init(struct sigv4_signature *s);
void sigv4_signature_clear(struct sigv4_signature *s);

/*
 * Signs by header: X-Amz-Date, X-Amz-Security-Token and X-Amz-Content-Sha256 must then be added as
 * given here, and Authorization with s->value. ERR_LIMIT when there are too many headers or
 * parameters or the request is too large, ERR_INVALID when the time is outside the years 1970 to
 * 9999.
 */
int sigv4_sign(const struct sigv4 *r, struct sigv4_signature *s) MUST_CHECK;
/* The same by query, for the other half of AWS's tests: s->value is the query to be sent. */
int sigv4_sign_query(const struct sigv4 *r, struct sigv4_signature *s) MUST_CHECK;
/* Forgets the signing keys that are kept: for tests. */
void sigv4_forget(void);

#endif
