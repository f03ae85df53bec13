/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What LiteLLM's proxy says about itself: its licence, callbacks, cache, queue. Where there is no
 * such thing here, the answer is LiteLLM's for "none".
 */
#ifndef SUPERVISOR_FRONT_HTTP_PROXY_H
#define SUPERVISOR_FRONT_HTTP_PROXY_H

#include "supervisor/front/http/route.h"

void proxy_handle_backlog(struct conn *c, const struct http_request *r, enum caller caller);
void proxy_handle_license(struct conn *c, const struct http_request *r, enum caller caller);
void proxy_handle_test(struct conn *c, const struct http_request *r, enum caller caller);
void proxy_handle_callbacks(struct conn *c, const struct http_request *r, enum caller caller);
void proxy_handle_key(struct conn *c, const struct http_request *r, enum caller caller);
void proxy_handle_cache(struct conn *c, const struct http_request *r, enum caller caller);
void proxy_handle_mcp(struct conn *c, const struct http_request *r, enum caller caller);

#endif
