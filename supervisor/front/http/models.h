/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/models and /v1/model/info: what is configured, as LiteLLM lists it. */
#ifndef SUPERVISOR_FRONT_HTTP_MODELS_H
#define SUPERVISOR_FRONT_HTTP_MODELS_H

#include "supervisor/front/http/route.h"

struct groups;
struct http;
struct models;

struct models *models_new(void);
void models_free(struct models *m);

void models_handle_list(struct conn *c, const struct http_request *r, enum caller caller);
/* The index over the fleet, of its present configuration. */
const struct groups *models_groups(struct http *h);
void models_handle_pages(struct conn *c, const struct http_request *r, enum caller caller);
void models_handle_info(struct conn *c, const struct http_request *r, enum caller caller);

#endif
