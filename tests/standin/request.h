/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading HTTP/1.0 and 1.1 requests from bytes: pure, no I/O. Strict, because whoever talks to the
 * stand-in is under test: what RFC 9112 calls an error is one here.
 */
#ifndef TESTS_STANDIN_REQUEST_H
#define TESTS_STANDIN_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/str.h"

#define REQUEST_HEAD_MAX (64 * 1024)
#define REQUEST_BODY_MAX (64 * 1024 * 1024)
#define REQUEST_HEADERS_MAX 256
#define REQUEST_MODEL_MAX 512

/* One request; all texts are borrowed from the bytes that it was read from. */
struct request {
	struct str method;
	struct str target; /* as it was sent */
	struct str path;   /* without scheme, host and query */
	struct str query;
	int minor; /* HTTP/1.minor */

	struct str headers;	  /* the header lines, for request_next_header() */
	struct str key;		  /* the API key, without "Bearer " */
	struct str authorization; /* the header that the key came in, whole */
	struct str behaviour;	  /* X-Standin */
	struct str content_type;
	bool keep_alive;
	bool expect_continue;
	bool chunked;
	uint64_t content_length;
	size_t head_len; /* up to and with the empty line */

	struct str body; /* set by the caller once it is whole */
};

/*
 * Reads the head at the start of n bytes. 0; ERR_AGAIN when it is not whole; ERR_SYNTAX; ERR_LIMIT
 * when the head, the number of headers or the announced body is too large.
 */
int request_read_head(struct request *r, const char *p, size_t n) MUST_CHECK;

/*
 * Reads chunks from p + *at on, where *at is 0 at first and is moved past each whole chunk. 0 when
 * the last chunk and the trailer are there, *at is then the length of it all; else as above.
 */
int request_read_chunks(const char *p, size_t n, size_t *at) MUST_CHECK;
/* Joins the chunks that request_read_chunks() accepted in place; the body's length. */
size_t request_join_chunks(char *p, size_t n);

/* The next header line from *rest; false at the end. Names as they were sent. */
bool request_next_header(struct str *rest, struct str *name, struct str *value);

/*
 * The value of a member of the JSON object `body`: the raw bytes, strings without their quotes.
 * False when there is none at the top level. Reads broken JSON as far as it goes.
 */
bool request_json_member(struct str body, const char *name, struct str *value);
/* A JSON string's raw bytes with its escapes undone, into `to`; cut at size. */
struct str request_json_unescape(struct str raw, char *to, size_t size);
/* The value of a field of a multipart body or a query; false when there is none. */
bool request_multipart_field(struct str body, const char *name, struct str *value);
bool request_query_field(struct str query, const char *name, struct str *value);
/* Undoes %XX and + into `to`; cut at size. */
struct str request_url_decode(struct str raw, char *to, size_t size);

#endif
