/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole configuration: settings and deployments, read from LiteLLM's config.yaml and the
 * environment, ready to be sent to the children. Loading has no side effects; a bad config leaves
 * nothing behind but its problems.
 */
#ifndef SUPERVISOR_CONFIG_CONFIG_H
#define SUPERVISOR_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/err.h"
#include "shared/msgs.h"
#include "shared/settings.h"
#include "shared/str.h"
#include "supervisor/config/deployment.h"
#include "supervisor/config/problem.h"

/* Deployments of one config at most. */
#define CONFIG_DEPLOYMENTS_MAX 1000000

struct config {
	struct settings settings; /* SETTING_MASTER_KEY is always empty: only its digest is kept */
	unsigned char key_digest[32]; /* SHA-256 of the master key */
	bool has_key;
	struct kvs keys; /* the other keys' digests, as msg_conf_begin.keys wants them */
	struct deployment *deployments; /* in the order of model_list; ids are unique */
	size_t n_deployments;
	struct arena *arena; /* owns all texts; wiped when freed */
};

/*
 * Reads the file, what it includes, and the environment (`env`: NAME=VALUE, NULL-terminated, as
 * environ(7)). All that is wrong is added to `problems`, at once. Returns
 * - 0 and *out when the config can be used. There may still be warnings, and findings of single
 *   deployments (PROBLEM_DEPLOYMENT): those are in *out with their problem, not askable;
 * - ERR_INVALID, ERR_SYNTAX, ERR_LIMIT or ERR_IO when not; *out is NULL and there is at least one
 *   finding of severity PROBLEM_ERROR.
 */
int config_load(
    const char *path, char *const *env, struct problems *problems, struct config **out) MUST_CHECK;

/*
 * The same from a tree whose files are included and whose variables are resolved. Returns 0 or
 * ERR_INVALID. The tree may be freed afterwards.
 */
int config_read(const struct node *root, const struct environ *env, struct problems *problems,
    struct config **out) MUST_CHECK;

/* Wipes all secrets and frees; accepts NULL. */
void config_free(struct config *c);

/* The digest as msg_conf_begin.key_digest wants it: 32 bytes, or empty when no key is set. */
static inline struct str
config_key_digest(const struct config *c)
{
	return (struct str){ (const char *)c->key_digest, c->has_key ? sizeof(c->key_digest) : 0 };
}

#endif
