/* SPDX-License-Identifier: Apache-2.0 */
/* A cursor over a text that may be anything. */
#include "supervisor/front/pyvalue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/json.h"

#define DEPTH_MAX 64
#define NUMBER_MAX 64

/* Writing. */

static size_t
utf8_length(unsigned char c)
{
	return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* The code point at p, of n bytes of valid UTF-8. */
static uint32_t
code_point(const unsigned char *p, size_t n)
{
	uint32_t c = n == 2 ? p[0] & 0x1f : n == 3 ? p[0] & 0x0f : p[0] & 0x07;

	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	return c;
}

static void
add_escaped(struct buf *b, uint32_t c)
{
	if (c < 0x10000) {
		buf_addf(b, "\\u%04x", c);
		return;
	}
	c -= 0x10000;
	buf_addf(b, "\\u%04x\\u%04x", 0xd800 | c >> 10, 0xdc00 | (c & 0x3ff));
}

void
pyvalue_add_dumps(struct buf *b, struct str json)
{
	bool in_text = false;

	for (size_t i = 0; i < json.n; i++) {
		unsigned char c = (unsigned char)json.p[i];

		if (c >= 0x80) {
			size_t n = utf8_length(c);

			if (n > json.n - i)
				return; /* our own writer ends no text in the middle of a letter */
			add_escaped(b, code_point((const unsigned char *)json.p + i, n));
			i += n - 1;
			continue;
		}
		buf_add_char(b, (char)c);
		if (in_text && c == '\\' && i + 1 < json.n)
			buf_add_char(b, json.p[++i]);
		else if (c == '"')
			in_text = !in_text;
		else if (!in_text && (c == ',' || c == ':'))
			buf_add_char(b, ' ');
	}
}

void
pyvalue_add_repr(struct buf *b, struct str text)
{
	char quote = memchr(text.p, '\'', text.n) && !memchr(text.p, '"', text.n) ? '"' : '\'';

	buf_add_char(b, quote);
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == (unsigned char)quote || c == '\\')
			buf_addf(b, "\\%c", c);
		else if (c == '\n')
			buf_add_text(b, "\\n");
		else if (c == '\r')
			buf_add_text(b, "\\r");
		else if (c == '\t')
			buf_add_text(b, "\\t");
		else if (c < 0x20 || c == 0x7f)
			buf_addf(b, "\\x%02x", c);
		else
			buf_add_char(b, (char)c);
	}
	buf_add_char(b, quote);
}

/* Reading. */

void
pyvalue_init(struct pyvalue *v, struct str text)
{
	*v = (struct pyvalue){ .p = text.p, .end = text.p + text.n };
}

char
pyvalue_peek(struct pyvalue *v)
{
	while (v->p < v->end && strchr(" \t\r\n", *v->p) && *v->p)
		v->p++;
	return v->wrong || v->p == v->end ? '\0' : *v->p;
}

static int
hex_digits(struct pyvalue *v, size_t n)
{
	int value = 0;

	for (; n > 0; n--) {
		char c = v->p < v->end ? *v->p++ : '\0';
		const char *digits = "0123456789abcdef", *at;

		at = strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
		if (at == NULL || c == '\0' || value > 0x10ffff >> 4)
			return -1;
		value = value << 4 | (int)(at - digits);
	}
	return value;
}

