/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strategy routers: entries of model_list that ask no provider but choose a model group for each
 * request. Says which groups they name, and that these are there; what becomes of their verdict is
 * the front's matter.
 */
#ifndef SUPERVISOR_CONFIG_ROUTER_H
#define SUPERVISOR_CONFIG_ROUTER_H

#include "supervisor/config/config.h"
#include "supervisor/config/reading.h"

/* Groups that one router may name. */
#define ROUTER_NEEDS_MAX 256

/* Whether the deployment is one, by its provider. */
bool router_is(const struct reading *r);
/* Fills front.depends: the words for it ("tier model 'x'") and the name. May refuse. */
void router_read(struct reading *r);
/*
 * Once all deployments are read: each name becomes that of a group of model_list (an alias and a
 * wildcard are looked through). A name that means none, and a router that leads to nothing but
 * routers, get a problem.
 */
void routers_check(struct config *c, const struct node *root, struct problems *problems);

#endif
