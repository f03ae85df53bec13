/* SPDX-License-Identifier: Apache-2.0 */
/* Health keys that are probably misspelled or in the wrong place. LiteLLM passes over them in
 * silence. */
#ifndef SUPERVISOR_CONFIG_NAMES_H
#define SUPERVISOR_CONFIG_NAMES_H

#include "supervisor/config/node.h"
#include "supervisor/config/problem.h"

/* Adds a warning for each, in general_settings, and in litellm_params and model_info of all
 * deployments. */
void names_check(const struct node *root, struct problems *problems);

#endif
