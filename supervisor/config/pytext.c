/* SPDX-License-Identifier: Apache-2.0 */
/* Values as Python 3 writes them. */
#include "supervisor/config/pytext.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/json.h"

/* The next larger number of as many digits: "1.29e+5" becomes "1.30e+5". */
static void
next_up(char *digits)
{
	size_t at = strcspn(digits, "e");

	while (at > 0 && (digits[at - 1] == '9' || digits[at - 1] == '.')) {
		at--;
		if (digits[at] == '9')
			digits[at] = '0';
	}
	if (at > 0 && digits[at - 1] >= '0')
		digits[at - 1]++;
}

/*
 * The shortest digits that read back as the value, as `%e` writes them. Below a power of two the
 * next double is only half as far away as above it, so there the rounded digits may not do where
 * those after them do.
 */
static void
shortest(char *digits, size_t size, double value)
{
	int unused;
	bool power = fabs(frexp(value, &unused)) == 0.5;

	for (int precision = 0; precision <= 17; precision++) {
		snprintf(digits, size, "%.*e", precision, value);
		if (strtod(digits, NULL) == value)
			return;
		if (!power)
			continue;
		next_up(digits);
		if (strtod(digits, NULL) == value)
			return;
	}
}

void
pytext_float(struct buf *b, double value)
{
	char digits[40], *e, *mantissa = digits;
	int exponent, n;

	if (isnan(value) || isinf(value)) {
		buf_add_text(b, isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
		return;
	}
	shortest(digits, sizeof(digits), value);
	e = strchr(digits, 'e');
	exponent = atoi(e + 1);
	*e = '\0';
	if (*mantissa == '-') {
		buf_add_char(b, '-');
		mantissa++;
	}
	/* Only digits from here: "1.25" becomes "125". */
	if (mantissa[1] == '.')
		memmove(mantissa + 1, mantissa + 2, strlen(mantissa + 2) + 1);
	n = (int)strlen(mantissa);
	if (exponent < -4 || exponent >= 16) {
		buf_add_char(b, mantissa[0]);
		if (n > 1)
			buf_addf(b, ".%s", mantissa + 1);
		buf_addf(b, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
	} else if (exponent < 0) {
		buf_add_text(b, "0.");
		for (int i = -1; i > exponent; i--)
			buf_add_char(b, '0');
		buf_add_text(b, mantissa);
	} else {
		for (int i = 0; i <= exponent; i++)
			buf_add_char(b, i < n ? mantissa[i] : '0');
		buf_addf(b, ".%s", n > exponent + 1 ? mantissa + exponent + 1 : "0");
	}
}

/* What str.isprintable() says no to, above ASCII: first and last of each range (Unicode 14). */
static const uint32_t unprintable[][2] = {
#define RANGE(first, last) { first, last },
#include "supervisor/config/unprintable.def"
#undef RANGE
};

static bool
printable(uint32_t c)
{
	size_t low = 0, high = ARRAY_LEN(unprintable);

	if (c < 0x7F)
		return c >= 0x20;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (c > unprintable[middle][1])
			low = middle + 1;
		else
			high = middle;
	}
	return low == ARRAY_LEN(unprintable) || c < unprintable[low][0];
}

/* The next character of a valid UTF-8 text. */
static uint32_t
next_char(struct str *s)
{
	const unsigned char *p = (const unsigned char *)s->p;
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
	uint32_t c = len == 1 ? p[0] : p[0] & (0xFFu >> (len + 1));

	if (len > s->n) /* never in a checked text */
		len = s->n;
	for (size_t i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3Fu);
	s->p += len;
	s->n -= len;
	return c;
}

static void
repr_escape(struct buf *b, uint32_t c)
{
	if (c == '\n' || c == '\r' || c == '\t')
		buf_addf(b, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
	else if (c <= 0xFF)
		buf_addf(b, "\\x%02x", c);
	else if (c <= 0xFFFF)
		buf_addf(b, "\\u%04x", c);
	else
		buf_addf(b, "\\U%08x", c);
}

static void
repr_str(struct buf *b, struct str s)
{
	bool single = s.n && memchr(s.p, '\'', s.n), dbl = s.n && memchr(s.p, '"', s.n);
	char quote = single && !dbl ? '"' : '\'';

	buf_add_char(b, quote);
	while (s.n) {
		const char *from = s.p;
		uint32_t c = next_char(&s);

		if (c == (uint32_t)quote || c == '\\')
			buf_add_char(b, '\\');
		if (printable(c))
			buf_add(b, from, (size_t)(s.p - from));
		else
			repr_escape(b, c);
	}
	buf_add_char(b, quote);
}

static void
repr_bytes(struct buf *b, struct str s)
{
	bool single = s.n && memchr(s.p, '\'', s.n), dbl = s.n && memchr(s.p, '"', s.n);
	char quote = single && !dbl ? '"' : '\'';

	buf_addf(b, "b%c", quote);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == (unsigned char)quote || c == '\\')
			buf_addf(b, "\\%c", c);
		else if (c >= 0x20 && c < 0x7F)
			buf_add_char(b, (char)c);
		else
			repr_escape(b, c);
	}
	buf_add_char(b, quote);
}

