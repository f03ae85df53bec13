/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading HTTP/1.x requests: the head and the framing of the body (RFC 9112). Pure: bytes in,
 * slices out. Strict where leniency lets two readers disagree: bare line feeds, folded headers, a
 * length beside chunks and two lengths are refused.
 */
#ifndef SUPERVISOR_FRONT_HTTP_PARSE_H
#define SUPERVISOR_FRONT_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/str.h"

#define HTTP_MAX_HEADERS 100

enum http_method {
	HTTP_GET = 1,
	HTTP_HEAD = 2,
	HTTP_POST = 4,
	HTTP_OPTIONS = 8,
	HTTP_OTHER = 16,
};

/* Slices point into the bytes that were parsed. A header that is absent has p == NULL. */
struct http_request {
	enum http_method method;
	struct str method_text;
	struct str path, query; /* of the target, as sent; query without '?' */
	int minor;		/* 0 or 1 */
	bool keep_alive;
	bool chunked;
	bool expects; /* Expect: 100-continue */
	uint64_t content_length;
	/* The first of each name. */
	struct str host, authorization, api_key, x_api_key, x_litellm_api_key;
	struct str origin, cors_method, cors_headers;
	struct str if_none_match, request_id, call_id, last_event_id;
	struct str accept, accept_encoding, content_type, drain_token;
	struct str body; /* as it arrived; empty where there is none */
};

/*
 * Looks for the end of a head in n bytes. Returns its length with the empty line, or 0 when it is
 * not there yet. *scanned keeps where to go on when more has arrived; 0 at first.
 */
size_t http_head_end(const char *p, size_t n, size_t *scanned);
/*
 * Parses one complete head. Returns 0, or ERR_SYNTAX with the status to answer in *status: 400,
 * 417, 431, 501 or 505.
 */
int http_parse_head(const char *p, size_t n, struct http_request *r, int *status) MUST_CHECK;

/* Method and path, cut, on the heap, for logs. Without the query: a client may have put a key there. */
char *http_request_text(const struct http_request *r);

struct buf;

/* How far a body has been read; what it holds is not kept unless there is a buffer for it. */
struct http_body_reader {
	uint64_t left; /* of the length or of the chunk */
	uint64_t total, max;
	unsigned line; /* bytes of the chunk line or trailer so far */
	enum {
		HTTP_BODY_LENGTH,
		HTTP_BODY_SIZE,
		HTTP_BODY_EXTENSION,
		HTTP_BODY_SIZE_LF,
		HTTP_BODY_DATA,
		HTTP_BODY_DATA_CR,
		HTTP_BODY_DATA_LF,
		HTTP_BODY_TRAILER,
		HTTP_BODY_TRAILER_LF,
		HTTP_BODY_DONE,
	} state;
	unsigned trailer_line;
	struct buf *keep; /* NULL: nothing is kept */
};

/* Prepares for the request's body of at most max bytes. ERR_LIMIT when its stated length is more.
 */
int http_body_begin(
    struct http_body_reader *b, const struct http_request *r, uint64_t max) MUST_CHECK;
/*
 * Reads on: *used says how many of the n bytes belong to the body. Returns 0 when it is complete,
 * ERR_AGAIN when more is needed, ERR_LIMIT (413) or ERR_SYNTAX (400).
 */
int http_body_read(struct http_body_reader *b, const char *p, size_t n, size_t *used) MUST_CHECK;

/* Whether a list of entity tags (If-None-Match) names this one (with its quotes) or is `*`. */
bool http_etag_matches(struct str list, struct str etag);

#endif
