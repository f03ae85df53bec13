/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls: the key that a request presents, in each of the forms that LiteLLM takes. */
#ifndef SUPERVISOR_FRONT_HTTP_AUTH_H
#define SUPERVISOR_FRONT_HTTP_AUTH_H

#include "shared/str.h"
#include "supervisor/front/http/parse.h"

enum caller {
	CALLER_ADMIN,	  /* presented the master key */
	CALLER_MEMBER,	  /* a viewer, or anybody where no key is set at all; no admin */
	CALLER_METRICS,	  /* may read /metrics alone */
	CALLER_NO_KEY,	  /* refused: nothing presented */
	CALLER_MALFORMED, /* refused: a header that holds no key */
	CALLER_UNKNOWN,	  /* refused: a key that is not ours */
};

struct keys;

/*
 * digest: SHA-256 of the master key, or empty when none is set; keys: the named ones. Takes the same
 * time for any wrong key.
 */
enum caller auth_caller(
    const struct http_request *r, struct str digest, const struct keys *keys);
/* Whether the request holds the token of /health/drain, or none is set. */
bool auth_drain_token(const struct http_request *r, const struct keys *keys);

#endif
