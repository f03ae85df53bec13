/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A deployment's id as LiteLLM 1.106 makes it (litellm/router.py, _generate_model_id), letter by
 * letter: clients, dashboards and other proxies name deployments by it.
 */
#ifndef SUPERVISOR_CONFIG_IDS_H
#define SUPERVISOR_CONFIG_IDS_H

#include "shared/buf.h"
#include "shared/err.h"
#include "supervisor/config/node.h"

/*
 * Appends the id of an element of model_list: model_info.id when it is a text (even an empty one)
 * or a whole number, else the hash. A null id is as if absent; LiteLLM makes a new random one at
 * each start. ERR_INVALID when model_info.id has another type or a key cannot be hashed as LiteLLM
 * does; the hash of the rest is appended all the same, so that the deployment has an id. *bad (may
 * be NULL) is then the node at fault.
 */
int deployment_id(const struct node *element, struct buf *id, const struct node **bad) MUST_CHECK;

#endif
