/* SPDX-License-Identifier: Apache-2.0 */
/* What the dialects of Amazon's services share: the region, and what is signed later
 * (workers/auth/). */
#ifndef WORKERS_DIALECTS_AWS_H
#define WORKERS_DIALECTS_AWS_H

#include "workers/auth/schemes.h"
#include "workers/dialects/ask.h"

#define AWS_DEFAULT_REGION "us-west-2"

/* The region that the request goes to and is signed for. */
const char *aws_region(const struct target *t);
/*
 * All headers, and the marks for the signature; with an api_key it is a bearer token and nothing is
 * signed. `service` is the one of the signature's scope: "bedrock".
 */
int aws_headers(struct asking *a, const char *service) MUST_CHECK;

#endif
