/* SPDX-License-Identifier: Apache-2.0 */
/* What judge.c has of judge_errors.c. */
#ifndef WORKERS_DIALECTS_JUDGE_INTERNAL_H
#define WORKERS_DIALECTS_JUDGE_INTERNAL_H

#include "workers/dialects/dialect.h"
#include "workers/dialects/places.h"

/* The places of errors. */
void judge_errors_init(struct places *p);
/* Whether an answer, which has been read, holds an error that says something. */
bool judge_errors_hold(struct places *p);
/* Fills `res` with it. */
void judge_errors_say(
    const struct target *t, const struct response *resp, struct places *p, struct result *res);

#endif
