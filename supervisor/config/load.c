/* SPDX-License-Identifier: Apache-2.0 */
/* The order of LiteLLM's get_config() and load_config(). */
#include "supervisor/config/load.h"

#include "supervisor/config/include.h"

int
load_config(struct arena *arena, const char *path, struct environ *env, struct problems *problems,
    struct node **root)
{
	struct node *raw;
	int rc = include_load(arena, path, problems, &raw), one;

	*root = NULL;
	if (raw == NULL)
		return rc;
	one = environ_resolve(arena, env, problems, raw, root);
	rc = rc < 0 ? rc : one;
	one = environ_export(env, problems, *root);
	return rc < 0 ? rc : one;
}
