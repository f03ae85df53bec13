/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding one field in a body or a query without building anything: JSON members at the top level,
 * multipart form fields, query parameters. One pass, because benches send a lot of them.
 */
#include "tests/standin/request.h"

static size_t
skip_blanks(struct str s, size_t i)
{
	while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\n' || s.p[i] == '\r' || s.p[i] == '\t'))
		i++;
	return i;
}

/* From an opening quote to behind the closing one. */
static size_t
skip_string(struct str s, size_t i)
{
	for (i++; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return s.n;
}

/* From the start of a value to behind it. */
static size_t
skip_value(struct str s, size_t i)
{
	size_t depth = 0;

	for (; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"') {
			i = skip_string(s, i) - 1;
			if (depth == 0)
				return i + 1;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (c == '}' || c == ']') {
			if (depth == 0)
				return i;
			if (--depth == 0)
				return i + 1;
		} else if (depth == 0 &&
			   (c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t')) {
			return i;
		}
	}
	return i;
}

bool
request_json_member(struct str body, const char *name, struct str *value)
{
	size_t i = skip_blanks(body, 0), len = strlen(name);

	if (i >= body.n || body.p[i] != '{')
		return false;
	for (i++;;) {
		size_t key, key_end, start;

		i = skip_blanks(body, i);
		if (i >= body.n || body.p[i] != '"')
			return false;
		key = i + 1;
		i = skip_string(body, i);
		key_end = i - 1;
		i = skip_blanks(body, i);
		if (i >= body.n || body.p[i] != ':')
			return false;
		start = skip_blanks(body, i + 1);
		i = skip_value(body, start);
		if (key_end - key == len && memcmp(body.p + key, name, len) == 0) {
			*value = (struct str){ body.p + start, i - start };
			if (value->n >= 2 && *value->p == '"' && value->p[value->n - 1] == '"') {
				value->p++;
				value->n -= 2;
			}
			return true;
		}
		i = skip_blanks(body, i);
		if (i >= body.n || body.p[i] != ',')
			return false;
		i++;
	}
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hex digits at p, or -1. */
static int32_t
hex_unit(const char *p, size_t n)
{
	int32_t unit = 0;

	if (n < 4)
		return -1;
	for (size_t i = 0; i < 4; i++) {
		int digit = hex_digit(p[i]);

		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	return unit;
}

static size_t
put_utf8(char *to, int32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	to[0] = (char)(0xe0 | c >> 12);
	to[1] = (char)(0x80 | (c >> 6 & 0x3f));
	to[2] = (char)(0x80 | (c & 0x3f));
	return 3;
}

struct str
request_json_unescape(struct str raw, char *to, size_t size)
{
	static const char from[] = "nrtbf", into[] = "\n\r\t\b\f";
	size_t n = 0;

	for (size_t i = 0; i < raw.n && n + 4 < size; i++) {
		const char *known;
		int32_t unit;

		if (raw.p[i] != '\\' || i + 1 >= raw.n) {
			to[n++] = raw.p[i];
			continue;
		}
		i++;
		known = raw.p[i] ? strchr(from, raw.p[i]) : NULL;
		if (raw.p[i] == 'u' && (unit = hex_unit(raw.p + i + 1, raw.n - i - 1)) >= 0) {
			n += put_utf8(to + n, unit);
			i += 4;
		} else {
			to[n++] = known ? into[known - from] : raw.p[i];
		}
	}
	return (struct str){ to, n };
}

bool
request_multipart_field(struct str body, const char *name, struct str *value)
{
	char wanted[64];
	const char *at = body.p, *end = body.p + body.n, *start, *stop;
	size_t n = strlen(name);

	if (n + 8 > sizeof(wanted))
		return false;
	memcpy(wanted, "name=\"", 6);
	memcpy(wanted + 6, name, n);
	wanted[n + 6] = '"';
	at = body.n ? memmem(at, (size_t)(end - at), wanted, n + 7) : NULL;
	start = at ? memmem(at, (size_t)(end - at), "\r\n\r\n", 4) : NULL;
	if (start == NULL)
		return false;
	start += 4;
	stop = memmem(start, (size_t)(end - start), "\r\n", 2);
	if (stop == NULL)
		return false;
	*value = (struct str){ start, (size_t)(stop - start) };
	return true;
}

bool
request_query_field(struct str query, const char *name, struct str *value)
{
	size_t n = strlen(name);

	while (query.n > 0) {
		const char *amp = memchr(query.p, '&', query.n);
		size_t len = amp ? (size_t)(amp - query.p) : query.n;

		if (len > n && query.p[n] == '=' && memcmp(query.p, name, n) == 0) {
			*value = (struct str){ query.p + n + 1, len - n - 1 };
			return true;
		}
		query.p += len + (amp != NULL);
		query.n -= len + (amp != NULL);
	}
	return false;
}

struct str
request_url_decode(struct str raw, char *to, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < raw.n && n < size; i++) {
		if (raw.p[i] == '%' && i + 2 < raw.n && hex_digit(raw.p[i + 1]) >= 0 &&
		    hex_digit(raw.p[i + 2]) >= 0) {
			to[n++] = (char)(hex_digit(raw.p[i + 1]) * 16 + hex_digit(raw.p[i + 2]));
			i += 2;
		} else {
			to[n++] = raw.p[i] == '+' ? ' ' : raw.p[i];
		}
	}
	return (struct str){ to, n };
}