static void
add_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_add_char(b, (char)c);
	} else if (c < 0x800) {
		buf_add_char(b, (char)(0xc0 | c >> 6));
		buf_add_char(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_add_char(b, (char)(0xe0 | c >> 12));
		buf_add_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_add_char(b, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_add_char(b, (char)(0xf0 | c >> 18));
		buf_add_char(b, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_add_char(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_add_char(b, (char)(0x80 | (c & 0x3f)));
	}
}

/* What follows a backslash. A lone half of a pair becomes U+FFFD. */
static bool
take_escape(struct pyvalue *v, struct buf *b)
{
	static const char names[] = "nrtbfav0", values[] = "\n\r\t\b\f\a\v";
	char c = v->p < v->end ? *v->p++ : '\0';
	const char *at = c ? strchr(names, c) : NULL;
	int code, low;

	if (at && c != '0') {
		buf_add_char(b, values[at - names]);
		return true;
	}
	if (c != 'u' && c != 'x' && c != 'U') {
		if (c == '\0' || (c >= '0' && c <= '9'))
			return false;
		buf_add_char(b, c);
		return true;
	}
	code = hex_digits(v, c == 'x' ? 2 : c == 'u' ? 4 : 8);
	if (code < 0 || code > 0x10ffff)
		return false;
	if (code >= 0xd800 && code < 0xdc00 && v->end - v->p >= 6 && v->p[0] == '\\' &&
	    v->p[1] == 'u') {
		v->p += 2;
		low = hex_digits(v, 4);
		if (low < 0)
			return false;
		code = low >= 0xdc00 && low < 0xe000
			   ? 0x10000 + ((code - 0xd800) << 10) + low - 0xdc00
			   : 0xfffd;
	}
	add_utf8(b, code >= 0xd800 && code < 0xe000 ? 0xfffd : (uint32_t)code);
	return true;
}

bool
pyvalue_text(struct pyvalue *v, struct buf *b)
{
	char quote = pyvalue_peek(v);

	if (b)
		buf_reset(b);
	if (quote != '"' && quote != '\'') {
		v->wrong = true;
		return false;
	}
	v->p++;
	while (v->p < v->end && *v->p != quote) {
		if (*v->p == '\\') {
			v->p++;
			if (!take_escape(v, b)) {
				v->wrong = true;
				return false;
			}
		} else {
			buf_add_char(b, *v->p++);
		}
	}
	if (v->p == v->end || !buf_ok(b)) {
		v->wrong = true;
		return false;
	}
	v->p++;
	return true;
}

bool
pyvalue_number(struct pyvalue *v, double *number)
{
	char text[NUMBER_MAX], *end;
	size_t n = 0;

	(void)pyvalue_peek(v);
	while (v->p + n < v->end && n + 1 < sizeof(text) && v->p[n] &&
	       strchr("0123456789+-.eE", v->p[n]))
		n++;
	memcpy(text, v->p, n);
	text[n] = '\0';
	*number = strtod(text, &end);
	if (v->wrong || n == 0 || *end != '\0') {
		v->wrong = true;
		return false;
	}
	v->p += n;
	return true;
}

static bool
take_word(struct pyvalue *v, const char *word)
{
	size_t n = strlen(word);

	(void)pyvalue_peek(v);
	if (v->wrong || (size_t)(v->end - v->p) < n || memcmp(v->p, word, n) != 0)
		return false;
	v->p += n;
	return true;
}

bool
pyvalue_bool(struct pyvalue *v, bool *value)
{
	*value = take_word(v, "True") || take_word(v, "true");
	if (*value || take_word(v, "False") || take_word(v, "false"))
		return true;
	v->wrong = true;
	return false;
}

bool
pyvalue_next(struct pyvalue *v, char open, struct buf *key, bool *first)
{
	char close = open == '{' ? '}' : ']';
	char c = pyvalue_peek(v);

	if (*first) {
		if (c != open || ++v->depth > DEPTH_MAX) {
			v->wrong = true;
			return false;
		}
		v->p++;
		c = pyvalue_peek(v);
	} else if (c == ',') {
		v->p++;
		c = pyvalue_peek(v);
	} else if (c != close) {
		v->wrong = true;
		return false;
	}
	*first = false;
	if (c == close) {
		v->p++;
		v->depth--;
		return false;
	}
	if (open == '[')
		return !v->wrong && c != '\0';
	if (!pyvalue_text(v, key) || pyvalue_peek(v) != ':') {
		v->wrong = true;
		return false;
	}
	v->p++;
	return true;
}

void
pyvalue_skip(struct pyvalue *v)
{
	struct buf text = BUF_INIT(SIZE_MAX / 2);
	char c = pyvalue_peek(v);
	bool first = true, word;
	double number;

	switch (c) {
	case '{':
	case '[':
		while (pyvalue_next(v, c, &text, &first))
			pyvalue_skip(v);
		break;
	case '"':
	case '\'':
		(void)pyvalue_text(v, &text);
		break;
	case 'T':
	case 'F':
	case 't':
	case 'f':
		(void)pyvalue_bool(v, &word);
		break;
	case 'N':
	case 'n':
		if (!take_word(v, "None") && !take_word(v, "null") && !take_word(v, "NaN"))
			v->wrong = true;
		break;
	default:
		(void)pyvalue_number(v, &number);
		break;
	}
	buf_clear(&text);
}

bool
pyvalue_ended(struct pyvalue *v)
{
	(void)pyvalue_peek(v);
	return !v->wrong && v->p == v->end;
}
