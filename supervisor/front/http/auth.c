/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys in requests. Which header counts when several are there is LiteLLM's order:
 * x-litellm-api-key, Authorization, api-key, x-api-key. The scheme Basic is taken as LiteLLM takes
 * it: what follows is the key.
 */
#include "supervisor/front/http/auth.h"

#include <strings.h>

#include "shared/sha256.h"
#include "supervisor/front/keys.h"

/* What follows the scheme, or nothing. */
static struct str
after_scheme(struct str s)
{
	static const char *const schemes[] = { "Bearer ", "Basic " };

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t n = strlen(schemes[i]);

		if (s.n > n && strncasecmp(s.p, schemes[i], n) == 0) {
			s.p += n;
			s.n -= n;
			while (s.n > 0 && *s.p == ' ') {
				s.p++;
				s.n--;
			}
			return s;
		}
	}
	return STR("");
}

enum caller
auth_caller(const struct http_request *r, struct str digest, const struct keys *keys)
{
	uint8_t presented[SHA256_LEN];
	enum caller caller = CALLER_UNKNOWN;
	struct str key;

	if (digest.n != SHA256_LEN && keys->callers == 0)
		return CALLER_MEMBER;
	if (r->x_litellm_api_key.n > 0) {
		key = after_scheme(r->x_litellm_api_key);
		if (key.n == 0)
			key = r->x_litellm_api_key;
	} else if (r->authorization.p) {
		key = after_scheme(r->authorization);
		if (key.n == 0)
			return CALLER_MALFORMED;
	} else if (r->api_key.n > 0) {
		key = r->api_key;
	} else if (r->x_api_key.n > 0) {
		key = r->x_api_key;
	} else {
		return CALLER_NO_KEY;
	}
	sha256(key, presented);
	switch (keys_find(keys, presented, false)) {
	case KEY_VIEWER:
		caller = CALLER_MEMBER;
		break;
	case KEY_METRICS:
		caller = CALLER_METRICS;
		break;
	case KEY_ADMIN:
		caller = CALLER_ADMIN;
		break;
	default:
		break;
	}
	if (digest.n == SHA256_LEN && sha256_equal(presented, (const uint8_t *)digest.p))
		caller = CALLER_ADMIN;
	return caller;
}

bool
auth_drain_token(const struct http_request *r, const struct keys *keys)
{
	uint8_t presented[SHA256_LEN];

	if (keys->n == keys->callers)
		return true;
	sha256(r->drain_token, presented);
	return keys_find(keys, presented, true) == KEY_DRAIN;
}
