/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scalars as PyYAML 6's resolver.py and constructor.py have them. The patterns are matched by hand;
 * each matcher names the expression it stands for.
 */
#include "supervisor/config/scalar.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>

#include "shared/buf.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A cursor over the text: each step says whether it matched. */
struct scan {
	const char *p, *end;
};

static bool
one(struct scan *s, const char *set)
{
	if (s->p == s->end || *s->p == '\0' || strchr(set, *s->p) == NULL)
		return false;
	s->p++;
	return true;
}

static size_t
many(struct scan *s, const char *set)
{
	size_t n = 0;

	while (one(s, set))
		n++;
	return n;
}

#define DIGITS "0123456789"
#define DIGITS_ "0123456789_"

/* The longest of the words below. */
#define WORD_MAX 5

static bool
word_in(struct str text, const char *const *words)
{
	if (text.n > WORD_MAX)
		return false;
	for (; *words; words++)
		if (str_is(text, *words))
			return true;
	return false;
}

static const char *const true_words[] = { "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On",
	"ON", NULL };
static const char *const false_words[] = { "no", "No", "NO", "false", "False", "FALSE", "off",
	"Off", "OFF", NULL };
static const char *const null_words[] = { "", "~", "null", "Null", "NULL", NULL };
static const char *const inf_words[] = { ".inf", ".Inf", ".INF", NULL };
static const char *const nan_words[] = { ".nan", ".NaN", ".NAN", NULL };

/* (?::[0-5]?[0-9])+ */
static bool
sexagesimal(struct scan *s)
{
	bool any = false;

	while (s->end - s->p >= 2 && s->p[0] == ':' && is_digit(s->p[1])) {
		if (s->end - s->p >= 3 && s->p[1] <= '5' && is_digit(s->p[2]))
			s->p += 3;
		else
			s->p += 2;
		any = true;
	}
	return any;
}

/* (?:[eE][-+][0-9]+)? and then the end. */
static bool
exponent_end(struct scan *s)
{
	if (s->p == s->end)
		return true;
	return one(s, "eE") && one(s, "-+") && many(s, DIGITS) > 0 && s->p == s->end;
}

static bool
is_float(struct str text)
{
	struct scan s = { text.p, text.p + text.n }, t;
	struct str unsigned_text = text;

	if (word_in(text, nan_words))
		return true;
	/* \.[0-9][0-9_]*(?:[eE][-+][0-9]+)? */
	t = s;
	if (one(&t, ".") && one(&t, DIGITS)) {
		many(&t, DIGITS_);
		if (exponent_end(&t))
			return true;
	}
	if (one(&s, "-+")) {
		unsigned_text.p++;
		unsigned_text.n--;
	}
	if (word_in(unsigned_text, inf_words))
		return true;
	if (!one(&s, DIGITS))
		return false;
	many(&s, DIGITS_);
	/* [0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]* */
	t = s;
	if (sexagesimal(&t) && one(&t, ".")) {
		many(&t, DIGITS_);
		if (t.p == t.end)
			return true;
	}
	/* [0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)? */
	if (!one(&s, "."))
		return false;
	many(&s, DIGITS_);
	return exponent_end(&s);
}

static bool
is_int(struct str text)
{
	struct scan s = { text.p, text.p + text.n };

	one(&s, "-+");
	if (one(&s, "0")) {
		if (s.p == s.end)
			return true;
		if (one(&s, "b"))
			return many(&s, "01_") > 0 && s.p == s.end;
		if (one(&s, "x"))
			return many(&s, "0123456789abcdefABCDEF_") > 0 && s.p == s.end;
		return many(&s, "01234567_") > 0 && s.p == s.end;
	}
	if (!one(&s, "123456789"))
		return false;
	many(&s, DIGITS_);
	return s.p == s.end || (sexagesimal(&s) && s.p == s.end);
}

struct moment {
	int year, month, day, hour, minute, second, micro;
	bool has_time, has_zone;
	int zone_minutes; /* signed */
	bool utc;
};

