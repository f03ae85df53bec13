/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verdicts of strategy routers: nobody is asked, they follow from those of the deployments that
 * a router may choose. Knows the fleet's deployments, changes only the routers' verdicts.
 */
#ifndef SUPERVISOR_FRONT_ROUTER_H
#define SUPERVISOR_FRONT_ROUTER_H

#include "supervisor/front/fleet.h"

struct routers;

/* Those of the fleet's deployments in force; NULL when there are none. Marks what they depend on
 * (deployment.feeds). */
struct routers *routers_new(struct fleet *f);
void routers_free(struct routers *r);

/*
 * Makes all their verdicts anew, and calls `changed` for each that is another now: a router is
 * unhealthy when a group that it names has no deployment that could be healthy, healthy when each
 * has one that is, else not known. Accepts NULL.
 */
void routers_settle(struct routers *r, struct fleet *f, int64_t now_ms,
    void (*changed)(struct fleet *f, struct deployment *d));

/* Calls `each` with the deployments that the router's verdict follows from, routers among them. */
void router_members(const struct deployment *router,
    void (*each)(struct deployment *d, void *arg), void *arg);

#endif
