/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, checking and replacing the state file. Knows nothing of what the records hold. */
#include "supervisor/front/store/state_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/hash.h"
#include "supervisor/front/store/record.h"

static const char magic[8] = "LLMHSTAT";

struct header {
	char magic[8];
	uint32_t version, zero;
	uint64_t records, bytes, check;
};
_Static_assert(sizeof(struct header) == STATE_FILE_HEADER_BYTES, "no holes in the header");

/* Of the four numbers (as they stand in the file) and the records. */
static uint64_t
check_of(const struct header *h, const void *records, size_t n)
{
	uint64_t numbers = hash_bytes((const char *)h + sizeof(h->magic), 24, 0);

	return hash_bytes(records, n, numbers);
}

int
state_file_parse(const unsigned char *p, size_t n, state_file_cb cb, void *arg)
{
	struct store_item item;
	enum record_kind kind;
	struct header h;
	size_t at, size;
	uint64_t records = 0;
	int rc;

	if (n < sizeof(magic) || memcmp(p, magic, sizeof(magic)) != 0)
		return ERR_SYNTAX;
	if (n < sizeof(h))
		return ERR_SYNTAX;
	memcpy(&h, p, sizeof(h));
	if (le32toh(h.version) != STATE_FILE_VERSION)
		return ERR_INVALID;
	if (le64toh(h.bytes) != n - sizeof(h) || h.zero != 0 ||
	    le64toh(h.check) != check_of(&h, p + sizeof(h), n - sizeof(h)))
		return ERR_SYNTAX;
	/* The check says that nobody tore it; the walk says that whoever wrote it was us. */
	for (int pass = 0; pass < 2; pass++)
		for (at = sizeof(h); at < n; at += size) {
			rc = record_read(p + at, n - at, STATE_FILE_EPOCH, &kind, &item, &size);
			if (rc < 0 || kind != RECORD_PUT)
				return ERR_SYNTAX;
			if (pass == 0)
				records++;
			else if (records != le64toh(h.records))
				return ERR_SYNTAX;
			else
				cb(&item, arg);
		}
	return records == le64toh(h.records) ? 0 : ERR_SYNTAX;
}

static void
set_aside(const char *path, const char *why)
{
	struct buf to = BUF_INIT(8192);

	buf_addf(&to, "%s.bad-%lld", path, (long long)(clock_wall_ms() / 1000));
	if (rename(path, buf_text(&to)) < 0)
		log_event(LOG_LEVEL_ERROR, "state_file_unreadable", LS("path", path),
		    LS("why", why), LS("not_set_aside", strerror(errno)));
	else
		log_event(LOG_LEVEL_WARNING, "state_file_set_aside", LS("path", path),
		    LS("why", why), LS("now", buf_text(&to)));
	buf_clear(&to);
}

static int
read_all(int fd, struct buf *b)
{
	struct stat st;
	ssize_t got;
	char *p;

	if (fstat(fd, &st) < 0)
		return ERR_IO;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > STATE_FILE_MAX_BYTES)
		return ERR_SYNTAX;
	buf_init(b, STATE_FILE_MAX_BYTES + 65536);
	do {
		size_t room = b->len < (size_t)st.st_size ? (size_t)st.st_size - b->len : 4096;

		p = buf_reserve(b, room);
		if (p == NULL)
			return ERR_SYNTAX;
		got = read(fd, p, room);
		if (got < 0 && errno != EINTR)
			return ERR_IO;
		if (got > 0)
			buf_commit(b, (size_t)got);
	} while (got != 0);
	return 0;
}

int
state_file_read(const char *path, state_file_cb cb, void *arg)
{
	struct buf b = BUF_INIT(0);
	int fd, rc;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return ERR_NOT_FOUND;
	rc = fd < 0 ? ERR_IO : read_all(fd, &b);
	if (rc == ERR_IO)
		log_event(LOG_LEVEL_ERROR, "state_file_unreadable", LS("path", path),
		    LS("why", strerror(errno)));
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		rc = state_file_parse((const unsigned char *)buf_text(&b), b.len, cb, arg);
	if (rc == ERR_SYNTAX || rc == ERR_INVALID)
		set_aside(path,
		    rc == ERR_INVALID ? "written by another version" : "torn or not a state file");
	buf_clear(&b);
	return rc == ERR_INVALID ? ERR_SYNTAX : rc;
}

void
state_file_begin(struct buf *b)
{
	static const struct header empty;

	buf_add(b, &empty, sizeof(empty));
}

void
state_file_end(struct buf *b, uint64_t n)
{
	struct header h = { .version = htole32(STATE_FILE_VERSION), .records = htole64(n) };

	if (!buf_ok(b) || b->len < sizeof(h))
		return;
	memcpy(h.magic, magic, sizeof(magic));
	h.bytes = htole64(b->len - sizeof(h));
	h.check = htole64(check_of(&h, b->data + sizeof(h), b->len - sizeof(h)));
	memcpy(b->data, &h, sizeof(h));
}

static int
write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t written = write(fd, p, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return ERR_IO;
		p += written;
		n -= (size_t)written;
	}
	return fsync(fd) < 0 ? ERR_IO : 0;
}

/* The rename is on the disk only when the folder is. */
static int
sync_folder(const char *path)
{
	char *copy = xstrdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) < 0 ? ERR_IO : 0;

	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

int
state_file_write(const char *path, const char *data, size_t n)
{
	struct buf tmp = BUF_INIT(8192);
	int fd, rc = ERR_IO, saved;

	buf_addf(&tmp, "%s.tmp", path);
	/* Left over from a run that was killed; never followed when it is a link. */
	(void)unlink(buf_text(&tmp));
	fd = open(buf_text(&tmp), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		goto out;
	rc = write_all(fd, data, n);
	saved = errno;
	if (close(fd) < 0 && rc == 0) {
		rc = ERR_IO;
		saved = errno;
	}
	errno = saved;
	if (rc == 0 && rename(buf_text(&tmp), path) < 0)
		rc = ERR_IO;
	if (rc == 0)
		rc = sync_folder(path);
	else {
		saved = errno;
		(void)unlink(buf_text(&tmp));
		errno = saved;
	}
out:
	saved = errno;
	buf_clear(&tmp);
	errno = saved;
	return rc;
}

int
state_file_try(const char *path)
{
	char *copy = xstrdup(path);
	int rc = access(dirname(copy), W_OK | X_OK) < 0 ? ERR_IO : 0, saved = errno;

	free(copy);
	errno = saved;
	return rc;
}
