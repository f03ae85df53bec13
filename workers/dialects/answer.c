/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strict JSON reader of answers. A recursive descent whose depth is bounded; what it refuses it
 * names as CPython's json/decoder.py does, because LiteLLM's clients know those words.
 */
#include "workers/dialects/answer.h"

#include <string.h>

struct reader {
	const unsigned char *start, *p, *end;
	const struct answer_place *places;
	size_t n;
	struct answer_value *values;
	struct answer_fault *fault;
};

#define NOWHERE (-1)

static int
refuse_as(struct reader *r, int err, const char *what, const unsigned char *at)
{
	r->fault->err = err;
	r->fault->what = what;
	r->fault->at = (size_t)(at - r->start);
	return err;
}

static int
refuse(struct reader *r, const char *what, const unsigned char *at)
{
	return refuse_as(r, ERR_SYNTAX, what, at);
}

static inline void
skip_blanks(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
		r->p++;
}

static bool
is_hex(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* RFC 3629 section 4: the length of the sequence at p, or 0. */
static size_t
utf8_length(const unsigned char *p, size_t n)
{
	unsigned char c = p[0];
	size_t len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

	if (c < 0xc2 || c > 0xf4 || n < len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) ||
	    (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static int
read_escape(struct reader *r)
{
	const unsigned char *at = r->p++;

	if (r->p == r->end)
		return refuse(r, "Unterminated string starting at", at);
	switch (*r->p++) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return 0;
	case 'u':
		if (r->end - r->p < 4 || !is_hex(r->p[0]) || !is_hex(r->p[1]) || !is_hex(r->p[2]) ||
		    !is_hex(r->p[3]))
			return refuse(r, "Invalid \\uXXXX escape", at + 1);
		r->p += 4;
		return 0;
	}
	return refuse(r, "Invalid \\escape", at);
}

/* r->p is at the opening quote; *raw is what is between the quotes. */
static int
read_string(struct reader *r, struct str *raw)
{
	const unsigned char *quote = r->p++;
	int err;

	for (;;) {
		unsigned char c;
		size_t len;

		while (
		    r->p < r->end && *r->p >= 0x20 && *r->p < 0x80 && *r->p != '"' && *r->p != '\\')
			r->p++;
		if (r->p == r->end)
			return refuse(r, "Unterminated string starting at", quote);
		c = *r->p;
		if (c == '"') {
			*raw = (struct str){ (const char *)quote + 1, (size_t)(r->p - quote - 1) };
			r->p++;
			return 0;
		}
		if (c == '\\') {
			if ((err = read_escape(r)) < 0)
				return err;
		} else if (c < 0x20) {
			return refuse(r, "Invalid control character at", r->p);
		} else {
			len = utf8_length(r->p, (size_t)(r->end - r->p));
			if (len == 0)
				return refuse_as(r, ERR_INVALID, "Invalid UTF-8", r->p);
			r->p += len;
		}
	}
}

static const unsigned char *
digits(const unsigned char *p, const unsigned char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* As long as it can be, as Python's pattern is; what is left over is the next token's fault. */
static int
read_number(struct reader *r)
{
	const unsigned char *p = r->p, *q;

	if (*p == '-')
		p++;
	q = p < r->end && *p == '0' ? p + 1 : digits(p, r->end);
	if (q == p)
		return refuse(r, "Expecting value", r->p);
	p = q;
	if (r->end - p > 1 && *p == '.' && (q = digits(p + 1, r->end)) > p + 1)
		p = q;
	if (r->end - p > 1 && (*p == 'e' || *p == 'E')) {
		const unsigned char *first = p + 1;

		if (*first == '+' || *first == '-')
			first++;
		if ((q = digits(first, r->end)) > first)
			p = q;
	}
	r->p = p;
	return 0;
}

static int
place_of(const struct reader *r, int parent, const char *key, size_t n)
{
	if (parent == NOWHERE)
		return NOWHERE;
	for (size_t i = (size_t)parent + 1; i < r->n; i++)
		if (r->places[i].parent == parent && strncmp(r->places[i].key, key, n) == 0 &&
		    r->places[i].key[n] == '\0')
			return (int)i;
	return NOWHERE;
}

/* What a first member of that name held below it goes when a second one comes. */
static void
forget_below(struct reader *r, int place)
{
	for (size_t i = (size_t)place + 1; i < r->n; i++)
		if (r->places[i].parent == place) {
			r->values[i].kind = ANSWER_ABSENT;
			forget_below(r, (int)i);
		}
}

static int read_value(struct reader *r, int place, int depth);

/* What stands behind a member or an element: 1 for the end, 0 when another follows. */
static int
read_next(struct reader *r, char end)
{
	skip_blanks(r);
	if (r->p < r->end && *r->p == end) {
		r->p++;
		return 1;
	}
	if (r->p == r->end || *r->p != ',')
		return refuse(r, "Expecting ',' delimiter", r->p);
	r->p++;
	skip_blanks(r);
	return 0;
}

static int
read_object(struct reader *r, int place, int depth, uint32_t *count)
{
	int err;

	r->p++;
	skip_blanks(r);
	if (r->p < r->end && *r->p == '}') {
		r->p++;
		return 0;
	}
	for (;;) {
		struct str key;

		if (r->p == r->end || *r->p != '"')
			return refuse(r, "Expecting property name enclosed in double quotes", r->p);
		if ((err = read_string(r, &key)) < 0)
			return err;
		skip_blanks(r);
		if (r->p == r->end || *r->p != ':')
			return refuse(r, "Expecting ':' delimiter", r->p);
		r->p++;
		skip_blanks(r);
		if ((err = read_value(r, place_of(r, place, key.p, key.n), depth)) < 0)
			return err;
		++*count;
		if ((err = read_next(r, '}')) != 0)
			return err < 0 ? err : 0;
	}
}

static int
read_array(struct reader *r, int place, int depth, uint32_t *count)
{
	int first = place_of(r, place, "[]", 2);
	int err;

	r->p++;
	skip_blanks(r);
	if (r->p < r->end && *r->p == ']') {
		r->p++;
		return 0;
	}
	for (;;) {
		if ((err = read_value(r, first, depth)) < 0)
			return err;
		first = NOWHERE;
		++*count;
		if ((err = read_next(r, ']')) != 0)
			return err < 0 ? err : 0;
	}
}

static bool
read_word(struct reader *r, const char *word, size_t n)
{
	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return false;
	r->p += n;
	return true;
}

static int
read_value(struct reader *r, int place, int depth)
{
	const unsigned char *start = r->p;
	enum answer_kind kind = ANSWER_ABSENT;
	struct str raw = { (const char *)start, 0 };
	uint32_t count = 0;
	int err = 0;

	if (place != NOWHERE && r->values[place].kind != ANSWER_ABSENT)
		forget_below(r, place);
	if (r->p == r->end)
		return refuse(r, "Expecting value", r->p);
	switch (*r->p) {
	case '{':
	case '[':
		if (depth == ANSWER_MAX_DEPTH)
			return refuse_as(r, ERR_LIMIT, "Nested too deep", r->p);
		kind = *r->p == '{' ? ANSWER_OBJECT : ANSWER_ARRAY;
		err = kind == ANSWER_OBJECT ? read_object(r, place, depth + 1, &count)
					    : read_array(r, place, depth + 1, &count);
		break;
	case '"':
		kind = ANSWER_STRING;
		err = read_string(r, &raw);
		break;
	case 't':
		kind = read_word(r, "true", 4) ? ANSWER_BOOL : ANSWER_ABSENT;
		break;
	case 'f':
		kind = read_word(r, "false", 5) ? ANSWER_BOOL : ANSWER_ABSENT;
		break;
	case 'n':
		kind = read_word(r, "null", 4) ? ANSWER_NULL : ANSWER_ABSENT;
		break;
	case '-':
	case '0' ... '9':
		kind = ANSWER_NUMBER;
		err = read_number(r);
		break;
	}
	if (err < 0)
		return err;
	if (kind == ANSWER_ABSENT)
		return refuse(r, "Expecting value", r->p);
	if (place != NOWHERE) {
		struct answer_value *v = &r->values[place];

		v->kind = kind;
		v->count = count;
		v->raw = kind == ANSWER_STRING
			     ? raw
			     : (struct str){ (const char *)start, (size_t)(r->p - start) };
	}
	return 0;
}

int
answer_read(struct str body, const struct answer_place *places, size_t n,
    struct answer_value *values, struct answer_fault *fault)
{
	const unsigned char *start = (const unsigned char *)(body.p ? body.p : "");
	struct reader r = { start, start, start + body.n, places, n, values, fault };
	int err;

	for (size_t i = 0; i < n; i++)
		values[i] = (struct answer_value){ ANSWER_ABSENT, { NULL, 0 }, 0 };
	skip_blanks(&r);
	if ((err = read_value(&r, n > 0 ? 0 : NOWHERE, 0)) < 0)
		return err;
	skip_blanks(&r);
	return r.p == r.end ? 0 : refuse(&r, "Extra data", r.p);
}

void
answer_fault_text(struct buf *b, struct str body, const struct answer_fault *fault)
{
	size_t line = 1, column = 1, chars = 0;

	for (size_t i = 0; i < fault->at && i < body.n; i++) {
		if (((unsigned char)body.p[i] & 0xc0) == 0x80)
			continue;
		chars++;
		column++;
		if (body.p[i] == '\n') {
			line++;
			column = 1;
		}
	}
	buf_addf(b, "%s: line %zu column %zu (char %zu)", fault->what, line, column, chars);
}

static void
add_utf8(struct buf *b, uint32_t c)
{
	char out[4];
	size_t n;

	if (c == 0 || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	if (c < 0x80) {
		out[0] = (char)c;
		n = 1;
	} else if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		n = 2;
	} else if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		n = 3;
	} else {
		out[0] = (char)(0xf0 | c >> 18);
		out[1] = (char)(0x80 | (c >> 12 & 0x3f));
		out[2] = (char)(0x80 | (c >> 6 & 0x3f));
		out[3] = (char)(0x80 | (c & 0x3f));
		n = 4;
	}
	buf_add(b, out, n);
}

static uint32_t
hex4(const char *p)
{
	uint32_t c = 0;

	for (int i = 0; i < 4; i++)
		c = c << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	return c;
}

void
answer_text(struct buf *b, struct str raw)
{
	static const char names[] = "bfnrt", bytes[] = "\b\f\n\r\t";
	size_t i = 0;

	while (i < raw.n) {
		const char *slash = memchr(raw.p + i, '\\', raw.n - i), *name;
		size_t n = slash ? (size_t)(slash - (raw.p + i)) : raw.n - i;
		uint32_t c, low;

		buf_add(b, raw.p + i, n);
		i += n;
		if (slash == NULL || raw.n - i < 2)
			break;
		if (slash[1] != 'u' || raw.n - i < 6) {
			name = strchr(names, slash[1]);
			buf_add_char(b, name && *name ? bytes[name - names] : slash[1]);
			i += 2;
			continue;
		}
		c = hex4(slash + 2);
		i += 6;
		if (c >= 0xd800 && c < 0xdc00 && raw.n - i >= 6 && raw.p[i] == '\\' &&
		    raw.p[i + 1] == 'u') {
			low = hex4(raw.p + i + 2);
			if (low >= 0xdc00 && low < 0xe000) {
				c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
				i += 6;
			}
		}
		add_utf8(b, c);
	}
}

/* repr() of a str: single quotes unless the text has one of those and no double one. */
static void
add_python_string(struct buf *b, struct str raw)
{
	struct buf text = BUF_INIT(raw.n * 3 + 1);
	struct str s;
	char quote;

	answer_text(&text, raw);
	s = buf_str(&text);
	quote = s.n && memchr(s.p, '\'', s.n) && memchr(s.p, '"', s.n) == NULL ? '"' : '\'';
	buf_add_char(b, quote);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == (unsigned char)quote || c == '\\')
			buf_addf(b, "\\%c", c);
		else if (c == '\n' || c == '\r' || c == '\t')
			buf_addf(b, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
		else if (c < 0x20 || c == 0x7f)
			buf_addf(b, "\\x%02x", c);
		else
			buf_add_char(b, (char)c);
	}
	buf_add_char(b, quote);
	buf_clear(&text);
}

void
answer_python(struct buf *b, struct str json, size_t max)
{
	const unsigned char *start = (const unsigned char *)json.p;
	struct answer_fault fault;
	struct reader r = { start, start, start + json.n, NULL, 0, NULL, &fault };
	struct str raw;

	while (r.p < r.end && b->len < max) {
		skip_blanks(&r);
		if (r.p == r.end)
			break;
		if (*r.p == '"') {
			if (read_string(&r, &raw) < 0)
				return;
			if (raw.n > max)
				raw.n = max;
			add_python_string(b, raw);
		} else if (read_word(&r, "null", 4)) {
			buf_add_text(b, "None");
		} else if (read_word(&r, "true", 4)) {
			buf_add_text(b, "True");
		} else if (read_word(&r, "false", 5)) {
			buf_add_text(b, "False");
		} else {
			buf_add_char(b, (char)*r.p);
			if (*r.p == ',' || *r.p == ':')
				buf_add_char(b, ' ');
			r.p++;
		}
	}
}

const char *
answer_kind_name(const struct answer_value *v)
{
	static const char *const names[] = { [ANSWER_ABSENT] = "missing",
		[ANSWER_NULL] = "null",
		[ANSWER_BOOL] = "a boolean",
		[ANSWER_NUMBER] = "a number",
		[ANSWER_STRING] = "a string",
		[ANSWER_ARRAY] = "an array",
		[ANSWER_OBJECT] = "an object" };

	return names[v->kind];
}

uint32_t
answer_count(const struct answer_value *v)
{
	uint64_t sum = 0;

	if (v->kind != ANSWER_NUMBER)
		return 0;
	for (size_t i = 0; i < v->raw.n; i++) {
		if (v->raw.p[i] < '0' || v->raw.p[i] > '9')
			return 0;
		sum = sum * 10 + (uint64_t)(v->raw.p[i] - '0');
		if (sum > UINT32_MAX)
			return 0;
	}
	return (uint32_t)sum;
}

bool
answer_member(struct str object, size_t *at, struct str *key, struct str *value)
{
	const unsigned char *start = (const unsigned char *)object.p;
	struct answer_fault fault;
	struct reader r = { start, start + *at, start + object.n, NULL, 0, NULL, &fault };
	const unsigned char *from;

	if (*at == 0) {
		skip_blanks(&r);
		if (r.p == r.end || *r.p != '{')
			return false;
		r.p++;
	}
	skip_blanks(&r);
	if (r.p < r.end && *r.p == ',') {
		r.p++;
		skip_blanks(&r);
	}
	if (r.p == r.end || *r.p != '"' || read_string(&r, key) < 0)
		return false;
	skip_blanks(&r);
	if (r.p == r.end || *r.p != ':')
		return false;
	r.p++;
	skip_blanks(&r);
	from = r.p;
	if (read_value(&r, NOWHERE, 1) < 0)
		return false;
	*value = (struct str){ (const char *)from, (size_t)(r.p - from) };
	*at = (size_t)(r.p - start);
	return true;
}

bool
answer_element(struct str array, size_t *at, struct str *value)
{
	const unsigned char *start = (const unsigned char *)array.p;
	struct answer_fault fault;
	struct reader r = { start, start + *at, start + array.n, NULL, 0, NULL, &fault };
	const unsigned char *from;

	skip_blanks(&r);
	if (r.p < r.end && *r.p == (*at == 0 ? '[' : ',')) {
		r.p++;
		skip_blanks(&r);
	}
	from = r.p;
	if (r.p == r.end || *r.p == ']' || read_value(&r, NOWHERE, 1) < 0)
		return false;
	*value = (struct str){ (const char *)from, (size_t)(r.p - from) };
	*at = (size_t)(r.p - start);
	return true;
}
