/* SPDX-License-Identifier: Apache-2.0 */
/* Counted bytes. One thread, so the count needs no atomics. */
#include "supervisor/front/http/blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_BYTES 65536 /* smaller ones are copied faster than a second call costs */
/* A larger one leaves faster as a copy, in the kernel's large pieces of memory instead of in pages,
 * and needs no second place in memory. */
#define FILE_BYTES_MAX (1u << 20)
#define SEND_BYTES ((size_t)512 << 10) /* at a time: copying more holds the others up */
#define FILE_SENDS 2 /* one that is replaced after its first answer needs no file */

struct blob *
blob_new(size_t len)
{
	struct blob *b = xmalloc(sizeof(*b) + len);

	b->refs = 1;
	b->len = b->room = len;
	b->fd = -1;
	b->sends = 0;
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

ssize_t
blob_send(int fd, struct str head, struct blob *body, size_t body_at)
{
	/* Asked once an answer: it counts how often the body is sent. */
	int file = body == NULL ? -1 : body_at == 0 ? blob_file(body) : body->fd;
	struct iovec iov[2];
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 0 };
	size_t left = body ? body->len - body_at : 0, part = left < SEND_BYTES ? left : SEND_BYTES;
	ssize_t sent = 0, n;

	if (head.n > 0)
		iov[m.msg_iovlen++] = (struct iovec){ (char *)head.p, head.n };
	if (body && file < 0)
		iov[m.msg_iovlen++] = (struct iovec){ body->data + body_at, part };
	if (m.msg_iovlen > 0) {
		sent = sendmsg(fd, &m, MSG_NOSIGNAL | (file >= 0 ? MSG_MORE : 0));
		if (sent < 0 || file < 0 || (size_t)sent < head.n)
			return sent;
	}
	if (file >= 0) {
		off_t at = (off_t)body_at;

		n = sendfile(fd, file, &at, part);
		if (n < 0 && (sent == 0 || (errno != EAGAIN && errno != EINTR)))
			return -1;
		sent += n > 0 ? n : 0;
	}
	return sent;
}
