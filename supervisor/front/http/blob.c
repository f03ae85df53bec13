/* SPDX-License-Identifier: Apache-2.0 */
/* Counted bytes. One thread, so the count needs no atomics. */
#include "supervisor/front/http/blob.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_BYTES 65536 /* smaller ones are copied faster than a second call costs */
/* A larger one leaves faster as a copy, in the kernel's large pieces of memory instead of in pages,
 * and needs no second place in memory. */
#define FILE_BYTES_MAX (1u << 20)
#define FILE_SENDS 2 /* one that is replaced after its first answer needs no file */

struct blob *
blob_new(size_t len)
{
	struct blob *b = xmalloc(sizeof(*b) + len);

	b->refs = 1;
	b->len = b->room = len;
	b->fd = -1;
	b->sends = 0;
	b->gzip = NULL;
	b->data = (char *)(b + 1);
	return b;
}

struct blob *
blob_renew(struct blob *old, size_t len)
{
	if (old == NULL || old->refs > 1 || old->room < len || old->room / 4 > len) {
		blob_unref(old);
		return blob_new(len + len / 8);
	}
	/* The file's pages may still be on their way to a client. */
	if (old->fd >= 0)
		close(old->fd);
	old->fd = -1;
	old->sends = 0;
	blob_unref(old->gzip);
	old->gzip = NULL;
	old->len = len;
	return old;
}

struct blob *
blob_copy(struct str s)
{
	struct blob *b = blob_new(s.n);

	if (s.n > 0)
		memcpy(b->data, s.p, s.n);
	return b;
}

struct blob *
blob_of_buf(struct buf *from)
{
	struct blob *b = blob_new(0);

	b->len = b->room = from->len;
	b->data = buf_take(from);
	return b;
}

struct blob *
blob_ref(struct blob *b)
{
	b->refs++;
	return b;
}

void
blob_unref(struct blob *b)
{
	if (b == NULL || --b->refs > 0)
		return;
	if (b->fd >= 0)
		close(b->fd);
	blob_unref(b->gzip);
	if (b->data != (char *)(b + 1))
		free(b->data);
	free(b);
}

int
blob_file(struct blob *b)
{
#ifdef HAVE_MEMFD_CREATE
	if (b->len < FILE_BYTES || b->len > FILE_BYTES_MAX || b->sends > FILE_SENDS ||
	    ++b->sends < FILE_SENDS)
		return b->fd;
	b->sends = FILE_SENDS + 1; /* there is one now, or there never will be */
	b->fd = memfd_create("answer", MFD_CLOEXEC);
	for (size_t at = 0; b->fd >= 0 && at < b->len;) {
		ssize_t n = write(b->fd, b->data + at, b->len - at);

		if (n <= 0) {
			close(b->fd);
			b->fd = -1;
			break;
		}
		at += (size_t)n;
	}
#endif
	return b->fd;
}
