/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/models and /v1/model/info: what is configured, as LiteLLM lists it. */
#ifndef SUPERVISOR_FRONT_HTTP_MODELS_H
#define SUPERVISOR_FRONT_HTTP_MODELS_H

#include "supervisor/front/http/route.h"

struct models;

struct models *models_new(void);
void models_free(struct models *m);

void models_handle_list(struct conn *c, const struct http_request *r, enum caller caller);
void models_handle_info(struct conn *c, const struct http_request *r, enum caller caller);

#endif
