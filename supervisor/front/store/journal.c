/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file: a header that says where the records begin and what their epoch is, then records up to
 * the file's end. Records at the head that count no more are dropped, and their pages given back,
 * so the records wander through a file with a hole. A rewrite goes into the space in front of the
 * old records when it fits there, else behind them; the header's one write switches over.
 */
#include "supervisor/front/store/journal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/log.h"
#include "supervisor/front/hash.h"

#define HEADER_BYTES 4096 /* of which 32 are used */
#define PENDING_MAX ((size_t)1 << 20)
#define PENDING_FLUSH 65536
#define PUNCH_BYTES ((uint64_t)1 << 20)
#define JOURNAL_MAX_BYTES ((uint64_t)4 << 30)

struct header {
	char magic[8];
	uint64_t epoch, start, check;
};

static const char magic[8] = "LLMHJRN1";

static int
write_at(int fd, const void *data, size_t n, uint64_t at)
{
	const char *p = data;

	while (n > 0) {
		ssize_t written = pwrite(fd, p, n, (off_t)at);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return ERR_IO;
		p += written;
		at += (uint64_t)written;
		n -= (size_t)written;
	}
	return 0;
}

static int
read_at(int fd, void *data, size_t n, uint64_t at)
{
	char *p = data;

	while (n > 0) {
		ssize_t got = pread(fd, p, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return ERR_IO;
		p += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int
write_header(struct journal *j)
{
	struct header h = { .epoch = htole64(j->epoch), .start = htole64(j->start) };

	memcpy(h.magic, magic, sizeof(magic));
	h.check = htole64(hash_bytes(&h, offsetof(struct header, check), 0));
	return write_at(j->fd, &h, sizeof(h), 0);
}

static bool
read_header(struct journal *j, uint64_t file_bytes)
{
	struct header h;

	if (file_bytes < HEADER_BYTES || read_at(j->fd, &h, sizeof(h), 0) < 0 ||
	    memcmp(h.magic, magic, sizeof(magic)) != 0 ||
	    le64toh(h.check) != hash_bytes(&h, offsetof(struct header, check), 0))
		return false;
	j->epoch = le64toh(h.epoch);
	j->start = le64toh(h.start);
	return j->start >= HEADER_BYTES && j->start <= file_bytes;
}

static int
init_file(struct journal *j)
{
	static const char zeros[HEADER_BYTES];

	j->epoch = 1;
	j->start = j->end = HEADER_BYTES;
	if (ftruncate(j->fd, 0) < 0 || write_at(j->fd, zeros, sizeof(zeros), 0) < 0)
		return ERR_IO;
	return write_header(j);
}

/* Replays the records; the file ends after the last whole one. */
static int
replay(struct journal *j, uint64_t file_bytes, journal_cb cb, void *arg)
{
	const unsigned char *p;
	struct store_item item;
	enum record_kind kind;
	size_t n, at = 0, size;
	int rc;

	j->end = file_bytes;
	rc = journal_map(j, &p, &n);
	if (rc < 0)
		return rc;
	while (record_read(p + at, n - at, j->epoch, &kind, &item, &size) == 0) {
		cb(kind, &item, j->start + at, size, arg);
		at += size;
	}
	journal_unmap(j, p, n);
	j->end = j->start + at;
	if (j->end == file_bytes)
		return 0;
	log_event(LOG_LEVEL_WARNING, "journal_cut", LI("bytes", file_bytes - j->end));
	return ftruncate(j->fd, (off_t)j->end) < 0 ? ERR_IO : 0;
}

int
journal_open(struct journal *j, int fd, bool *fresh, journal_cb cb, void *arg)
{
	struct stat st;
	int rc;

	memset(j, 0, sizeof(*j));
	buf_init(&j->pending, PENDING_MAX);
	j->fd = fd >= 0 ? fd : memfd_create("llmhealth-verdicts", MFD_CLOEXEC);
	if (j->fd < 0)
		return ERR_IO;
	if (fstat(j->fd, &st) < 0)
		goto failed;
	*fresh = (uint64_t)st.st_size > JOURNAL_MAX_BYTES || !read_header(j, (uint64_t)st.st_size);
	if (*fresh && st.st_size > 0)
		log_event(LOG_LEVEL_WARNING, "journal_foreign", LI("bytes", st.st_size));
	rc = *fresh ? init_file(j) : replay(j, (uint64_t)st.st_size, cb, arg);
	if (rc == 0)
		return 0;
failed:
	journal_close(j);
	return ERR_IO;
}

void
journal_close(struct journal *j)
{
	int saved = errno;

	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	buf_clear(&j->pending);
	errno = saved;
}

static int
broke(struct journal *j)
{
	if (!j->broken)
		log_event(LOG_LEVEL_ERROR, "journal_not_written", LS("error", strerror(errno)));
	j->broken = true;
	buf_reset(&j->pending);
	return ERR_IO;
}

int
journal_flush(struct journal *j)
{
	if (j->broken)
		return ERR_IO;
	if (j->pending.len == 0)
		return 0;
	if (write_at(j->fd, j->pending.data, j->pending.len, j->end) < 0)
		return broke(j);
	j->end += j->pending.len;
	buf_reset(&j->pending);
	return 0;
}

int
journal_append(struct journal *j, enum record_kind kind, const struct store_item *item,
    uint64_t *at, size_t *size)
{
	size_t before = j->pending.len;
	int rc;

	if (j->broken)
		return ERR_IO;
	rc = record_write(&j->pending, j->epoch, kind, item);
	if (rc < 0) {
		j->pending.failed = false;
		return rc;
	}
	*at = j->end + before;
	*size = j->pending.len - before;
	j->appended += *size;
	return j->pending.len >= PENDING_FLUSH ? journal_flush(j) : 0;
}

/* A mapping begins at a page; the records need not. */
static size_t
page_offset(const struct journal *j)
{
	return (size_t)(j->start % (uint64_t)sysconf(_SC_PAGESIZE));
}

int
journal_map(struct journal *j, const unsigned char **p, size_t *n)
{
	int rc = journal_flush(j);
	size_t before = page_offset(j);
	void *at;

	*p = (const unsigned char *)"";
	*n = (size_t)(j->end - j->start);
	if (rc < 0 || *n == 0)
		return rc;
	at = mmap(NULL, *n + before, PROT_READ, MAP_SHARED, j->fd, (off_t)(j->start - before));
	if (at == MAP_FAILED)
		return ERR_IO;
	*p = (const unsigned char *)at + before;
	return 0;
}

void
journal_unmap(const struct journal *j, const unsigned char *p, size_t n)
{
	if (n > 0)
		munmap((void *)(p - page_offset(j)), n + page_offset(j));
}

int
journal_head(struct journal *j, void *p, size_t n, size_t *got)
{
	uint64_t left = j->end - j->start;

	*got = n < left ? n : (size_t)left;
	return read_at(j->fd, p, *got, j->start);
}

int
journal_drop_head(struct journal *j, size_t n)
{
	/* What was appended instead must be in the file before the header says so. */
	if (journal_flush(j) < 0)
		return ERR_IO;
	j->start += n;
	if (write_header(j) < 0)
		return broke(j);
	if (j->start - j->punched >= PUNCH_BYTES) {
		uint64_t to = j->start & ~(uint64_t)(HEADER_BYTES - 1);

		/* Where this is not known the pages stay until the next rewrite. */
		(void)fallocate(j->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		    (off_t)HEADER_BYTES, (off_t)(to - HEADER_BYTES));
		j->punched = to;
	}
	return 0;
}

int
journal_rewrite(struct journal *j, struct str records, uint64_t *at)
{
	int rc = journal_flush(j);
	bool in_front = records.n <= j->start - HEADER_BYTES;

	if (rc < 0)
		return rc;
	*at = in_front ? HEADER_BYTES : j->end;
	if (write_at(j->fd, records.p, records.n, *at) < 0)
		return broke(j);
	j->start = j->punched = *at;
	j->end = *at + records.n;
	j->epoch++;
	if (write_header(j) < 0 || (in_front && ftruncate(j->fd, (off_t)j->end) < 0))
		return broke(j);
	return 0;
}
