/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The routes of the stand-in: one row of route_table[] in route.c each, and the bodies that
 * a working provider answers there. A new dialect is new rows and their bodies.
 */
#ifndef TESTS_STANDIN_ROUTE_H
#define TESTS_STANDIN_ROUTE_H

#include "shared/buf.h"
#include "shared/str.h"

#define ROUTE_JSON "application/json"

struct route {
	const char *method;
	const char
	    *suffix; /* of the path; with `inside` it is anywhere in it and the model comes after */
	bool inside;
	const char *content_type;
	/* `member` is what a wrong answer leaves out or spoils. */
	const char *object, *member;
	/* Writes a healthy body. `usage` false leaves the tokens out. */
	void (*body)(struct buf *b, struct str model, bool usage);
	/* The same as server-sent events, with "stream":true; NULL when the route has no such
	 * thing. */
	void (*stream)(struct buf *b, struct str model, bool usage);
};

/* The first row, in the order of the tables, whose suffix fits the path; with method only one of
 * that method. NULL when there is none. */
const struct route *route_find(struct str path, const char *method);
/* The model that the path names, or an empty text: /models/ID, /deployments/ID/... */
struct str route_path_model(const struct route *r, struct str path);

#endif
