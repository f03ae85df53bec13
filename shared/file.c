/* SPDX-License-Identifier: Apache-2.0 */
/* One open, one look at what it is, then its bytes. */
#include "shared/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 4096

static int
read_all(int fd, struct buf *out)
{
	ssize_t n;
	char *to;

	for (;;) {
		to = buf_reserve(out, PIECE);
		if (to == NULL) {
			errno = EFBIG;
			return ERR_IO;
		}
		n = read(fd, to, PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : ERR_IO;
		buf_commit(out, (size_t)n);
	}
}

int
file_read(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err = ERR_IO, saved;
	struct stat st;

	if (fd < 0)
		return ERR_IO;
	if (fstat(fd, &st) == 0) {
		if (!S_ISREG(st.st_mode))
			errno = EINVAL;
		else
			err = read_all(fd, out);
	}
	saved = errno;
	close(fd);
	errno = saved;
	return err;
}