/* Digits from min to max of them. */
static bool
number(struct scan *s, int min, int max, int *value)
{
	int n = 0;

	for (*value = 0; n < max && s->p < s->end && is_digit(*s->p); n++)
		*value = *value * 10 + (*s->p++ - '0');
	return n >= min;
}

static void
fraction(struct scan *s, int *micro)
{
	int scale = 100000;

	for (*micro = 0; s->p < s->end && is_digit(*s->p); s->p++, scale /= 10)
		*micro += (*s->p - '0') * scale;
}

static bool
zone(struct scan *s, struct moment *m)
{
	int sign, hour, minute = 0;

	many(s, " \t");
	if (s->p == s->end)
		return true;
	m->has_zone = true;
	if (one(s, "Z"))
		return m->utc = true;
	sign = *s->p == '-' ? -1 : 1;
	if (!one(s, "-+") || !number(s, 1, 2, &hour))
		return false;
	if (one(s, ":") && !number(s, 2, 2, &minute))
		return false;
	m->zone_minutes = sign * (hour * 60 + minute);
	return true;
}

/* PyYAML's timestamp: `strict` is the resolver's pattern (a bare date has two digits each), else
 * the constructor's. */
static bool
parse_moment(struct str text, bool strict, struct moment *m)
{
	struct scan s = { text.p, text.p + text.n };

	memset(m, 0, sizeof(*m));
	if (!number(&s, 4, 4, &m->year) || !one(&s, "-") || !number(&s, 1, 2, &m->month) ||
	    !one(&s, "-") || !number(&s, 1, 2, &m->day))
		return false;
	if (s.p == s.end)
		return !strict || text.n == 10;
	m->has_time = true;
	if (!one(&s, "Tt") && many(&s, " \t") == 0)
		return false;
	if (!number(&s, 1, 2, &m->hour) || !one(&s, ":") || !number(&s, 2, 2, &m->minute) ||
	    !one(&s, ":") || !number(&s, 2, 2, &m->second))
		return false;
	if (one(&s, "."))
		fraction(&s, &m->micro);
	if (s.p == s.end)
		return true;
	/* Blanks belong to the zone only; the pattern ends after it. */
	return zone(&s, m) && m->has_zone && s.p == s.end;
}

enum scalar_tag
scalar_resolve(struct str text)
{
	struct moment m;

	if (word_in(text, true_words) || word_in(text, false_words))
		return SCALAR_BOOL;
	if (word_in(text, null_words))
		return SCALAR_NULL;
	if (is_float(text))
		return SCALAR_FLOAT;
	if (is_int(text))
		return SCALAR_INT;
	if (str_is(text, "<<"))
		return SCALAR_MERGE;
	if (str_is(text, "="))
		return SCALAR_VALUE;
	if (parse_moment(text, true, &m))
		return SCALAR_DATE;
	return SCALAR_STR;
}

/* The text without underscores and, for explicit tags, without blanks around; NULL when too long.
 */
static char *
bare(struct str text, size_t max)
{
	char *copy;
	size_t n = 0;

	while (text.n && isspace((unsigned char)text.p[0]))
		text.p++, text.n--;
	while (text.n && isspace((unsigned char)text.p[text.n - 1]))
		text.n--;
	if (text.n > max)
		return NULL;
	copy = xmalloc(text.n + 1);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '_')
			copy[n++] = text.p[i];
	copy[n] = '\0';
	return copy;
}

static int
digit_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* number = number * scale + each digit of that base; false when there is another character or none.
 */
static bool
bn_digits(BIGNUM *bn, const char *p, size_t n, int base)
{
	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if (digit_value(p[i]) >= base || !BN_mul_word(bn, (BN_ULONG)base) ||
		    !BN_add_word(bn, (BN_ULONG)digit_value(p[i])))
			return false;
	return true;
}

static bool
bn_sexagesimal(BIGNUM *bn, const char *p)
{
	BIGNUM *part = BN_new();
	bool ok = part != NULL;

	for (; ok; p++) {
		size_t n = strcspn(p, ":");

		BN_zero(part);
		ok = bn_digits(part, p, n, 10) && BN_mul_word(bn, 60) && BN_add(bn, bn, part);
		p += n;
		if (*p == '\0')
			break;
	}
	BN_free(part);
	return ok;
}

