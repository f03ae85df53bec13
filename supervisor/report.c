/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a report, and the table for people. */
#include "supervisor/report.h"

#include <stdlib.h>

#include "supervisor/progress.h"
#include "supervisor/terminal.h"

#define COLUMNS 7
#define GAP 2
#define CELL_MAX 65536

static const char *const format_names[REPORT_FORMATS] = { "table", "json", "junit", "tap", "github" };

const char *
report_format_name(enum report_format format)
{
	return format_names[format];
}

int
report_format_parse(struct str name)
{
	for (int i = 0; i < REPORT_FORMATS; i++)
		if (str_is(name, format_names[i]))
			return i;
	return -1;
}

void
report_init(struct report *r, size_t n)
{
	*r = (struct report){ .rows = n ? xcalloc(n, sizeof(*r->rows)) : NULL, .n = n };
}

static void
clear_texts(struct report_row *row)
{
	free(row->error);
	free(row->detail);
	free(row->entry);
	row->error = row->detail = row->entry = NULL;
}

void
report_clear(struct report *r)
{
	for (size_t i = 0; i < r->n; i++)
		clear_texts(&r->rows[i]);
	free(r->rows);
	*r = (struct report){ 0 };
}

/* Handles are given out in the config's order, so those of the rows mostly rise; else they are looked for. */
struct report_row *
report_find(struct report *r, uint32_t handle)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->rows[mid].handle < handle)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < r->n && r->rows[low].handle == handle)
		return &r->rows[low];
	for (size_t i = 0; i < r->n; i++)
		if (r->rows[i].handle == handle)
			return &r->rows[i];
	return NULL;
}

void
report_set_texts(struct report_row *row, struct str error, struct str detail, struct str entry)
{
	clear_texts(row);
	row->error = str_dup(error);
	row->detail = str_dup(detail);
	row->entry = str_dup(entry);
}

size_t
report_count(const struct report *r, enum report_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->rows[i].state == state;
	return n;
}

