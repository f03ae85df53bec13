/* SPDX-License-Identifier: Apache-2.0 */
/* Between the store and the fleet: verdicts go there packed, and come back. */
#ifndef SUPERVISOR_FRONT_KEEP_H
#define SUPERVISOR_FRONT_KEEP_H

#include <stddef.h>

#include "shared/err.h"

struct buf;
struct deployment;
struct fleet;
struct store;
struct store_item;

/* Keeps d's verdict and history. `scratch` is emptied and used; what fails is logged. */
void keep_put(struct store *store, const struct fleet *fleet, const struct deployment *d,
    struct buf *scratch);
/* The same for some of all, from the fleet's `at`th on. Where to go on; fleet_size(): that was all. */
size_t keep_put_from(struct store *store, const struct fleet *fleet, size_t at) MUST_CHECK;
/* Takes over a verdict that another instance has put. The deployment, or NULL when it is not ours
 * or what is held is as new. */
struct deployment *keep_take(struct fleet *fleet, const struct store_item *item);

/*
 * Loads all verdicts into the fleet; both are borrowed until `done`. Verdicts of deployments that
 * the fleet does not have are removed from the store. `done` is called from the loop, whatever
 * could be read.
 */
int keep_load(
    struct store *store, struct fleet *fleet, void (*done)(void *arg), void *arg) MUST_CHECK;

#endif
