/* SPDX-License-Identifier: Apache-2.0 */
/* Request heads and chunked bodies, after RFC 9112. What bodies hold is in fields.c. */
#include "tests/standin/request.h"

#include <strings.h>

static bool
is_token(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static struct str
trimmed(struct str s)
{
	while (s.n > 0 && (*s.p == ' ' || *s.p == '\t'))
		s.p++, s.n--;
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static bool
same_word(struct str s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

/* The line at p without its end (CRLF or LF); false when no line ends within n bytes. */
static bool
take_line(const char *p, size_t n, struct str *line, size_t *used)
{
	const char *end = n ? memchr(p, '\n', n) : NULL;

	if (end == NULL)
		return false;
	*used = (size_t)(end - p) + 1;
	*line = (struct str){ p, (size_t)(end - p) };
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

static int
read_target(struct request *r)
{
	struct str path = r->target;
	const char *at;

	for (size_t i = 0; i < path.n; i++)
		if ((unsigned char)path.p[i] <= ' ' || path.p[i] == 0x7f)
			return ERR_SYNTAX;
	if (path.n > 7 && strncasecmp(path.p, "http://", 7) == 0) {
		at = memchr(path.p + 7, '/', path.n - 7);
		if (at == NULL)
			return ERR_SYNTAX;
		path.n -= (size_t)(at - path.p);
		path.p = at;
	}
	if (path.n == 0 || (*path.p != '/' && !str_is(path, "*")))
		return ERR_SYNTAX;
	at = memchr(path.p, '?', path.n);
	if (at != NULL) {
		r->query = (struct str){ at + 1, path.n - (size_t)(at + 1 - path.p) };
		path.n = (size_t)(at - path.p);
	}
	r->path = path;
	return 0;
}

static int
read_request_line(struct request *r, struct str line)
{
	const char *space = memchr(line.p, ' ', line.n), *last;

	if (space == NULL)
		return ERR_SYNTAX;
	r->method = (struct str){ line.p, (size_t)(space - line.p) };
	if (r->method.n == 0 || r->method.n > 16)
		return ERR_SYNTAX;
	for (size_t i = 0; i < r->method.n; i++)
		if (!is_token((unsigned char)r->method.p[i]))
			return ERR_SYNTAX;
	line.n -= (size_t)(space + 1 - line.p);
	line.p = space + 1;
	last = memrchr(line.p, ' ', line.n);
	if (last == NULL || line.p + line.n - (last + 1) != 8 ||
	    memcmp(last + 1, "HTTP/1.", 7) != 0)
		return ERR_SYNTAX;
	if (last[8] != '0' && last[8] != '1')
		return ERR_SYNTAX;
	r->minor = last[8] - '0';
	r->keep_alive = r->minor == 1;
	r->target = (struct str){ line.p, (size_t)(last - line.p) };
	return read_target(r);
}

static int
read_length(struct request *r, struct str value, bool *seen)
{
	uint64_t length = 0;

	if (value.n == 0 || value.n > 18)
		return ERR_SYNTAX;
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return ERR_SYNTAX;
		length = length * 10 + (uint64_t)(value.p[i] - '0');
	}
	if (*seen && length != r->content_length)
		return ERR_SYNTAX;
	*seen = true;
	r->content_length = length;
	return length > REQUEST_BODY_MAX ? ERR_LIMIT : 0;
}

static void
read_connection(struct request *r, struct str value)
{
	while (value.n > 0) {
		const char *comma = memchr(value.p, ',', value.n);
		struct str word = { value.p, comma ? (size_t)(comma - value.p) : value.n };

		value.p += word.n + (comma != NULL);
		value.n -= word.n + (comma != NULL);
		word = trimmed(word);
		if (same_word(word, "close"))
			r->keep_alive = false;
		else if (same_word(word, "keep-alive"))
			r->keep_alive = true;
	}
}

static void
read_key(struct request *r, struct str value)
{
	const char *space = memchr(value.p, ' ', value.n);

	r->authorization = value;
	r->key = value;
	if (space != NULL) {
		r->key.p = space + 1;
		r->key.n -= (size_t)(space + 1 - value.p);
	}
}

/* What the stand-in does with a header; most are only passed over. */
static int
read_header(struct request *r, struct str name, struct str value, bool *length_seen)
{
	switch (name.n) {
	case 5: /* bfl */
		if (same_word(name, "x-key"))
			read_key(r, value);
		break;
	case 6:
		if (same_word(name, "expect") && same_word(value, "100-continue"))
			r->expect_continue = r->minor == 1;
		break;
	case 7: /* Azure, Manus */
		if (same_word(name, "api-key") || same_word(name, "api_key"))
			read_key(r, value);
		break;
	case 9: /* Anthropic */
		if (same_word(name, "x-api-key"))
			read_key(r, value);
		else if (same_word(name, "x-standin"))
			r->behaviour = value;
		break;
	case 10:
		if (same_word(name, "connection"))
			read_connection(r, value);
		else if (same_word(name, "xi-api-key"))
			read_key(r, value);
		break;
	case 12:
		if (same_word(name, "content-type"))
			r->content_type = value;
		break;
	case 13:
		if (same_word(name, "authorization"))
			read_key(r, value);
		break;
	case 14: /* Google */
		if (same_word(name, "content-length"))
			return read_length(r, value, length_seen);
		if (same_word(name, "x-goog-api-key"))
			read_key(r, value);
		break;
	case 17:
		if (same_word(name, "transfer-encoding")) {
			if (!same_word(value, "chunked") || r->chunked)
				return ERR_SYNTAX;
			r->chunked = true;
		}
		break;
	}
	return 0;
}

static int
split_header(struct str line, struct str *name, struct str *value)
{
	const char *colon = memchr(line.p, ':', line.n);

	if (colon == NULL || colon == line.p)
		return ERR_SYNTAX;
	*name = (struct str){ line.p, (size_t)(colon - line.p) };
	*value = (struct str){ colon + 1, line.n - name->n - 1 };
	*value = trimmed(*value);
	return 0;
}

static int
check_header(struct str name, struct str value)
{
	for (size_t i = 0; i < name.n; i++)
		if (!is_token((unsigned char)name.p[i]))
			return ERR_SYNTAX;
	for (size_t i = 0; i < value.n; i++)
		if (((unsigned char)value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == 0x7f)
			return ERR_SYNTAX;
	return 0;
}

int
request_read_head(struct request *r, const char *p, size_t n)
{
	size_t at = 0, used = 0, headers = 0;
	bool length_seen = false, first = true;
	struct str line;
	int err;

	*r = (struct request){ 0 };
	/* RFC 9112 2.2: an empty line before a request is passed over. */
	while (at < n && at < 4 && (p[at] == '\r' || p[at] == '\n'))
		at++;
	for (;;) {
		if (at > REQUEST_HEAD_MAX)
			return ERR_LIMIT;
		if (!take_line(p + at, n - at, &line, &used))
			return n > REQUEST_HEAD_MAX ? ERR_LIMIT : ERR_AGAIN;
		at += used;
		if (first) {
			err = read_request_line(r, line);
			r->headers.p = p + at;
			first = false;
		} else if (line.n == 0) {
			break;
		} else {
			struct str name, value;

			if (++headers > REQUEST_HEADERS_MAX)
				return ERR_LIMIT;
			err = split_header(line, &name, &value);
			if (err == 0)
				err = check_header(name, value);
			if (err == 0)
				err = read_header(r, name, value, &length_seen);
		}
		if (err != 0)
			return err;
	}
	r->headers.n = (size_t)(p + at - used - r->headers.p);
	r->head_len = at;
	return r->chunked && (length_seen || r->minor == 0) ? ERR_SYNTAX : 0;
}

bool
request_next_header(struct str *rest, struct str *name, struct str *value)
{
	struct str line;
	size_t used;

	if (!take_line(rest->p, rest->n, &line, &used) || line.n == 0)
		return false;
	rest->p += used;
	rest->n -= used;
	return split_header(line, name, value) == 0;
}

/* The size in a chunk's first line; extensions are passed over. */
static int
read_chunk_size(struct str line, size_t *size)
{
	size_t i, value = 0;

	for (i = 0; i < line.n && line.p[i] != ';' && line.p[i] != ' '; i++) {
		int c = line.p[i] | 0x20, digit;

		if (line.p[i] >= '0' && line.p[i] <= '9')
			digit = line.p[i] - '0';
		else if (c >= 'a' && c <= 'f')
			digit = c - 'a' + 10;
		else
			return ERR_SYNTAX;
		value = value * 16 + (size_t)digit;
		if (value > REQUEST_BODY_MAX)
			return ERR_LIMIT;
	}
	*size = value;
	return i == 0 ? ERR_SYNTAX : 0;
}

int
request_read_chunks(const char *p, size_t n, size_t *at)
{
	struct str line;
	size_t size, used, end;
	int err;

	for (;;) {
		if (*at > REQUEST_BODY_MAX)
			return ERR_LIMIT;
		if (!take_line(p + *at, n - *at, &line, &used))
			return n - *at > 4096 ? ERR_LIMIT : ERR_AGAIN;
		err = read_chunk_size(line, &size);
		if (err != 0)
			return err;
		if (size == 0)
			break;
		end = *at + used + size;
		if (end + 2 > n)
			return ERR_AGAIN;
		if (p[end] != '\r' || p[end + 1] != '\n')
			return ERR_SYNTAX;
		*at = end + 2;
	}
	end = *at;
	for (;;) { /* the trailer: lines up to an empty one */
		if (end - *at > REQUEST_HEAD_MAX)
			return ERR_LIMIT;
		if (!take_line(p + end, n - end, &line, &used))
			return n - end > REQUEST_HEAD_MAX ? ERR_LIMIT : ERR_AGAIN;
		end += used;
		if (line.n == 0)
			break;
	}
	*at = end;
	return 0;
}

size_t
request_join_chunks(char *p, size_t n)
{
	size_t at = 0, to = 0, size, used;
	struct str line;

	while (take_line(p + at, n - at, &line, &used) && read_chunk_size(line, &size) == 0 &&
	       size > 0) {
		memmove(p + to, p + at + used, size);
		to += size;
		at += used + size + 2;
	}
	return to;
}
