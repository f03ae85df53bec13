/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a report, and the table for people. */
#include "supervisor/report.h"

#include <stdlib.h>

#include "supervisor/progress.h"
#include "supervisor/table.h"

#define CELL_MAX ((size_t)1 << 20)

static const char *const format_names[REPORT_FORMATS] = { "table", "json", "junit", "tap",
	"github" };

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

/* Handles are given out in the config's order, so those of the rows mostly rise; else they are
 * looked for. */
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

struct str
report_plain_error(struct str error)
{
	static const char mark[] = "Exception - ";
	const char *at = error.n ? memmem(error.p, error.n, mark, sizeof(mark) - 1) : NULL;

	/* Only of the classes in front: not out of the middle of what a provider said. */
	if (at == NULL || !str_starts(error, "litellm.") ||
	    memchr(error.p, '\n', (size_t)(at - error.p)) || (size_t)(at - error.p) > 120 ||
	    at + sizeof(mark) - 1 == error.p + error.n)
		return error;
	at += sizeof(mark) - 1;
	return (struct str){ at, error.n - (size_t)(at - error.p) };
}

void
report_add_reason(const struct report_row *row, struct buf *b)
{
	static const char said[] = "the provider answered with status ";
	const char *words =
	    row->detail && row->detail[0] ? row->detail : report_plain_error(str_of(row->error)).p;

	/* The status is shown beside the reason already. */
	if (words && row->status > 0 && row->answered &&
	    strncmp(words, said, sizeof(said) - 1) == 0) {
		const char *after =
		    words + sizeof(said) - 1 + strspn(words + sizeof(said) - 1, "0123456789");

		if (after[0] == ':' && after[1] == ' ')
			words = after + 2;
	}
	if (row->state == REPORT_HEALTHY) {
		if (row->first_token_us > 0) {
			buf_add_text(b, "first token after ");
			progress_add_duration(b, (row->first_token_us + 500) / 1000);
		}
		return;
	}
	if (row->state == REPORT_NOT_ASKED) {
		buf_add_text(b, row->disabled ? "disabled in the config" : "not asked");
		return;
	}
	buf_add_text(b, reason_name(row->reason));
	if (row->status > 0 && row->answered)
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

static const struct table_column columns[] = {
	{ "MODEL GROUP", 6, 3, false },
	{ "DEPLOYMENT", 6, 2, false },
	{ "PROVIDER", 6, 4, false },
	{ "MODE", 4, 5, false },
	{ "VERDICT", 9, 0, false },
	{ "LATENCY", 7, 0, true },
	{ "REASON", 12, 1, false },
};

static void
add_row(const struct report_row *row, struct table *t)
{
	struct buf b = BUF_INIT(CELL_MAX);

	table_add(t, row->model_name, NULL);
	report_add_short_id(&b, row->id);
	table_add(t, buf_str(&b), NULL);
	table_add(t, row->provider, NULL);
	table_add(t, row->mode, NULL);
	table_add(t, str_of(verdict_text(row)), verdict_color(row));
	buf_reset(&b);
	if (row->total_us > 0)
		progress_add_duration(&b, (row->total_us + 500) / 1000);
	table_add(t, buf_str(&b), NULL);
	buf_reset(&b);
	report_add_reason(row, &b);
	table_add(t, buf_str(&b), NULL);
	buf_clear(&b);
}

static void
add_summary(const struct report *r, const struct report_style *style, struct buf *b)
{
	size_t healthy = report_count(r, REPORT_HEALTHY),
	       unhealthy = report_count(r, REPORT_UNHEALTHY);
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

static void
report_table(const struct report *r, const struct report_style *style, struct buf *b)
{
	struct table *t = table_new(columns, ARRAY_LEN(columns));
	size_t before = b->len;

	for (size_t i = 0; i < r->n; i++)
		if (!style->only_unhealthy || r->rows[i].state == REPORT_UNHEALTHY)
			add_row(&r->rows[i], t);
	table_render(t, style->width, style->color, b);
	if (b->len > before)
		buf_add_char(b, '\n');
	add_summary(r, style, b);
	table_free(t);
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