/* repr() of a date is its constructor; only its text is kept, so it is taken apart again. */
static void
repr_date(struct buf *b, const struct node *node)
{
	int v[7] = { 0 }, n = sscanf(node->text.p, "%d-%d-%d %d:%d:%d.%d", &v[0], &v[1], &v[2],
			      &v[3], &v[4], &v[5], &v[6]);
	const char *zone = node->text.n > 19 ? strpbrk(node->text.p + 19, "+-") : NULL;
	int hours = 0, minutes = 0, seconds;

	if (!node->num) {
		buf_addf(b, "datetime.date(%d, %d, %d)", v[0], v[1], v[2]);
		return;
	}
	buf_addf(b, "datetime.datetime(%d, %d, %d, %d, %d", v[0], v[1], v[2], v[3], v[4]);
	if (v[5] || v[6])
		buf_addf(b, ", %d", v[5]);
	if (n == 7 && v[6])
		buf_addf(b, ", %d", v[6]);
	if (zone) {
		sscanf(zone + 1, "%d:%d", &hours, &minutes);
		seconds = hours * 3600 + minutes * 60;
		if (seconds == 0)
			buf_add_text(b, ", tzinfo=datetime.timezone.utc");
		else if (*zone == '-')
			buf_addf(b,
			    ", tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=%d))",
			    86400 - seconds);
		else
			buf_addf(b, ", tzinfo=datetime.timezone(datetime.timedelta(seconds=%d))",
			    seconds);
	}
	buf_add_char(b, ')');
}

static void
repr_list(struct buf *b, const struct node *node)
{
	buf_add_char(b, node->tuple ? '(' : '[');
	for (size_t i = 0; i < node->n && buf_ok(b); i++) {
		if (i)
			buf_add_text(b, ", ");
		pytext_repr(b, node->items[i]);
	}
	buf_add_char(b, node->tuple ? ')' : ']');
}

static void
repr_map(struct buf *b, const struct node *node)
{
	if (node->type == NODE_SET && node->n == 0) {
		buf_add_text(b, "set()");
		return;
	}
	buf_add_char(b, '{');
	for (size_t i = 0; i < node->n && buf_ok(b); i++) {
		if (i)
			buf_add_text(b, ", ");
		pytext_repr(b, node->pairs[i].key);
		if (node->type == NODE_SET)
			continue;
		buf_add_text(b, ": ");
		pytext_repr(b, node->pairs[i].value);
	}
	buf_add_char(b, '}');
}

void
pytext_repr(struct buf *b, const struct node *node)
{
	switch (node->type) {
	case NODE_NULL:
		buf_add_text(b, "None");
		break;
	case NODE_BOOL:
		buf_add_text(b, node->num ? "True" : "False");
		break;
	case NODE_INT:
		buf_add_str(b, node->text);
		break;
	case NODE_FLOAT:
		pytext_float(b, node->real);
		break;
	case NODE_STR:
		repr_str(b, node->text);
		break;
	case NODE_DATE:
		repr_date(b, node);
		break;
	case NODE_BYTES:
		repr_bytes(b, node->text);
		break;
	case NODE_LIST:
		repr_list(b, node);
		break;
	case NODE_MAP:
	case NODE_SET:
		repr_map(b, node);
		break;
	}
}

void
pytext_str(struct buf *b, const struct node *node)
{
	if (node->type == NODE_STR || node->type == NODE_DATE)
		buf_add_str(b, node->text);
	else
		pytext_repr(b, node);
}

static void
json_ascii(struct buf *b, struct str s)
{
	static const char escapes[] = "\"\"\\\\\nn\rr\tt\ff\bb";

	buf_add_char(b, '"');
	while (s.n) {
		uint32_t c = next_char(&s);
		const char *e = NULL;

		for (const char *p = escapes; *p && e == NULL; p += 2)
			if ((uint32_t)(unsigned char)*p == c)
				e = p;
		if (e)
			buf_addf(b, "\\%c", e[1]);
		else if (c >= 0x20 && c < 0x7F)
			buf_add_char(b, (char)c);
		else if (c < 0x10000)
			buf_addf(b, "\\u%04x", c);
		else
			buf_addf(b, "\\u%04x\\u%04x", 0xD800 + ((c - 0x10000) >> 10),
			    0xDC00 + ((c - 0x10000) & 0x3FF));
	}
	buf_add_char(b, '"');
}

