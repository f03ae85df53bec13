/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment that a config is read in: the variables of the process, and over them those that
 * the config itself sets. Given as a parameter, so that nothing below main() asks the process for
 * them.
 *
 * What LiteLLM 1.106.2 does is kept (proxy/proxy_server.py, ProxyConfig): get_config() replaces
 * each `os.environ/NAME` by what the process has, and only then load_config() exports
 * `environment_variables`. A variable set there is therefore seen by what looks a provider's key up
 * later, but not by an `os.environ/NAME` of the same config.
 */
#ifndef SUPERVISOR_CONFIG_ENVIRON_H
#define SUPERVISOR_CONFIG_ENVIRON_H

#include "shared/err.h"
#include "supervisor/config/node.h"

struct environ;

/* Copies `NAME=VALUE` texts up to NULL, such as main()'s third argument; NULL for an empty one. */
struct environ *environ_new(char *const *variables);
/* Wipes and frees; accepts NULL. */
void environ_free(struct environ *env);
/* The value, borrowed until that variable is set again; NULL when it is not set. */
const char *environ_get(const struct environ *env, const char *name);
/* Sets a variable, as `environment_variables` of a config does. */
void environ_set(struct environ *env, const char *name, const char *value);

/* Levels below which LiteLLM looks for `os.environ/` (DEFAULT_MAX_RECURSE_DEPTH). */
#define ENVIRON_DEPTH_MAX 100

/*
 * Makes a copy of a config in which each `os.environ/NAME` that LiteLLM resolves is what the
 * variable holds: true or false when it says so in any case, a text, or null when it is not set.
 * Resolved are values of mappings at any depth, not a text that stands in a list itself. Such a
 * node has from_env and env_name. Nodes without any below them are shared with the original.
 */
int environ_resolve(struct arena *arena, const struct environ *env, struct problems *problems,
    struct node *root, struct node **out) MUST_CHECK;
/*
 * Sets what `environment_variables` of a resolved config holds, as Python's str() writes it. Passed
 * over with a warning: names that LiteLLM does not let a config set, and null.
 */
int environ_export(
    struct environ *env, struct problems *problems, const struct node *root) MUST_CHECK;

#endif
