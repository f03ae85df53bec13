/* SPDX-License-Identifier: Apache-2.0 */
/* Digests are compared one by one, all of them, so that the time says nothing. */
#include "supervisor/front/keys.h"

#include <stdlib.h>

#include "shared/buf.h"

void
keys_clear(struct keys *k)
{
	free(k->v);
	*k = (struct keys){ 0 };
}

int
keys_read(struct keys *k, struct kvs list)
{
	*k = (struct keys){ 0 };
	if (list.n > KEYS_MAX + 1)
		return ERR_INVALID;
	k->v = xcalloc(list.n + 1, sizeof(*k->v));
	for (size_t i = 0; i < list.n; i++) {
		struct str role = list.v[i].key;
		const char *blank = role.n > 0 ? memchr(role.p, ' ', role.n) : NULL;
		int parsed;

		if (blank)
			role.n = (size_t)(blank - role.p);
		parsed = key_role_parse(role);
		if (parsed < 0 || list.v[i].value.n != SHA256_LEN) {
			keys_clear(k);
			return ERR_INVALID;
		}
		k->v[k->n].role = (enum key_role)parsed;
		memcpy(k->v[k->n++].digest, list.v[i].value.p, SHA256_LEN);
		k->callers += parsed != KEY_DRAIN;
	}
	return 0;
}

int
keys_find(const struct keys *k, const uint8_t digest[SHA256_LEN], bool drain)
{
	int role = -1;

	for (size_t i = 0; i < k->n; i++) {
		bool same = sha256_equal(k->v[i].digest, digest);

		if (same && (k->v[i].role == KEY_DRAIN) == drain)
			role = (int)k->v[i].role;
	}
	return role;
}
