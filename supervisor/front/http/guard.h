/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who guesses keys is answered late. Wrong keys are counted, of all clients together and of each
 * address; beyond a few in a short time each refusal waits. A good key waits only on a new connection
 * from an address that has just guessed: who hangs up instead of waiting must not learn from that.
 */
#ifndef SUPERVISOR_FRONT_HTTP_GUARD_H
#define SUPERVISOR_FRONT_HTTP_GUARD_H

#include <stdint.h>

#include "supervisor/front/http/route.h"

struct guard;
struct http;
struct sockaddr;

struct guard *guard_new(void);
/* Accepts NULL. */
void guard_free(struct guard *g);
/* Where the wrong keys of the client's address are counted. */
uint16_t guard_place(const struct guard *g, const struct sockaddr *client);

/* A wrong key was presented: answers with the status and the JSON text (static), now or later. */
void guard_refuse(struct conn *c, int status, struct str json);
/* A good one was: its answer may have to wait. */
void guard_accept(struct conn *c);
/* Gives the connection its answer again when it has waited; for answer.c. */
void guard_wait(struct conn *c, const struct reply *r);
/* Wrong keys so far. */
uint64_t guard_count(const struct http *h);

#endif
