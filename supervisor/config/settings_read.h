/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the tree to the settings: each row of settings.def where it stands in the config, else in
 * the variable that LiteLLM reads for it. `llmhealth:` takes nothing else; elsewhere unknown keys
 * are LiteLLM's business, unless one looks like a health key with a slip of the pen.
 */
#ifndef SUPERVISOR_CONFIG_SETTINGS_READ_H
#define SUPERVISOR_CONFIG_SETTINGS_READ_H

#include "shared/settings.h"
#include "supervisor/config/environ.h"
#include "supervisor/config/node.h"
#include "supervisor/config/problem.h"

/*
 * Fills s (initialised). Every mistake is added as an error with its place; the setting keeps its
 * default. The master key is in s afterwards.
 */
void settings_read(const struct node *root, const struct environ *env, struct problems *problems,
    struct settings *s);

#endif
