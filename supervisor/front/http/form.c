/* SPDX-License-Identifier: Apache-2.0 */
/* In the order in which it is decided: the status first, then what is said, then how it is packed. */
#include "supervisor/front/http/form.h"

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/front/http/accept.h"
#include "supervisor/front/http/gzip.h"
#include "supervisor/front/http/problem.h"
#include "supervisor/front/http/server.h"

#define GZIP_TAG "-gzip\""

struct waiting {
	struct conn *conn;
	struct gzip_wait wait;
	struct reply reply; /* kept */
};

void
form_read(struct form *f, const struct http_request *r)
{
	f->gzip = r->accept_encoding.n > 0 && accept_gzip(r->accept_encoding);
	f->problem = r->accept.n > 0 && problem_wanted(r->accept);
	f->if_none_match = r->if_none_match.n > 0 ? str_dup(r->if_none_match) : NULL;
}

void
form_clear(struct form *f)
{
	free(f->if_none_match);
	*f = (struct form){ 0 };
}

/* Whether it would be compressed for who takes that. */
static bool
is_packable(const struct http *h, const struct reply *r)
{
	int64_t least = http_setting(h, SETTING_HTTP_GZIP);
	size_t len = r->lead.n + (r->body ? r->body->len : 0);

	return gzip_built() && least > 0 && r->type != REPLY_STREAM && len >= (size_t)least;
}

/* The compressed body is another representation: its entity tag is another, too. */
static void
pack_tag(struct formed *made)
{
	struct reply *r = &made->reply;

	if (r->etag.n == 0)
		return;
	snprintf(made->tag, sizeof(made->tag), "%.*s" GZIP_TAG, (int)(r->etag.n - 1), r->etag.p);
	r->etag = str_of(made->tag);
}

static bool
pack(struct http *h, struct formed *made)
{
	struct reply *r = &made->reply;
	struct blob *body = r->body ? gzip_body(h->gzip, r->body) : NULL;

	if (r->body && body == NULL)
		return false;
	if (r->lead.n > 0) {
		body = gzip_joined(h->gzip, r->lead, body);
		blob_unref(made->own);
		made->own = body;
	}
	r->lead = STR("");
	r->body = body;
	r->gzip = true;
	return true;
}

bool
form_make(struct http *h, const struct form *f, const struct reply *r, struct formed *made)
{
	bool packable, packed;

	*made = (struct formed){ .reply = *r };
	if (f->problem && r->status >= 400 && r->type == REPLY_JSON)
		made->own = problem_of(&made->reply);
	packable = is_packable(h, &made->reply);
	packed = packable && f->gzip;
	if (packable) {
		snprintf(made->vary, sizeof(made->vary), "%.*s, Accept-Encoding",
		    r->vary.n > 0 ? (int)r->vary.n : 6, r->vary.n > 0 ? r->vary.p : "Origin");
		made->reply.vary = str_of(made->vary);
	}
	if (packed)
		pack_tag(made);
	if (f->if_none_match && r->status == 200 && r->etag.n > 0 &&
	    http_etag_matches(str_of(f->if_none_match), made->reply.etag)) {
		made->reply.status = 304;
		made->reply.body = NULL;
		made->reply.lead = STR("");
		packed = false;
	}
	return !packed || pack(h, made);
}

void
form_done(struct formed *made)
{
	blob_unref(made->own);
}

/* Waiting. */

static void
waiting_free(struct waiting *w)
{
	reply_drop(&w->reply);
	free(w);
}

static void
on_packed(struct gzip_wait *wait)
{
	struct waiting *w = (struct waiting *)((char *)wait - offsetof(struct waiting, wait));

	conn_reply_late(w->conn, &w->reply);
	waiting_free(w);
}

static void
on_cancel(void *arg)
{
	struct waiting *w = arg;

	gzip_cancel(conn_http(w->conn)->gzip, &w->wait);
	waiting_free(w);
}

void
form_wait(struct conn *c, const struct reply *r)
{
	struct waiting *w = xcalloc(1, sizeof(*w));

	w->conn = c;
	w->wait.done = on_packed;
	reply_keep(&w->reply, r);
	gzip_wait(conn_http(c)->gzip, r->body, &w->wait);
	conn_wait(c, on_cancel, w);
}