void
report_add_short_id(struct buf *b, struct str id)
{
	bool digest = id.n == 64;

	for (size_t i = 0; i < id.n && digest; i++)
		digest = (id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f');
	if (digest)
		id.n = 12;
	buf_add_str(b, id);
}

void
report_add_reason(const struct report_row *row, struct buf *b)
{
	const char *words = row->detail && row->detail[0] ? row->detail : row->error;

	if (row->state == REPORT_HEALTHY)
		return;
	if (row->state == REPORT_NOT_ASKED) {
		buf_add_text(b, row->disabled ? "disabled in the config" : "not asked");
		return;
	}
	buf_add_text(b, reason_name(row->reason));
	if (row->status > 0 && row->reason != REASON_CONFIG)
		buf_addf(b, " %d", (int)row->status);
	buf_addf(b, ": %s", words && words[0] ? words : reason_text(row->reason));
}

static const char *
verdict_text(const struct report_row *row)
{
	switch (row->state) {
	case REPORT_HEALTHY:
		return "healthy";
	case REPORT_UNHEALTHY:
		return "UNHEALTHY";
	case REPORT_NOT_ASKED:
	default:
		return row->disabled ? "disabled" : "unknown";
	}
}

static const char *
verdict_color(const struct report_row *row)
{
	switch (row->state) {
	case REPORT_HEALTHY:
		return "\033[32m";
	case REPORT_UNHEALTHY:
		return "\033[1;31m";
	case REPORT_NOT_ASKED:
	default:
		return "\033[33m";
	}
}

static const struct {
	const char *title;
	size_t least; /* columns that it keeps in a narrow terminal */
	bool right;
} columns[COLUMNS] = {
	{ "MODEL GROUP", 8, false },
	{ "DEPLOYMENT", 8, false },
	{ "PROVIDER", 6, false },
	{ "MODE", 4, false },
	{ "VERDICT", 9, false },
	{ "LATENCY", 7, true },
	{ "REASON", 20, false },
};
enum { COLUMN_VERDICT = 4, COLUMN_REASON = 6 };

/* Who gives way first when the terminal is too narrow. */
static const unsigned char shrink_order[] = { COLUMN_REASON, 1, 0, 2, 3 };

static void
cell(const struct report_row *row, unsigned column, struct buf *b)
{
	struct buf raw = BUF_INIT(CELL_MAX);

	switch (column) {
	case 0:
		buf_add_str(&raw, row->model_name);
		break;
	case 1:
		report_add_short_id(&raw, row->id);
		break;
	case 2:
		buf_add_str(&raw, row->provider);
		break;
	case 3:
		buf_add_str(&raw, row->mode);
		break;
	case 4:
		buf_add_text(&raw, verdict_text(row));
		break;
	case 5:
		if (row->total_us > 0)
			progress_add_duration(&raw, (row->total_us + 500) / 1000);
		break;
	default:
		report_add_reason(row, &raw);
		break;
	}
	terminal_add_clean(b, buf_str(&raw));
	buf_clear(&raw);
}

static void
measure(const struct report *r, const struct report_style *style, size_t widths[COLUMNS])
{
	struct buf b = BUF_INIT(CELL_MAX * 4);
	size_t total = 0;

	for (unsigned c = 0; c < COLUMNS; c++)
		widths[c] = strlen(columns[c].title);
	for (size_t i = 0; i < r->n; i++) {
		if (style->only_unhealthy && r->rows[i].state != REPORT_UNHEALTHY)
			continue;
		for (unsigned c = 0; c < COLUMNS; c++) {
			size_t w;

			buf_reset(&b);
			cell(&r->rows[i], c, &b);
			w = terminal_columns(buf_str(&b));
			if (w > widths[c])
				widths[c] = w;
		}
	}
	buf_clear(&b);
	for (unsigned c = 0; c < COLUMNS; c++)
		total += widths[c] + (c ? GAP : 0);
	for (size_t i = 0; style->width && i < sizeof(shrink_order) && total > style->width; i++) {
		unsigned c = shrink_order[i];
		size_t give = total - style->width;

		if (widths[c] <= columns[c].least)
			continue;
		if (give > widths[c] - columns[c].least)
			give = widths[c] - columns[c].least;
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
add_cell(struct buf *b, struct str clean, unsigned column, size_t width, const char *color)
{
	size_t before, used;
	struct buf cut = BUF_INIT(CELL_MAX * 4);

	terminal_add_cut(&cut, clean, width);
	used = terminal_columns(buf_str(&cut));
	before = width > used ? width - used : 0;
	if (column > 0)
		pad(b, GAP);
	if (columns[column].right)
		pad(b, before);
	if (color)
		buf_add_text(b, color);
	buf_add_str(b, buf_str(&cut));
	if (color)
		buf_add_text(b, "\033[0m");
	if (!columns[column].right && column + 1 < COLUMNS)
		pad(b, before);
	buf_clear(&cut);
}

static void
end_line(struct buf *b)
{
	while (b->len > 0 && b->data[b->len - 1] == ' ')
		b->len--;
	buf_add_char(b, '\n');
}

static void
add_summary(const struct report *r, const struct report_style *style, struct buf *b)
{
	size_t healthy = report_count(r, REPORT_HEALTHY), unhealthy = report_count(r, REPORT_UNHEALTHY);
	size_t rest = r->n - healthy - unhealthy;

	buf_addf(b, "%s%zu healthy%s", style->color && healthy ? "\033[32m" : "", healthy,
	    style->color && healthy ? "\033[0m" : "");
	buf_addf(b, ", %s%zu unhealthy%s", style->color && unhealthy ? "\033[1;31m" : "", unhealthy,
	    style->color && unhealthy ? "\033[0m" : "");
	if (rest > 0)
		buf_addf(b, ", %zu not asked", rest);
	buf_addf(b, " of %zu deployment%s in ", r->n, r->n == 1 ? "" : "s");
	progress_add_duration(b, r->elapsed_ms);
	buf_add_char(b, '\n');
}

void
report_table(const struct report *r, const struct report_style *style, struct buf *b)
{
	size_t widths[COLUMNS], shown = 0;
	struct buf text = BUF_INIT(CELL_MAX * 4);

	for (size_t i = 0; i < r->n; i++)
		shown += !style->only_unhealthy || r->rows[i].state == REPORT_UNHEALTHY;
	measure(r, style, widths);
	for (unsigned c = 0; shown && c < COLUMNS; c++)
		add_cell(b, str_of(columns[c].title), c, widths[c], style->color ? "\033[1m" : NULL);
	if (shown)
		end_line(b);
	for (size_t i = 0; i < r->n; i++) {
		const struct report_row *row = &r->rows[i];

		if (style->only_unhealthy && row->state != REPORT_UNHEALTHY)
			continue;
		for (unsigned c = 0; c < COLUMNS; c++) {
			buf_reset(&text);
			cell(row, c, &text);
			add_cell(b, buf_str(&text), c, widths[c],
			    c == COLUMN_VERDICT && style->color ? verdict_color(row) : NULL);
		}
		end_line(b);
	}
	if (shown)
		buf_add_char(b, '\n');
	add_summary(r, style, b);
	buf_clear(&text);
}

void
report_render(const struct report *r, enum report_format format, const struct report_style *style,
    struct buf *b)
{
	switch (format) {
	case REPORT_JSON:
		report_json(r, b);
		break;
	case REPORT_JUNIT:
		report_junit(r, b);
		break;
	case REPORT_TAP:
		report_tap(r, b);
		break;
	case REPORT_GITHUB:
		report_github(r, b);
		break;
	case REPORT_TABLE:
	default:
		report_table(r, style, b);
		break;
	}
}
