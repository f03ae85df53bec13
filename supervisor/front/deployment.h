/* SPDX-License-Identifier: Apache-2.0 */
/* A deployment's struct: made from its message, replaced by its next configuration, freed. The
 * fleet's own. */
#ifndef SUPERVISOR_FRONT_DEPLOYMENT_H
#define SUPERVISOR_FRONT_DEPLOYMENT_H

#include "supervisor/front/fleet.h"

/* Whether the message's values are what they must be. */
bool deployment_valid(const struct msg_conf_deployment *m);
/* A copy of all that a valid message says, with no verdict. */
struct deployment *deployment_new(const struct msg_conf_deployment *m);
void deployment_free(struct deployment *d);
/*
 * d takes over the configuration of `with`, which is freed, and keeps verdict, history and place in
 * the schedule. Its generation becomes the new one unless nothing but the position is another.
 */
void deployment_replace(struct deployment *d, struct deployment *with);
/* A model's name as the provider knows it, in what shows it: of "openai/gpt-4o" what is behind the deployment's own
 * provider. Points into `model`. */
struct str deployment_bare_model(const struct deployment *d, struct str model);

#endif
