/* SPDX-License-Identifier: Apache-2.0 */
/* What a named API key may do. Said in the config, told to the front with the key's digest. */
#ifndef SHARED_KEYROLE_H
#define SHARED_KEYROLE_H

#include "shared/str.h"

#define KEY_NAME_MAX 64
#define KEYS_MAX 1000

enum key_role {
	KEY_ADMIN,   /* all, as the master key */
	KEY_VIEWER,  /* reads; sees no admin-only field */
	KEY_METRICS, /* /metrics and nothing else */
	KEY_DRAIN,   /* the token of /health/drain; no key of the API */
	KEY_ROLES,
};

static const char *const key_role_names[KEY_ROLES] = { "admin", "viewer", "metrics", "drain" };

/* The role of that name, or -1. */
static inline int
key_role_parse(struct str name)
{
	for (int i = 0; i < KEY_ROLES; i++)
		if (str_is(name, key_role_names[i]))
			return i;
	return -1;
}

#endif
