/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a TEST asks: a deployment with another mode or model, or a target made of nothing but what a
 * caller gave. A caller's base and a configured key never meet here.
 */
#ifndef WORKERS_TRIAL_H
#define WORKERS_TRIAL_H

struct entry;
struct msg_test;

/* With one holder. `base` is the deployment's entry, or NULL; NULL when one is needed and is not there. */
struct entry *trial_new(struct entry *base, const struct msg_test *m);

#endif