static void
json_float(struct buf *b, double value)
{
	if (isnan(value))
		buf_add_text(b, "NaN");
	else if (isinf(value))
		buf_add_text(b, value < 0 ? "-Infinity" : "Infinity");
	else
		pytext_float(b, value);
}

static int
json_key(struct buf *b, const struct node *key)
{
	switch (key->type) {
	case NODE_STR:
		json_ascii(b, key->text);
		return 0;
	case NODE_NULL:
		buf_add_text(b, "\"null\"");
		return 0;
	case NODE_BOOL:
		buf_add_text(b, key->num ? "\"true\"" : "\"false\"");
		return 0;
	case NODE_INT:
		buf_addf(b, "\"%s\"", key->text.p);
		return 0;
	case NODE_FLOAT:
		buf_add_char(b, '"');
		json_float(b, key->real);
		buf_add_char(b, '"');
		return 0;
	default:
		return ERR_INVALID;
	}
}

int
pytext_json(struct buf *b, const struct node *node)
{
	int rc = 0;

	switch (node->type) {
	case NODE_NULL:
		buf_add_text(b, "null");
		break;
	case NODE_BOOL:
		buf_add_text(b, node->num ? "true" : "false");
		break;
	case NODE_INT:
		buf_add_str(b, node->text);
		break;
	case NODE_FLOAT:
		json_float(b, node->real);
		break;
	case NODE_STR:
		json_ascii(b, node->text);
		break;
	case NODE_DATE:
		buf_add_text(b, node->num ? "\"datetime.datetime\"" : "\"datetime.date\"");
		break;
	case NODE_BYTES:
		buf_add_text(b, "\"builtins.bytes\"");
		break;
	case NODE_SET:
		buf_add_text(b, "\"builtins.set\"");
		break;
	case NODE_LIST:
		buf_add_char(b, '[');
		for (size_t i = 0; i < node->n && rc == 0 && buf_ok(b); i++) {
			buf_add_text(b, i ? ", " : "");
			rc = pytext_json(b, node->items[i]);
		}
		buf_add_char(b, ']');
		break;
	case NODE_MAP:
		buf_add_char(b, '{');
		for (size_t i = 0; i < node->n && rc == 0 && buf_ok(b); i++) {
			buf_add_text(b, i ? ", " : "");
			rc = json_key(b, node->pairs[i].key);
			buf_add_text(b, ": ");
			if (rc == 0)
				rc = pytext_json(b, node->pairs[i].value);
		}
		buf_add_char(b, '}');
		break;
	}
	return rc;
}

/* A key as a JSON string, whatever it is. */
static void
compact_key(struct buf *b, const struct node *key)
{
	struct buf text = BUF_INIT(b->max);

	if (key->type == NODE_NULL || key->type == NODE_BOOL) {
		buf_addf(b, "\"%s\"",
		    key->type == NODE_NULL ? "null"
		    : key->num		   ? "true"
					   : "false");
		return;
	}
	pytext_str(&text, key);
	json_add_string(b, buf_str(&text));
	buf_clear(&text);
}

void
pytext_compact(struct buf *b, const struct node *node)
{
	struct buf text;

	switch (node->type) {
	case NODE_NULL:
		buf_add_text(b, "null");
		break;
	case NODE_BOOL:
		buf_add_text(b, node->num ? "true" : "false");
		break;
	case NODE_INT:
		buf_add_str(b, node->text);
		break;
	case NODE_FLOAT:
		if (isfinite(node->real))
			pytext_float(b, node->real);
		else
			buf_add_text(b, "null");
		break;
	case NODE_STR:
	case NODE_DATE:
		json_add_string(b, node->text);
		break;
	case NODE_BYTES:
		buf_init(&text, b->max);
		repr_bytes(&text, node->text);
		json_add_string(b, buf_str(&text));
		buf_clear(&text);
		break;
	case NODE_LIST:
	case NODE_SET:
		buf_add_char(b, '[');
		for (size_t i = 0; i < node->n && buf_ok(b); i++) {
			buf_add_text(b, i ? "," : "");
			pytext_compact(
			    b, node->type == NODE_LIST ? node->items[i] : node->pairs[i].key);
		}
		buf_add_char(b, ']');
		break;
	case NODE_MAP:
		buf_add_char(b, '{');
		for (size_t i = 0; i < node->n && buf_ok(b); i++) {
			buf_add_text(b, i ? "," : "");
			compact_key(b, node->pairs[i].key);
			buf_add_char(b, ':');
			pytext_compact(b, node->pairs[i].value);
		}
		buf_add_char(b, '}');
		break;
	}
}
