/* SPDX-License-Identifier: Apache-2.0 */
/* Which deployments a name means: an index over the fleet, made anew with each configuration. */
#ifndef SUPERVISOR_FRONT_HTTP_GROUPS_H
#define SUPERVISOR_FRONT_HTTP_GROUPS_H

#include <stddef.h>
#include <stdint.h>

#include "supervisor/front/fleet.h"

struct groups {
	bool made;
	uint32_t generation;
	uint64_t size;
	uint32_t *by_name;  /* indices into the fleet, sorted by model_name, then by position */
	uint32_t *by_model; /* … by litellm_params.model */
	uint32_t *first;    /* of each deployment: the index of the first one of its group */
};

/* Makes it fit for the fleet's present configuration. All zero is a good start. */
void groups_update(struct groups *g, const struct fleet *f);
void groups_clear(struct groups *g);
/*
 * Indices of the deployments with that model_name, else of those with that litellm_params.model, in
 * the fleet's order. Returns how many.
 */
size_t groups_find(
    const struct groups *g, const struct fleet *f, struct str name, const uint32_t **out);

#endif
