/* SPDX-License-Identifier: Apache-2.0 */
/* Head and body in one system call, or the body out of its file. */
#include "supervisor/front/http/send.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SEND_BYTES ((size_t)512 << 10) /* of a body at a time: copying more holds the others up */

ssize_t
send_answer(int fd, const char *head, size_t head_len, struct blob *body, size_t body_at)
{
	/* Asked once an answer: it counts how often the body is sent. */
	int file = body == NULL ? -1 : body_at == 0 ? blob_file(body) : body->fd;
	struct iovec iov[2];
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 0 };
	size_t left = body ? body->len - body_at : 0, part = left < SEND_BYTES ? left : SEND_BYTES;
	ssize_t sent = 0, n;

	if (head_len > 0)
		iov[m.msg_iovlen++] = (struct iovec){ (char *)head, head_len };
	if (body && file < 0)
		iov[m.msg_iovlen++] = (struct iovec){ body->data + body_at, part };
	if (m.msg_iovlen > 0) {
		sent = sendmsg(fd, &m, MSG_NOSIGNAL | (file >= 0 ? MSG_MORE : 0));
		if (sent < 0 || file < 0 || (size_t)sent < head_len)
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
