/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: measure, take away, print. */
#include "supervisor/table.h"

#include <stdlib.h>

#include "supervisor/terminal.h"

#define GAP 2
/* A last column that would be narrower than this goes below its row. */
#define LAST_LEAST 64
#define INDENT 2
#define CELL_MAX ((size_t)1 << 20)

struct cell {
	char *text;
	size_t len, width;
	const char *color;
};

struct table {
	const struct table_column *columns;
	unsigned n_columns;
	struct cell *cells;
	size_t n, cap;
};

struct table *
table_new(const struct table_column *columns, unsigned n)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->columns = columns;
	t->n_columns = n;
	return t;
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t);
}

void
table_add(struct table *t, struct str text, const char *color)
{
	struct buf clean = BUF_INIT(CELL_MAX);
	struct cell *c;

	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 256;
		t->cells = xrealloc(t->cells, t->cap * sizeof(*t->cells));
	}
	c = &t->cells[t->n++];
	terminal_add_clean(&clean, text);
	c->width = terminal_columns(buf_str(&clean));
	c->len = clean.len;
	c->text = buf_take(&clean);
	c->color = color;
}

/* The widths of the first n columns, where they have `limit` columns of the terminal. */
static void
measure(const struct table *t, unsigned n, size_t limit, size_t *widths)
{
	size_t total = 0;

	for (unsigned c = 0; c < t->n_columns; c++)
		widths[c] = strlen(t->columns[c].title);
	for (size_t i = 0; i < t->n; i++)
		if (t->cells[i].width > widths[i % t->n_columns])
			widths[i % t->n_columns] = t->cells[i].width;
	for (unsigned c = 0; c < n; c++)
		total += widths[c] + (c ? GAP : 0);
	for (unsigned turn = 1; limit && turn <= t->n_columns; turn++)
		for (unsigned c = 0; c < n && total > limit; c++) {
			size_t least = t->columns[c].least, give = total - limit;

			if (t->columns[c].give != turn || widths[c] <= least)
				continue;
			if (give > widths[c] - least)
				give = widths[c] - least;
			widths[c] -= give;
			total -= give;
		}
}

static void
pad(struct buf *b, size_t n)
{
	while (n-- > 0)
		buf_add_char(b, ' ');
}

static void
add_cell(const struct table *t, unsigned column, struct str text, size_t width, const char *color,
    struct buf *b)
{
	struct buf cut = BUF_INIT(CELL_MAX);
	size_t used, fill;

	terminal_add_cut(&cut, text, width);
	used = terminal_columns(buf_str(&cut));
	fill = width > used ? width - used : 0;
	if (column > 0)
		pad(b, GAP);
	if (t->columns[column].right)
		pad(b, fill);
	if (color)
		buf_add_text(b, color);
	buf_add_str(b, buf_str(&cut));
	if (color)
		buf_add_text(b, "\033[0m");
	if (!t->columns[column].right)
		pad(b, fill);
	buf_clear(&cut);
}

static void
end_line(struct buf *b)
{
	while (b->len > 0 && b->data[b->len - 1] == ' ')
		b->len--;
	buf_add_char(b, '\n');
}

/* The whole text below its row, broken at spaces where there are any. */
static void
add_below(struct str text, size_t width, const char *color, struct buf *b)
{
	size_t room = width > INDENT * 2 ? width - INDENT : INDENT;

	while (text.n > 0) {
		size_t n = terminal_fitting(text, room), end = n;

		if (n == 0)
			n = end = text.n; /* a character wider than the terminal */
		while (n < text.n && end > 0 && text.p[end] != ' ')
			end--;
		if (n == text.n || end == 0)
			end = n;
		pad(b, INDENT);
		if (color)
			buf_add_text(b, color);
		buf_add(b, text.p, end);
		if (color)
			buf_add_text(b, "\033[0m");
		buf_add_char(b, '\n');
		while (end < text.n && text.p[end] == ' ')
			end++;
		text = (struct str){ text.p + end, text.n - end };
	}
}

void
table_render(const struct table *t, size_t width, bool color, struct buf *b)
{
	size_t widths[TABLE_COLUMNS_MAX], whole;
	unsigned n = t->n_columns, last = t->n_columns - 1;

	if (t->n == 0)
		return;
	measure(t, n, 0, widths);
	whole = widths[last];
	measure(t, n, width, widths);
	if (widths[last] < whole && widths[last] < LAST_LEAST) {
		n = last;
		measure(t, n, width, widths);
	}
	for (unsigned c = 0; c < n; c++)
		add_cell(t, c, str_of(t->columns[c].title), widths[c], color ? "\033[1m" : NULL, b);
	end_line(b);
	for (size_t i = 0; i < t->n; i++) {
		const struct cell *cell = &t->cells[i];
		unsigned c = (unsigned)(i % t->n_columns);
		struct str text = { cell->text, cell->len };

		if (c < n)
			add_cell(t, c, text, widths[c], color ? cell->color : NULL, b);
		if (c != last)
			continue;
		end_line(b);
		if (n < t->n_columns)
			add_below(text, width, color ? cell->color : NULL, b);
	}
}
