/* SPDX-License-Identifier: Apache-2.0 */
/* What --strict asks of a request: the right header, a signature that is recomputed or verified. */
#ifndef TESTS_STANDIN_STRICT_H
#define TESTS_STANDIN_STRICT_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/standin/request.h"

struct evp_pkey_st;

#define STRICT_SECRETS_MAX 32

struct strict {
	bool on;
	/* What token services accept: client secrets, passwords, keys; none: anything. */
	const char *secrets[STRICT_SECRETS_MAX];
	size_t n_secrets;
	const char *aws_secret;		/* NULL: only the form of a signature is looked at */
	struct evp_pkey_st *public_key; /* of Google's service account and of OCI; NULL: the same */
};

/*
 * NULL when `auth` (see dialects.def) is satisfied, else why it is not: a static text. NULL for
 * `auth`: a key is wanted in any of the usual headers, except by a server of one's own.
 */
const char *strict_refuses(
    const struct strict *strict, const char *auth, const struct request *r, int64_t now_s);
/* NULL, or what is wrong with the request beside its credentials: a static text. */
const char *strict_objects(
    const struct strict *strict, const char *auth, const struct request *r);
/* Reads a PEM file's public key; false when it holds none. */
bool strict_read_key(struct strict *strict, const char *path);
void strict_clear(struct strict *strict);
/* The value of a header, or an empty text. */
struct str strict_header(const struct request *r, const char *name);

#endif
