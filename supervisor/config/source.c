/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a config file and making sure that it is text. */
#include "supervisor/config/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP (64 * 1024)

static int
too_large(const char *path, struct problems *problems)
{
	problem_error(problems, (struct mark){ path, 0, 0 },
	    "the file is too large, expected at most %zu MiB", SOURCE_MAX / 1048576);
	return ERR_LIMIT;
}

static int
read_all(int fd, const char *path, struct buf *b, struct problems *problems)
{
	for (;;) {
		char *room = buf_reserve(b, READ_STEP);
		ssize_t n;

		if (room == NULL)
			return too_large(path, problems);
		n = read(fd, room, READ_STEP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			problem_error(problems, (struct mark){ path, 0, 0 }, "cannot read: %s",
			    strerror(errno));
			return ERR_IO;
		}
		if (n == 0)
			return 0;
		buf_commit(b, (size_t)n);
		if (b->len > SOURCE_MAX)
			return too_large(path, problems);
	}
}

int
source_read(const char *path, struct buf *b, struct problems *problems)
{
	struct mark whole = { path, 0, 0 };
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc = ERR_IO;

	if (fd < 0) {
		problem_error(problems, whole, "cannot open: %s", strerror(errno));
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
	}
	if (fstat(fd, &st) < 0)
		problem_error(problems, whole, "cannot read: %s", strerror(errno));
	else if (S_ISDIR(st.st_mode))
		problem_error(problems, whole, "this is a directory, expected a file");
	else if (S_ISREG(st.st_mode) && st.st_size > (off_t)SOURCE_MAX)
		rc = too_large(path, problems);
	else
		rc = read_all(fd, path, b, problems);
	close(fd);
	return rc;
}

/* The length of the UTF-8 character at p and its value; 0 when it is none. */
static size_t
decode(const unsigned char *p, size_t n, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : p[0] >= 0xC0 ? 2 : 0;

	if (len == 0 || len > n || p[0] > 0xF4)
		return 0;
	*c = len == 1 ? p[0] : p[0] & (0xFFu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
		*c = *c << 6 | (p[i] & 0x3Fu);
	}
	if (*c < least[len] || *c > 0x10FFFF || (*c >= 0xD800 && *c <= 0xDFFF))
		return 0;
	return len;
}

bool
source_is_text(struct str text)
{
	uint32_t c;

	for (size_t i = 0, len; i < text.n; i += len) {
		len = decode((const unsigned char *)text.p + i, text.n - i, &c);
		if (len == 0)
			return false;
	}
	return true;
}

/* PyYAML's printable characters. */
static bool
allowed(uint32_t c)
{
	return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0x7E) || c == 0x85 ||
	       (c >= 0xA0 && c <= 0xFFFD) || c >= 0x10000;
}

static int
check_characters(const struct buf *b, const char *file, struct problems *problems)
{
	const unsigned char *p = (const unsigned char *)b->data;
	struct mark mark = { file, 1, 1 };
	uint32_t c = 0;

	for (size_t i = 0, len; i < b->len; i += len) {
		len = decode(p + i, b->len - i, &c);
		if (len == 0) {
			problem_error(problems, mark,
			    "found byte 0x%02x, which is not UTF-8, expected UTF-8 text", p[i]);
			return ERR_SYNTAX;
		}
		if (!allowed(c)) {
			problem_error(problems, mark,
			    "found character U+%04X, expected text without control characters", c);
			return ERR_SYNTAX;
		}
		if (c == '\n' || c == 0x85 || c == 0x2028 || c == 0x2029 ||
		    (c == '\r' && (i + 1 == b->len || p[i + 1] != '\n'))) {
			mark.line++;
			mark.column = 1;
		} else {
			mark.column++;
		}
	}
	return 0;
}

/* `%YAML 1.n`: libyaml takes 1.1 and 1.2 only. */
static void
fix_version(char *p, char *end)
{
	while (p < end && *p == ' ')
		p++;
	if (end - p < 3 || p[0] != '1' || p[1] != '.' || p[2] < '0' || p[2] > '9')
		return;
	p += 2;
	*p++ = '1';
	while (p < end && *p >= '0' && *p <= '9')
		*p++ = ' ';
}

/* A directive's line: makes libyaml pass over what PyYAML passes over. Returns whether it was
 * blanked. */
static bool
fix_directive(char *p, char *end)
{
	static const char name[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char *name_end = p + 1;

	while (name_end < end && strchr(name, *name_end))
		name_end++;
	if (name_end == p + 1 || (name_end < end && *name_end != ' '))
		return false; /* libyaml will say what is wrong */
	if (name_end - p == 5 && memcmp(p, "%YAML", 5) == 0) {
		fix_version(name_end, end);
		return false;
	}
	if (name_end - p == 4 && memcmp(p, "%TAG", 4) == 0)
		return false;
	*p = '#';
	return true;
}

/*
 * Directives stand before all content: lines that begin with %, between blank lines and comments.
 * After them
 * `---` must come, which libyaml cannot know of one that has become a comment.
 */
static void
fix_directives(struct buf *b, const char *file, struct problems *problems)
{
	char *p = b->data, *end = p + b->len, *line_end = p, *text = p;
	struct mark mark = { file, 1, 1 };
	bool blanked = false;

	for (; p < end; p = line_end, mark.line++) {
		for (line_end = p; line_end < end && *line_end != '\n' && *line_end != '\r';
		     line_end++)
			;
		for (text = p; text < line_end && *text == ' '; text++)
			;
		if (*p == '%' && p < line_end)
			blanked = fix_directive(p, line_end) || blanked;
		else if (text < line_end && *text != '#')
			break;
		text = line_end;
		if (line_end == end)
			break;
		line_end += *line_end == '\r' && line_end + 1 < end && line_end[1] == '\n' ? 2 : 1;
		text = line_end;
	}
	if (!blanked ||
	    (end - p >= 3 && memcmp(p, "---", 3) == 0 && (end - p == 3 || strchr(" \t\r\n", p[3]))))
		return;
	mark.column = (unsigned)(text - p) + 1;
	problem_error(
	    problems, mark, "found no `---` after a line that begins with %%, expected one");
}

int
source_prepare(struct buf *b, const char *file, struct problems *problems)
{
	int rc;

	if (b->len >= 2 &&
	    (memcmp(b->data, "\xFF\xFE", 2) == 0 || memcmp(b->data, "\xFE\xFF", 2) == 0)) {
		problem_error(
		    problems, (struct mark){ file, 1, 1 }, "found UTF-16 text, expected UTF-8");
		return ERR_SYNTAX;
	}
	if (b->len >= 3 && memcmp(b->data, "\xEF\xBB\xBF", 3) == 0)
		buf_drain(b, 3);
	rc = check_characters(b, file, problems);
	if (rc == 0 && b->len > 0)
		fix_directives(b, file, problems);
	return rc;
}
