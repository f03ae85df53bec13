/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of an answer, as the headers of its request want it: not modified (304), problem details,
 * compressed. Handlers know nothing of it.
 */
#ifndef SUPERVISOR_FRONT_HTTP_FORM_H
#define SUPERVISOR_FRONT_HTTP_FORM_H

#include <stdbool.h>

#include "supervisor/front/http/parse.h"
#include "supervisor/front/http/reply.h"

struct conn;
struct http;

/* What the request at hand says; all zero says nothing. */
struct form {
	bool gzip;	     /* compressed is fine */
	bool problem;	     /* errors as application/problem+json */
	char *if_none_match; /* NULL: it has none */
};

#define FORM_TAG_MAX 64
#define FORM_VARY_MAX 192

/* An answer in its form. */
struct formed {
	struct reply reply;
	struct blob *own; /* to be dropped when it has been sent */
	char tag[FORM_TAG_MAX], vary[FORM_VARY_MAX];
};

void form_read(struct form *f, const struct http_request *r);
void form_clear(struct form *f);

/* Makes the answer. False: its body is not compressed yet; form_wait() takes it. */
bool form_make(struct http *h, const struct form *f, const struct reply *r, struct formed *made);
void form_done(struct formed *made);
/* The connection waits until the body is compressed, and is then given the answer again. */
void form_wait(struct conn *c, const struct reply *r);

#endif
