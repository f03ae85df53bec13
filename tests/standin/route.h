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
#define ROUTE_EVENT "application/json; websocket" /* a WebSocket's first event */

/* How a provider says that something is wrong. */
enum error_shape {
	ERRORS_OPENAI,	 /* {"error": {"message", "type", "param", "code"}} */
	ERRORS_CLAUDE,	 /* {"type": "error", "error": {"type", "message"}} */
	ERRORS_GOOGLE,	 /* {"error": {"code", "message", "status"}} */
	ERRORS_AWS,	 /* {"message"} and a header with the exception's name */
	ERRORS_OAUTH,	 /* {"error", "error_description"} */
	ERRORS_MESSAGE,	 /* {"message"} */
	ERRORS_MESSAGES, /* {"errors": [{"code", "message"}]} */
	ERRORS_ERRORS,	 /* {"errors": ["..."]} */
	ERRORS_ERROR,	 /* {"error": "..."} */
	ERRORS_DETAIL,	 /* {"detail": "..."} */
};

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

	/* Of a row of dialects.def, where `suffix` is a glob: */
	const char *text;  /* instead of `body`; NULL in other rows */
	const char *host;  /* a glob; "" is any */
	const char *needs; /* a text that the request's body has; of a WebSocket, the client's first
			      message */
	const char *auth;  /* see strict.h */
	enum error_shape errors;
};

/* The first row, in the order of the tables, whose suffix fits the path; with method only one of
 * that method. NULL when there is none. */
const struct route *route_find(struct str path, const char *method);
/* The same in dialects.def, which is read first: what is found depends on host and body too. */
const struct route *route_find_dialect(
    struct str path, struct str host, struct str body, const char *method);
/* Whether any row of dialects.def fits the path. */
bool route_varies(struct str path);
/* The model that a path of dialects.def names, or an empty text. */
struct str route_dialect_model(struct str path);
/* Whether it is a WebSocket's. */
bool route_is_websocket(const struct route *r);
/* Writes a route's healthy body. */
void route_write(const struct route *r, struct buf *b, struct str model, bool usage);
/* The model that the path names, or an empty text: /models/ID, /deployments/ID/... */
struct str route_path_model(const struct route *r, struct str path);

#endif
