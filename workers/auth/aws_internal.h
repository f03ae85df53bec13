/* SPDX-License-Identifier: Apache-2.0 */
/* What the three halves of AWS's scheme share: aws.c (its steps), aws_sign.c, aws_login.c. */
#ifndef WORKERS_AUTH_AWS_INTERNAL_H
#define WORKERS_AUTH_AWS_INTERNAL_H

#include "workers/auth/schemes.h"
#include "workers/auth/steps.h"

/* Whether the text may be a part of a signature's scope: a region. */
bool aws_is_scope(struct str s);
/* Adds a signature's headers. ERR_INVALID or ERR_LIMIT when the request is none that can be signed. */
int aws_sign_with(const struct credential *c, const char *service, const char *region,
    int64_t now_ms, struct request *req) MUST_CHECK;
/* The scheme's sign(). */
int aws_sign(const struct target *t, const struct credential *c, const struct build_context *ctx,
    struct request *req, struct result *why);

/* Takes keys that a service gave; `expires` in ISO 8601, or empty. */
int aws_take_keys(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct str id, struct str secret, struct str session, struct str expires,
    struct result *why) MUST_CHECK;

/* AUTH_RUN, then 0 with the keys, or an error. */
int aws_ask_process(const struct target *t, struct auth_exchange *x,
    const struct build_context *ctx, struct result *why) MUST_CHECK;
/* AUTH_READ, then AUTH_SEND, or an error. */
int aws_ask_sso(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why) MUST_CHECK;
/* 0 with the keys, or an error. */
int aws_judge_sso(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why) MUST_CHECK;

#endif
