/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that several answers share: counted, never changed once somebody else has a reference. */
#ifndef SUPERVISOR_FRONT_HTTP_BLOB_H
#define SUPERVISOR_FRONT_HTTP_BLOB_H

#include <stddef.h>

#include "shared/buf.h"
#include "shared/str.h"

struct blob {
	size_t refs;
	size_t len;
	size_t room;	/* bytes of data */
	int fd;		/* an anonymous file with the same bytes, or -1 */
	unsigned sends; /* how often blob_file() was asked */
	struct blob *gzip; /* the same compressed (gzip.c); NULL: nobody asked yet */
	char *data;
};

/* With one reference, the caller's; its bytes are not set. */
struct blob *blob_new(size_t len);
/*
 * The same, in the place of an old one whose reference is given up: its memory is used again where
 * nobody else has it and it is large enough, but not much too large. Fresh memory for a large body
 * costs a page fault every 4 kB. Accepts NULL.
 */
struct blob *blob_renew(struct blob *old, size_t len);
struct blob *blob_copy(struct str s);
/* With the buffer's bytes, which are taken over and not copied; the buffer is empty afterwards. */
struct blob *blob_of_buf(struct buf *b);
/* One reference more. */
struct blob *blob_ref(struct blob *b);
/* One less; the last frees it. Accepts NULL. */
void blob_unref(struct blob *b);

/*
 * A file with the bytes, for sendfile(): worth it for a large blob that is sent again and again,
 * because nothing is copied then. -1 where it is not, or where there can be none.
 */
int blob_file(struct blob *b);

#endif
