/* SPDX-License-Identifier: Apache-2.0 */
/* GET /model_group/info: each model group as LiteLLM describes it, with the health of its deployments. */
#ifndef SUPERVISOR_FRONT_HTTP_MODEL_GROUPS_H
#define SUPERVISOR_FRONT_HTTP_MODEL_GROUPS_H

#include "supervisor/front/http/route.h"

void model_groups_handle(struct conn *c, const struct http_request *r, enum caller caller);

#endif
