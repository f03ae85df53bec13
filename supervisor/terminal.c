/* SPDX-License-Identifier: Apache-2.0 */
/* Terminal text: decoding UTF-8, counting columns, showing what must not be acted on. */
#include "supervisor/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

static bool utf8_user;

void
terminal_init(void)
{
	if (setlocale(LC_CTYPE, ""))
		utf8_user = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	if (!utf8_user)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
}

size_t
terminal_width(int fd)
{
	struct winsize ws;

	if (!isatty(fd))
		return 0;
	if (ioctl(fd, TIOCGWINSZ, &ws) < 0 || ws.ws_col == 0)
		return 80;
	return ws.ws_col;
}

bool
terminal_wants_color(enum color_when when, int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (when != COLOR_AUTO)
		return when == COLOR_ALWAYS;
	return !(no && no[0]) && isatty(fd) && !(term && strcmp(term, "dumb") == 0);
}

/* Whether the user's language is written in UTF-8. */
static bool
terminal_is_utf8(void)
{
	return utf8_user;
}

/* Decodes one character. Returns its bytes, or 0 when it is not valid UTF-8. */
static size_t
decode(struct str s, uint32_t *c)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n;

	if (p[0] < 0x80) {
		*c = p[0];
		return 1;
	}
	if (p[0] >= 0xf0 && p[0] < 0xf5)
		n = 4;
	else if (p[0] >= 0xe0 && p[0] < 0xf0)
		n = 3;
	else if (p[0] >= 0xc2 && p[0] < 0xe0)
		n = 2;
	else
		return 0;
	if (s.n < n)
		return 0;
	*c = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (p[i] & 0x3f);
	}
	if (*c < smallest[n] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000))
		return 0;
	return n;
}

static bool
turns_direction(uint32_t c)
{
	return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
	       c == 0x200f || c == 0x061c || c == 0x2028 || c == 0x2029;
}

void
terminal_add_clean(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n;) {
		uint32_t c;
		size_t n = decode((struct str){ s.p + i, s.n - i }, &c);

		if (n == 0) {
			buf_add_text(b, "\xef\xbf\xbd");
			i++;
			continue;
		}
		if (c == '\n')
			buf_add_text(b, "\\n");
		else if (c == '\t')
			buf_add_char(b, ' ');
		else if (c < 0x20 || c == 0x7f)
			buf_addf(b, "\\x%02x", c);
		else if ((c >= 0x80 && c < 0xa0) || turns_direction(c))
			buf_addf(b, "\\u%04x", c);
		else
			buf_add(b, s.p + i, n);
		i += n;
	}
}

void
terminal_add_clean_json(struct buf *b, struct str json)
{
	for (size_t i = 0; i < json.n;) {
		uint32_t c;
		size_t n = decode((struct str){ json.p + i, json.n - i }, &c);

		if (n == 0)
			c = 0xfffd;
		if (n == 0 || (c >= 0x7f && c < 0xa0) || turns_direction(c))
			buf_addf(b, "\\u%04x", c);
		else
			buf_add(b, json.p + i, n);
		i += n ? n : 1;
	}
}

static size_t
columns_of(uint32_t c)
{
	int w = wcwidth((wchar_t)c);

	return w < 0 ? 1 : (size_t)w;
}

/* The bytes that take at most `columns` columns; *taken says how many they do take. */
static size_t
fitting(struct str s, size_t columns, size_t *taken)
{
	size_t i = 0;

	*taken = 0;
	while (i < s.n) {
		uint32_t c;
		size_t n = decode((struct str){ s.p + i, s.n - i }, &c);
		size_t w = n == 0 ? 1 : columns_of(c);

		if (*taken + w > columns)
			break;
		*taken += w;
		i += n == 0 ? 1 : n;
	}
	return i;
}

size_t
terminal_columns(struct str clean)
{
	size_t taken;

	(void)fitting(clean, SIZE_MAX, &taken);
	return taken;
}

size_t
terminal_fitting(struct str clean, size_t columns)
{
	size_t taken;

	return fitting(clean, columns, &taken);
}

void
terminal_add_cut(struct buf *b, struct str clean, size_t columns)
{
	size_t taken, n = fitting(clean, columns, &taken);

	if (n == clean.n) {
		buf_add_str(b, clean);
		return;
	}
	if (columns == 0)
		return;
	n = fitting(clean, columns - 1, &taken);
	buf_add(b, clean.p, n);
	buf_add_text(b, terminal_is_utf8() ? "…" : "~");
}
