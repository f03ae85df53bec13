/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One hash for tables, for spreading phases and for noticing torn bytes (MurmurHash64A by Austin
 * Appleby, public domain, read in little-endian words). Not for keeping an attacker out.
 */
#ifndef SUPERVISOR_FRONT_HASH_H
#define SUPERVISOR_FRONT_HASH_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "shared/str.h"

static inline uint64_t
hash_bytes(const void *data, size_t n, uint64_t seed)
{
	const uint64_t m = 0xc6a4a7935bd1e995u;
	const unsigned char *p = data;
	uint64_t h = seed ^ (n * m), k;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&k, p, 8);
		k = le64toh(k) * m;
		h = (h ^ ((k ^ k >> 47) * m)) * m;
	}
	if (n > 0) {
		k = 0;
		for (size_t i = n; i-- > 0;)
			k = k << 8 | p[i];
		h = (h ^ k) * m;
	}
	h = (h ^ h >> 47) * m;
	return h ^ h >> 47;
}

static inline uint64_t
hash_str(struct str s)
{
	return hash_bytes(s.p, s.n, 0);
}

#endif
