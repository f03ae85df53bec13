/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `check`: every deployment is asked once, and the supervisor is told of each verdict in the order
 * in which they come, of the progress, and of the end.
 */
#ifndef SUPERVISOR_FRONT_ROUND_H
#define SUPERVISOR_FRONT_ROUND_H

struct fleet;
struct peer;
struct round;
struct scheduler;

/* Begins; all are borrowed. The configuration must not change while it runs. */
struct round *round_new(struct fleet *fleet, struct scheduler *scheduler, struct peer *supervisor);
/* Accepts NULL. */
void round_free(struct round *r);

#endif
