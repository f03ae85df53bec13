/* SPDX-License-Identifier: Apache-2.0 */
/* The anchors of one document and the nodes that they name. */
#ifndef SUPERVISOR_CONFIG_ANCHOR_H
#define SUPERVISOR_CONFIG_ANCHOR_H

#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "supervisor/config/node.h"

#define ANCHORS_MAX 10000

struct anchor {
	char *name;
	struct node *node; /* NULL while its value is being read */
};

struct anchors {
	struct anchor *list;
	size_t n, cap;
	uint16_t *slots; /* index + 1 by the name's hash */
};

void anchors_init(struct anchors *a);
void anchors_clear(struct anchors *a);
/* The index of a new anchor; ERR_EXISTS or ERR_LIMIT. */
int anchors_add(struct anchors *a, const char *name) MUST_CHECK;
/* Borrowed until the next one is added; NULL when there is none of that name. */
struct anchor *anchors_get(struct anchors *a, const char *name);

#endif
