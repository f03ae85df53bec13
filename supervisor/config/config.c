/* SPDX-License-Identifier: Apache-2.0 */
/* A whole configuration, put together. */
#include "supervisor/config/config.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "shared/secret.h"
#include "supervisor/config/credentials.h"
#include "supervisor/config/keys.h"
#include "supervisor/config/load.h"
#include "supervisor/config/router.h"
#include "supervisor/config/names.h"
#include "supervisor/config/settings_read.h"

/* Ids that were there already: open addressing over the deployments' indexes. */
struct seen {
	uint32_t *slots; /* index + 1 */
	size_t n;	 /* a power of two, at least twice the deployments */
};

/* The deployment that has the id, or NULL: then it belongs to `index` now. */
static const struct deployment *
seen_before(struct seen *seen, const struct config *c, struct str id, size_t index)
{
	size_t i = str_hash(id) & (seen->n - 1);

	for (; seen->slots[i] != 0; i = (i + 1) & (seen->n - 1))
		if (str_eq(c->deployments[seen->slots[i] - 1].front.id, id))
			return &c->deployments[seen->slots[i] - 1];
	seen->slots[i] = (uint32_t)index + 1;
	return NULL;
}

static void
read_deployments(struct config *c, const struct node *list, const struct deployment_context *ctx)
{
	struct seen seen = { NULL, 64 };

	while (seen.n < list->n * 2)
		seen.n *= 2;
	seen.slots = xcalloc(seen.n, sizeof(*seen.slots));
	c->deployments = xcalloc(list->n + 1, sizeof(*c->deployments));
	for (size_t i = 0; i < list->n; i++) {
		struct deployment *d = &c->deployments[c->n_deployments];
		const struct deployment *first;

		if (!deployment_read(ctx, list->items[i], (uint32_t)i, d))
			continue;
		first = seen_before(&seen, c, d->front.id, c->n_deployments);
		if (first == NULL)
			c->n_deployments++;
		else
			problem_warning(ctx->problems, list->items[i]->mark,
			    "the same id as the deployment in line %u, which is the one that is "
			    "checked",
			    first->line);
	}
	free(seen.slots);
}

static void
read_model_list(struct config *c, const struct node *root, const struct deployment_context *ctx)
{
	const struct node *list = node_get_set(root, "model_list");

	if (list == NULL)
		return;
	if (list->type != NODE_LIST)
		problem_error(ctx->problems, list->mark,
		    "model_list is %s, expected a list of deployments", node_type_name(list));
	else if (list->n > CONFIG_DEPLOYMENTS_MAX)
		problem_error(ctx->problems, list->mark,
		    "model_list has %zu entries, expected at most %d", list->n,
		    CONFIG_DEPLOYMENTS_MAX);
	else
		read_deployments(c, list, ctx);
	routers_check(c, root, ctx->problems);
}

/* The key itself is forgotten once its digest is made. */
static void
digest_key(struct config *c)
{
	char *key = c->settings.text[SETTING_MASTER_KEY];
	size_t n = strlen(key);
	unsigned made = 0;

	if (n == 0)
		return;
	c->has_key = EVP_Digest(key, n, c->key_digest, &made, EVP_sha256(), NULL) == 1;
	secret_wipe(key, n);
	key[0] = '\0';
	if (!c->has_key || made != sizeof(c->key_digest))
		abort(); /* SHA-256 cannot fail; going on without the key would open the door */
}

int
config_read(const struct node *root, const struct environ *env, struct problems *problems,
    struct config **out)
{
	struct config *c = xcalloc(1, sizeof(*c));
	struct deployment_context ctx = { NULL, &c->settings, root, env, problems };

	*out = NULL;
	ctx.arena = c->arena = arena_new();
	settings_init(&c->settings);
	settings_read(root, env, problems, &c->settings);
	digest_key(c);
	c->keys = keys_config_read(root, &c->settings, c->arena, problems);
	credentials_check(root, problems);
	names_check(root, problems);
	read_model_list(c, root, &ctx);
	if (problems_errors(problems) > 0) {
		config_free(c);
		return ERR_INVALID;
	}
	*out = c;
	return 0;
}

int
config_load(const char *path, char *const *env, struct problems *problems, struct config **out)
{
	struct arena *arena = arena_new();
	struct environ *variables = environ_new(env);
	struct node *root = NULL;
	int rc;

	*out = NULL;
	rc = load_config(arena, path, variables, problems, &root);
	/* What could be read is checked too, so that all mistakes are told at once. */
	if (root) {
		int checked = config_read(root, variables, problems, out);

		if (rc == 0)
			rc = checked;
	}
	environ_free(variables);
	arena_free(arena);
	return rc;
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	settings_clear(&c->settings);
	free(c->deployments);
	arena_free(c->arena);
	secret_wipe(c->key_digest, sizeof(c->key_digest));
	free(c);
}
