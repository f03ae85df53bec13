/* SPDX-License-Identifier: Apache-2.0 */
/* Errors as problem details (RFC 9457), for clients that name the type in Accept. */
#ifndef SUPERVISOR_FRONT_HTTP_PROBLEM_H
#define SUPERVISOR_FRONT_HTTP_PROBLEM_H

#include <stdbool.h>

#include "supervisor/front/http/reply.h"

bool problem_wanted(struct str accept);
/*
 * Makes a problem of an answer in LiteLLM's shape, whose members are kept beside the standard ones.
 * Returns its new body, the caller's to drop; NULL where the answer says more than what is wrong
 * (the verdicts of a group that cannot serve): it stays as it is.
 */
struct blob *problem_of(struct reply *r);

#endif
