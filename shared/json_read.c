/* SPDX-License-Identifier: Apache-2.0 */
/* A strict reader by recursion that is bounded, and a writer of what it read. */
#include "shared/json_read.h"

#include <stdint.h>

#include "shared/json.h"

struct reader {
	const char *p;
	size_t n, at;
	struct buf *out;
	unsigned depth;
};

static int read_value(struct reader *r);

static int
peek(const struct reader *r)
{
	return r->at < r->n ? (unsigned char)r->p[r->at] : -1;
}

static void
skip_blanks(struct reader *r)
{
	int c;

	while ((c = peek(r)) == ' ' || c == '\t' || c == '\n' || c == '\r')
		r->at++;
}

static int
read_word(struct reader *r, const char *word)
{
	for (size_t i = 0; word[i]; i++, r->at++)
		if (peek(r) != word[i])
			return ERR_SYNTAX;
	buf_add_text(r->out, word);
	return 0;
}

static size_t
read_digits(struct reader *r)
{
	size_t n = 0;

	for (int c = peek(r); c >= '0' && c <= '9'; c = peek(r)) {
		r->at++;
		n++;
	}
	return n;
}

static int
read_number(struct reader *r)
{
	size_t start = r->at;

	if (peek(r) == '-')
		r->at++;
	if (peek(r) == '0')
		r->at++;
	else if (read_digits(r) == 0)
		return ERR_SYNTAX;
	if (peek(r) == '.') {
		r->at++;
		if (read_digits(r) == 0)
			return ERR_SYNTAX;
	}
	if ((peek(r) | 0x20) == 'e') {
		r->at++;
		if (peek(r) == '+' || peek(r) == '-')
			r->at++;
		if (read_digits(r) == 0)
			return ERR_SYNTAX;
	}
	buf_add(r->out, r->p + start, r->at - start);
	return 0;
}

/* Four hexadecimal digits. */
static int
read_unit(struct reader *r, uint32_t *unit)
{
	*unit = 0;
	for (int i = 0; i < 4; i++, r->at++) {
		int c = peek(r);
		int v = c >= '0' && c <= '9'   ? c - '0'
			: c >= 'a' && c <= 'f' ? c - 'a' + 10
			: c >= 'A' && c <= 'F' ? c - 'A' + 10
					       : -1;

		if (v < 0)
			return ERR_SYNTAX;
		*unit = *unit << 4 | (uint32_t)v;
	}
	return 0;
}

static void
add_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_add_char(b, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_add_char(b, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_add_char(b, (char)(0xe0 | c >> 12));
		} else {
			buf_add_char(b, (char)(0xf0 | c >> 18));
			buf_add_char(b, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_add_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_add_char(b, (char)(0x80 | (c & 0x3f)));
}

/* What follows `\u`; a half of a pair alone is refused. */
static int
read_unicode(struct reader *r, struct buf *text)
{
	uint32_t unit, low;

	if (read_unit(r, &unit) < 0)
		return ERR_SYNTAX;
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return ERR_SYNTAX;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		if (peek(r) != '\\')
			return ERR_SYNTAX;
		r->at++;
		if (peek(r) != 'u')
			return ERR_SYNTAX;
		r->at++;
		if (read_unit(r, &low) < 0 || low < 0xdc00 || low > 0xdfff)
			return ERR_SYNTAX;
		unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
	}
	add_utf8(text, unit);
	return 0;
}

static int
read_escape(struct reader *r, struct buf *text)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	int c = peek(r);
	const char *found;

	r->at++;
	if (c == 'u')
		return read_unicode(r, text);
	found = c > 0 ? strchr(from, c) : NULL;
	if (found == NULL) {
		r->at--;
		return ERR_SYNTAX;
	}
	buf_add_char(text, to[found - from]);
	return 0;
}

/* The string at hand, decoded. */
static int
decode_string(struct reader *r, struct buf *text)
{
	if (peek(r) != '"')
		return ERR_SYNTAX;
	r->at++;
	for (;;) {
		int c = peek(r), rc;

		if (c < 0x20)
			return ERR_SYNTAX;
		r->at++;
		if (c == '"')
			return 0;
		if (c != '\\') {
			buf_add_char(text, (char)c);
			continue;
		}
		rc = read_escape(r, text);
		if (rc < 0)
			return rc;
	}
}

static int
read_string(struct reader *r)
{
	struct buf text = BUF_INIT(r->n);
	size_t start = r->at;
	int rc = decode_string(r, &text);

	if (rc == 0 && !utf8_valid(buf_str(&text))) {
		r->at = start;
		rc = ERR_SYNTAX;
	}
	if (rc == 0)
		json_add_string(r->out, buf_str(&text));
	buf_clear(&text);
	return rc;
}

/* An object or an array, up to its end. */
static int
read_list(struct reader *r, char end)
{
	int rc;

	buf_add_char(r->out, end == '}' ? '{' : '[');
	r->at++;
	skip_blanks(r);
	if (peek(r) == end)
		goto out;
	for (;;) {
		skip_blanks(r);
		if (end == '}') {
			rc = read_string(r);
			if (rc < 0)
				return rc;
			skip_blanks(r);
			if (peek(r) != ':')
				return ERR_SYNTAX;
			r->at++;
			buf_add_char(r->out, ':');
		}
		rc = read_value(r);
		if (rc < 0)
			return rc;
		if (peek(r) != ',')
			break;
		r->at++;
		buf_add_char(r->out, ',');
	}
	if (peek(r) != end)
		return ERR_SYNTAX;
out:
	r->at++;
	buf_add_char(r->out, end);
	return 0;
}

/* With the blanks around it. */
static int
read_value(struct reader *r)
{
	int rc;

	skip_blanks(r);
	switch (peek(r)) {
	case '{':
	case '[':
		if (r->depth == JSON_READ_DEPTH)
			return ERR_LIMIT;
		r->depth++;
		rc = read_list(r, peek(r) == '{' ? '}' : ']');
		r->depth--;
		break;
	case '"':
		rc = read_string(r);
		break;
	case 't':
		rc = read_word(r, "true");
		break;
	case 'f':
		rc = read_word(r, "false");
		break;
	case 'n':
		rc = read_word(r, "null");
		break;
	default:
		rc = read_number(r);
		break;
	}
	if (rc == 0)
		skip_blanks(r);
	return rc;
}

int
json_read(struct str text, struct buf *out, size_t *at)
{
	struct reader r = { text.p, text.n, 0, out, 0 };
	int rc = read_value(&r);

	if (rc == 0 && r.at != r.n)
		rc = ERR_SYNTAX;
	if (rc == 0 && !buf_ok(out))
		rc = ERR_LIMIT;
	if (at)
		*at = r.at;
	return rc;
}

bool
json_read_text(struct str value, struct buf *out)
{
	struct reader r = { value.p, value.n, 0, out, 0 };

	return decode_string(&r, out) == 0;
}

struct str
json_read_member(struct str object, const char *key)
{
	struct str name, value, found = { "", 0 };

	while (json_next_member(&object, &name, &value))
		if (str_is(name, key))
			found = value;
	return found;
}
