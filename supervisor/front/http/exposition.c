/* SPDX-License-Identifier: Apache-2.0 */
/* The two formats' lines, and the choice between them. */
#include "supervisor/front/http/exposition.h"


#include <inttypes.h>

#include "shared/json.h"
#include "shared/msgs.h"
#include "supervisor/front/http/accept.h"

void
exposition_family(struct buf *b, bool openmetrics, const char *family, const char *sample,
    enum metric_type type, const char *help)
{
	static const char *const types[] = { "gauge", "counter", "histogram", "info" };
	const char *name = openmetrics ? family : sample;

	buf_add_text(b, "# HELP ");
	buf_add_text(b, name);
	buf_add_char(b, ' ');
	buf_add_text(b, help);
	buf_add_text(b, "\n# TYPE ");
	buf_add_text(b, name);
	buf_add_char(b, ' ');
	buf_add_text(b, type == METRIC_INFO && !openmetrics ? "gauge" : types[type]);
	buf_add_char(b, '\n');
}

/* Bytes of the UTF-8 character that s begins with; 0 when it begins with none. */
static size_t
character(struct str s)
{
	for (size_t n = 1; n <= 4 && n <= s.n; n++)
		if (utf8_valid((struct str){ s.p, n }))
			return n;
	return 0;
}

void
exposition_value(struct buf *b, struct str s)
{
	size_t written = 0;

	while (s.n > 0 && written < EXPOSITION_LABEL_MAX) {
		size_t n = character(s);

		if (*s.p == '\\' || *s.p == '"')
			buf_add_char(b, '\\');
		if (*s.p == '\n')
			buf_add(b, "\\n", 2);
		else if (n == 0)
			buf_add(b, "\xef\xbf\xbd", 3);
		else
			buf_add(b, s.p, n);
		n += n == 0;
		s.p += n;
		s.n -= n;
		written += n;
	}
}

static void
add_fraction(struct buf *b, uint64_t whole, unsigned fraction, unsigned digits)
{
	char text[8];

	buf_add_int(b, (int64_t)whole);
	text[0] = '.';
	for (unsigned i = digits; i > 0; i--, fraction /= 10)
		text[i] = (char)('0' + fraction % 10);
	buf_add(b, text, digits + 1);
}

void
exposition_us(struct buf *b, uint64_t us)
{
	add_fraction(b, us / 1000000, (unsigned)(us % 1000000), 6);
}

void
exposition_ms(struct buf *b, int64_t ms)
{
	uint64_t from_zero = ms > 0 ? (uint64_t)ms : 0;

	add_fraction(b, from_zero / 1000, (unsigned)(from_zero % 1000), 3);
}

bool
exposition_openmetrics(struct str accept)
{
	int openmetrics = accept_weight(accept, "application/openmetrics-text");

	return openmetrics > 0 && openmetrics >= accept_weight(accept, "text/plain");
}

void
exposition_money(struct buf *b, uint64_t units)
{
	uint64_t one = (uint64_t)PRICE_UNITS;

	buf_addf(b, "%" PRIu64 ".%012" PRIu64, units / one, units % one);
}
