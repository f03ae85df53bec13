/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a path to the config as LiteLLM sees it: files included, `os.environ/NAME` resolved, its
 * `environment_variables` set. What the values mean is decided by who reads them.
 */
#ifndef SUPERVISOR_CONFIG_LOAD_H
#define SUPERVISOR_CONFIG_LOAD_H

#include "shared/err.h"
#include "supervisor/config/environ.h"
#include "supervisor/config/node.h"

/*
 * *root is a MAP in the arena. With an error, which has been added to problems, it is NULL or what
 * could be read, only to find further mistakes in. Sets variables in env, which other parts then
 * ask for a provider's keys; for a reload make a new one.
 */
int load_config(struct arena *arena, const char *path, struct environ *env,
    struct problems *problems, struct node **root) MUST_CHECK;

#endif
