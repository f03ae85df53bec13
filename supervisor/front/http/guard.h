/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who guesses keys is answered late. Wrong keys are counted; beyond a few in a short time each one's
 * refusal waits, while good keys are never held back.
 */
#ifndef SUPERVISOR_FRONT_HTTP_GUARD_H
#define SUPERVISOR_FRONT_HTTP_GUARD_H

#include "supervisor/front/http/route.h"

struct http;

/* A wrong key was presented: answers with the status and the JSON text (static), now or later. */
void guard_refuse(struct conn *c, int status, struct str json);
/* Wrong keys so far. */
uint64_t guard_count(const struct http *h);

#endif
