/* SPDX-License-Identifier: Apache-2.0 */
/* The body of /health: lists and counts about a selection of deployments, in one turn of the loop or in several. */
#ifndef SUPERVISOR_FRONT_HTTP_HEALTH_BODY_H
#define SUPERVISOR_FRONT_HTTP_HEALTH_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/front/entry.h"
#include "supervisor/front/http/blob.h"

struct http;

struct body_selection {
	const uint32_t *v;	 /* indices; NULL: all */
	struct deployment *only; /* or this one */
	size_t n;
	bool found;
};

/* The lists of a body, in its order: what comes before each, and whose state is one of the two. */
enum body_list { BODY_HEALTHY, BODY_UNHEALTHY, BODY_UNKNOWN, BODY_DISABLED, BODY_LISTS };

/* A body in the making: its size is found out first. */
struct body_making {
	struct body_selection s;
	enum entry_kind kind;
	int64_t now_ms;
	uint8_t *states; /* of the selection's deployments */
	size_t counts[VERDICT_DISABLED + 1];
	size_t size;
	bool sized;
	enum body_list list; /* being written */
	size_t i;	/* the next of the selection */
	bool first;	/* of its list */
	struct blob *body;
	char *at;
	bool torn; /* an entry is not the one that was measured */
};

/* The i-th of a selection. */
struct deployment *body_chosen(const struct http *h, const struct body_selection *s, size_t i);

void body_begin(struct body_making *m, const struct body_selection *s, enum entry_kind kind);
/*
 * Goes on with at most so many deployments; returns whether m->body, with one reference, is made. It
 * is written in the place of *old, which is taken when its turn comes. Between two pieces nothing of
 * the fleet may change; where something did, body_drop() and begin anew.
 */
bool body_go_on(struct body_making *m, const struct http *h, size_t left, struct blob **old);
/* Forgets what is made so far. */
void body_drop(struct body_making *m);

#endif
