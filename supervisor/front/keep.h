/* SPDX-License-Identifier: Apache-2.0 */
/* Between the store and the fleet: verdicts go there packed, and come back. */
#ifndef SUPERVISOR_FRONT_KEEP_H
#define SUPERVISOR_FRONT_KEEP_H

#include "shared/err.h"

struct buf;
struct deployment;
struct fleet;
struct store;

/* Keeps d's verdict and history. `scratch` is emptied and used; what fails is logged. */
void keep_put(struct store *store, const struct deployment *d, struct buf *scratch);

/*
 * Loads all verdicts into the fleet and watches for others' from then on; both are borrowed as long
 * as the store is open. Verdicts of deployments that the fleet does not have are removed from the
 * store. `done` is called from the loop, whatever could be read.
 */
int keep_load(
    struct store *store, struct fleet *fleet, void (*done)(void *arg), void *arg) MUST_CHECK;

#endif