static bool
bn_parse(BIGNUM *bn, const char *p)
{
	if (strcmp(p, "0") == 0)
		return true;
	if (p[0] == '0' && p[1] == 'b')
		return bn_digits(bn, p + 2, strlen(p + 2), 2);
	if (p[0] == '0' && p[1] == 'x')
		return bn_digits(bn, p + 2, strlen(p + 2), 16);
	if (p[0] == '0')
		return bn_digits(bn, p, strlen(p), 8);
	if (strchr(p, ':'))
		return bn_sexagesimal(bn, p);
	return bn_digits(bn, p, strlen(p), 10);
}

static int
make_int(struct arena *a, struct str text, struct mark mark, struct node **out)
{
	char *copy = bare(text, SCALAR_INT_DIGITS_MAX), *p = copy, *digits = NULL, *end;
	BIGNUM *bn = BN_new();
	int rc = ERR_INVALID;
	bool negative;

	if (copy == NULL || bn == NULL)
		goto out;
	negative = *p == '-';
	if (*p == '-' || *p == '+')
		p++;
	if (*p == '\0' || !bn_parse(bn, p))
		goto out;
	if (negative && !BN_is_zero(bn))
		BN_set_negative(bn, 1);
	digits = BN_bn2dec(bn);
	if (digits == NULL)
		goto out;
	*out = node_new(a, NODE_INT, mark);
	(*out)->text = arena_copy(a, str_of(digits));
	(*out)->fits = BN_num_bits(bn) < 63;
	if ((*out)->fits)
		(*out)->num = strtoll(digits, &end, 10);
	(*out)->bytes = (*out)->text.n;
	rc = 0;
out:
	OPENSSL_free(digits);
	BN_free(bn);
	free(copy);
	return rc;
}

/* Python's float() of a text without underscores; false when it is none. */
static bool
python_float(const char *p, double *value)
{
	char *end;

	/* strtod also takes hexadecimal and "nan(…)". */
	if (*p == '\0' || strpbrk(p, "xX(pP") != NULL)
		return false;
	*value = strtod(p, &end);
	return *end == '\0' && !isspace((unsigned char)*p);
}

static bool
float_sexagesimal(char *p, double *value)
{
	double part;
	char *colon;

	/* PyYAML adds from the right; the order of additions can change the last bit. */
	double base = 1;

	*value = 0;
	for (;;) {
		colon = strrchr(p, ':');
		if (!python_float(colon ? colon + 1 : p, &part))
			return false;
		*value += part * base;
		base *= 60;
		if (colon == NULL)
			return true;
		*colon = '\0';
	}
}

static int
make_float(struct arena *a, struct str text, struct mark mark, struct node **out)
{
	char *copy = bare(text, SCALAR_INT_DIGITS_MAX), *p = copy;
	double value = 0;
	int rc = ERR_INVALID, sign = 1;

	if (copy == NULL || *copy == '\0')
		goto out;
	for (char *c = copy; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (*p == '-')
		sign = -1;
	if (*p == '-' || *p == '+')
		p++;
	if (strcmp(p, ".inf") == 0)
		value = INFINITY;
	else if (strcmp(p, ".nan") == 0)
		value = NAN;
	else if (strchr(p, ':') ? !float_sexagesimal(p, &value) : !python_float(p, &value))
		goto out;
	*out = node_new(a, NODE_FLOAT, mark);
	(*out)->real = isnan(value) ? value : sign * value;
	rc = 0;
out:
	free(copy);
	return rc;
}

static int
make_bool(struct arena *a, struct str text, struct mark mark, struct node **out)
{
	static const char *const yes[] = { "yes", "true", "on" }, *const no[] = { "no", "false",
		"off" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (text.n == strlen(yes[i]) && strncasecmp(text.p, yes[i], text.n) == 0) {
			*out = node_bool(a, true, mark);
			return 0;
		}
		if (text.n == strlen(no[i]) && strncasecmp(text.p, no[i], text.n) == 0) {
			*out = node_bool(a, false, mark);
			return 0;
		}
	}
	return ERR_INVALID;
}

static int
days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0))
		return 29;
	return days[month - 1];
}

