/* SPDX-License-Identifier: Apache-2.0 */
/* A Google external account of a machine at AWS: what it shows is a signed question to AWS's STS. */
#ifndef WORKERS_AUTH_GOOGLE_AWS_H
#define WORKERS_AUTH_GOOGLE_AWS_H

#include "workers/auth/auth.h"

/* Values of x->state that are this file's. */
#define GOOGLE_AWS_STATES 16u

/* Names of what it reads, for an identity; until NULL. */
extern const char *const google_aws_parts[];

/*
 * `json` is the external account, `audience` its own. AUTH_SEND: the machine's metadata is asked;
 * 0: x->kept is the subject token; or an error. Reads secrets aws_access_key_id,
 * aws_secret_access_key, aws_session_token and the param aws_region_name before the metadata.
 */
int google_aws_ask(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct str json, struct str audience, struct request *req, struct result *why) MUST_CHECK;
/* AUTH_MORE or an error. */
int google_aws_judge(const struct target *t, struct auth_exchange *x, const struct response *resp,
    struct result *why) MUST_CHECK;

#endif
