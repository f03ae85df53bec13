/* SPDX-License-Identifier: Apache-2.0 */
/* The digests of the named API keys, as the supervisor tells them. The keys themselves never come here. */
#ifndef SUPERVISOR_FRONT_KEYS_H
#define SUPERVISOR_FRONT_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/keyrole.h"
#include "shared/msgs.h"
#include "shared/sha256.h"

struct key {
	enum key_role role;
	uint8_t digest[SHA256_LEN];
};

struct keys {
	struct key *v;
	size_t n;
	size_t callers; /* those that open the API, so all but KEY_DRAIN */
};

/* "ROLE NAME" -> digest, each; ERR_INVALID when one is not. *k is overwritten. */
int keys_read(struct keys *k, struct kvs list) MUST_CHECK;
void keys_clear(struct keys *k);
/* The role of that digest among all but (or, with drain, only) drain tokens; -1: none. In the same
 * time for every wrong one. */
int keys_find(const struct keys *k, const uint8_t digest[SHA256_LEN], bool drain);

#endif