static int
make_date(struct arena *a, struct str text, struct mark mark, struct node **out)
{
	struct moment m;
	char s[64];
	int n;

	if (!parse_moment(text, false, &m) || m.year < 1 || m.month < 1 || m.month > 12 ||
	    m.day < 1 || m.day > days_in(m.year, m.month) || m.hour > 23 || m.minute > 59 ||
	    m.second > 59 || abs(m.zone_minutes) >= 24 * 60)
		return ERR_INVALID;
	n = snprintf(s, sizeof(s), "%04d-%02d-%02d", m.year, m.month, m.day);
	if (m.has_time)
		n += snprintf(
		    s + n, sizeof(s) - (size_t)n, " %02d:%02d:%02d", m.hour, m.minute, m.second);
	if (m.micro)
		n += snprintf(s + n, sizeof(s) - (size_t)n, ".%06d", m.micro);
	if (m.has_zone)
		n += snprintf(s + n, sizeof(s) - (size_t)n, "%c%02d:%02d",
		    m.zone_minutes < 0 ? '-' : '+', abs(m.zone_minutes) / 60,
		    abs(m.zone_minutes) % 60);
	*out = node_new(a, NODE_DATE, mark);
	(*out)->text = arena_copy(a, (struct str){ s, (size_t)n });
	(*out)->bytes = (size_t)n;
	/* Remembered for json.dumps, which names the class. */
	(*out)->num = m.has_time;
	return 0;
}

static int
base64_value(char c)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(alphabet, c) : NULL;

	return p ? (int)(p - alphabet) : -1;
}

/* Python's base64.decodebytes(): other characters are skipped, padding must be right. */
static int
make_binary(struct arena *a, struct str text, struct mark mark, struct node **out)
{
	char *bytes = arena_alloc(a, text.n / 4 * 3 + 3);
	size_t n = 0, quad = 0, pads = 0;
	unsigned bits = 0;
	bool padded = false;

	for (size_t i = 0; i < text.n && !padded; i++) {
		int value = base64_value(text.p[i]);

		if ((unsigned char)text.p[i] >= 0x80)
			return ERR_INVALID;
		if (text.p[i] == '=')
			padded = quad >= 2 && quad + ++pads >= 4;
		if (value < 0)
			continue;
		pads = 0;
		bits = bits << 6 | (unsigned)value;
		quad = (quad + 1) % 4;
		if (quad != 1)
			bytes[n++] = (char)(bits >> (quad == 2 ? 4 : quad == 3 ? 2 : 0));
	}
	if (quad != 0 && !padded)
		return ERR_INVALID;
	*out = node_new(a, NODE_BYTES, mark);
	(*out)->text = (struct str){ bytes, n };
	(*out)->bytes = n;
	return 0;
}

int
scalar_make(struct arena *a, enum scalar_tag tag, struct str text, struct mark mark,
    struct node **out, const char **expected)
{
	switch (tag) {
	case SCALAR_NULL:
		*out = node_new(a, NODE_NULL, mark);
		return 0;
	case SCALAR_BOOL:
		*expected = "true or false";
		return make_bool(a, text, mark, out);
	case SCALAR_INT:
		*expected = "a whole number of at most 4300 digits";
		return make_int(a, text, mark, out);
	case SCALAR_FLOAT:
		*expected = "a number";
		return make_float(a, text, mark, out);
	case SCALAR_DATE:
		*expected = "a date that exists (quote it to keep it as a text)";
		return make_date(a, text, mark, out);
	case SCALAR_BINARY:
		*expected = "base64 data";
		return make_binary(a, text, mark, out);
	case SCALAR_STR:
	case SCALAR_MERGE:
	case SCALAR_VALUE:
		break;
	}
	*out = node_str(a, text, mark);
	return 0;
}
