/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON appender: RFC 8259 strings, and the UTF-8 check of RFC 3629 section 4. */
#include "shared/json.h"

#include <stdint.h>

/* Length of the UTF-8 sequence at p (n bytes left), or 0 when it is not one. */
static size_t
utf8_sequence(const unsigned char *p, size_t n)
{
	unsigned char c = p[0];

	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return n >= 2 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
	if (c >= 0xe0 && c <= 0xef) {
		if (n < 3 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80)
			return 0;
		if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f))
			return 0;
		return 3;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		if (n < 4 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 ||
		    (p[3] & 0xc0) != 0x80)
			return 0;
		if ((c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f))
			return 0;
		return 4;
	}
	return 0;
}

bool
utf8_valid(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	for (size_t i = 0; i < s.n;) {
		size_t len = utf8_sequence(p + i, s.n - i);

		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

static void
add_escape(struct buf *b, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char text[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

	switch (c) {
	case '"':
		buf_add(b, "\\\"", 2);
		return;
	case '\\':
		buf_add(b, "\\\\", 2);
		return;
	case '\n':
		buf_add(b, "\\n", 2);
		return;
	case '\r':
		buf_add(b, "\\r", 2);
		return;
	case '\t':
		buf_add(b, "\\t", 2);
		return;
	case '\b':
		buf_add(b, "\\b", 2);
		return;
	case '\f':
		buf_add(b, "\\f", 2);
		return;
	}
	buf_add(b, text, sizeof(text));
}

void
json_add_string(struct buf *b, struct str s)
{
	const unsigned char *p = (const unsigned char *)(s.p ? s.p : "");
	size_t start = 0, i = 0;

	buf_add_char(b, '"');
	while (i < s.n) {
		unsigned char c = p[i];
		size_t len;

		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			i++;
			continue;
		}
		len = c < 0x80 ? 0 : utf8_sequence(p + i, s.n - i);
		if (len > 0) {
			i += len;
			continue;
		}
		buf_add(b, p + start, i - start);
		if (c < 0x80)
			add_escape(b, c);
		else
			buf_add(b, "\xef\xbf\xbd", 3);
		start = ++i;
	}
	buf_add(b, p + start, s.n - start);
	buf_add_char(b, '"');
}

void
json_add_comma(struct buf *b)
{
	if (b->len > 0 && b->data[b->len - 1] != '{' && b->data[b->len - 1] != '[')
		buf_add_char(b, ',');
}

void
json_add_key(struct buf *b, const char *key)
{
	json_add_comma(b);
	buf_add_char(b, '"');
	buf_add_text(b, key);
	buf_add(b, "\":", 2);
}

static void
skip(struct str *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

static void
skip_blanks(struct str *s)
{
	while (s->n > 0 && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		skip(s, 1);
}

/* The length of the string with its quotes, or 0. */
static size_t
string_length(struct str s)
{
	if (s.n == 0 || s.p[0] != '"')
		return 0;
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return 0;
}

/* The length of a value of any kind, or 0. */
static size_t
value_length(struct str s)
{
	size_t i = 0, depth = 0;

	while (i < s.n) {
		char c = s.p[i];

		if (c == '"') {
			size_t n = string_length((struct str){ s.p + i, s.n - i });

			if (n == 0)
				return 0;
			i += n;
			if (depth == 0)
				return i;
			continue;
		}
		if (c == '{' || c == '[') {
			depth++;
		} else if (c == '}' || c == ']') {
			if (depth == 0)
				return i;
			if (--depth == 0)
				return i + 1;
		} else if (depth == 0 &&
			   (c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
			return i;
		}
		i++;
	}
	return depth == 0 ? i : 0;
}

static bool
take_value(struct str *rest, struct str *value)
{
	size_t n;

	skip_blanks(rest);
	n = value_length(*rest);
	if (n == 0)
		return false;
	*value = (struct str){ rest->p, n };
	skip(rest, n);
	return true;
}

bool
json_next_member(struct str *rest, struct str *key, struct str *value)
{
	size_t n;

	skip_blanks(rest);
	if (rest->n == 0 || (*rest->p != '{' && *rest->p != ','))
		return false;
	skip(rest, 1);
	skip_blanks(rest);
	n = string_length(*rest);
	if (n == 0)
		return false;
	*key = (struct str){ rest->p + 1, n - 2 };
	skip(rest, n);
	skip_blanks(rest);
	if (rest->n == 0 || *rest->p != ':')
		return false;
	skip(rest, 1);
	return take_value(rest, value);
}

bool
json_next_element(struct str *rest, struct str *value)
{
	skip_blanks(rest);
	if (rest->n == 0 || (*rest->p != '[' && *rest->p != ','))
		return false;
	skip(rest, 1);
	return take_value(rest, value);
}

struct str
json_member(struct str object, const char *key)
{
	struct str name, value;

	while (json_next_member(&object, &name, &value))
		if (str_is(name, key))
			return value;
	return STR("");
}
