/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The instances that are alive, and which of them a deployment belongs to: the highest of their
 * rendezvous hashes, so that all who know the same members agree, and one who comes or goes moves
 * its own share only. Pure: no clock, no Redis.
 */
#ifndef SUPERVISOR_FRONT_STORE_MEMBERS_H
#define SUPERVISOR_FRONT_STORE_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/str.h"

#define MEMBERS_MAX 10000
#define MEMBER_NAME_MAX 128
/* Between the region and the name of one in a region. */
#define MEMBER_REGION_END '/'

struct members {
	char **names; /* sorted, each once */
	uint64_t *hashes;
	size_t n;
};

/* Replaces all. Too long names and those past the maximum are left out. True when they are others.
 */
bool members_set(struct members *m, const struct str *names, size_t n);
void members_clear(struct members *m);
/* Whose the deployment is; -1 when nobody is there. */
long members_owner(const struct members *m, struct str deployment);
/* Whether it is this one's. */
bool members_owns(const struct members *m, struct str name, struct str deployment);

/* The witness that a member is: its region, or itself. Points into the name. */
struct str member_witness(const char *name);
/* The witnesses of a deployment, at most so many (0: as many as there is room for). */
size_t members_witnesses(
    const struct members *m, struct str deployment, size_t most, struct str *out, size_t room);
/* Whether this one asks for its witness, which is one of the deployment's. */
bool members_speaks(
    const struct members *m, struct str name, struct str deployment, size_t most);

#endif
