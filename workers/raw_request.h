/* SPDX-License-Identifier: Apache-2.0 */
/* raw_request_typed_dict: what LiteLLM shows of the request of an unhealthy deployment, keys
 * masked. */
#ifndef WORKERS_RAW_REQUEST_H
#define WORKERS_RAW_REQUEST_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/str.h"

struct mask;
struct request;

/* A body that is larger is not shown. */
#define RAW_REQUEST_MAX_BODY ((size_t)32 << 10)

/* Appends the JSON object. */
void raw_request_add(struct buf *b, const struct request *r, const struct mask *mask);
/* Walks the request's header lines; *at starts at 0. False at the end. */
bool raw_request_next_header(
    const struct request *r, size_t *at, struct str *name, struct str *value);

#endif
