/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report for programs. JSON is the body of GET /health; JUnit XML is what CI servers read
 * (https://github.com/testmoapp/junitxml); TAP is version 14
 * (https://testanything.org/tap-version-14-specification.html); GitHub's are workflow commands
 * (https://docs.github.com/actions/reference/workflow-commands-for-github-actions).
 */
#include "supervisor/report.h"

#include "shared/json.h"
#include "shared/xml.h"
#include "supervisor/terminal.h"

#define TEXT_MAX ((size_t)1 << 20)
#define JSON_MAX ((size_t)2 << 30)

static void
add_entries(const struct report *r, enum report_state state, bool disabled, struct buf *b)
{
	buf_add_char(b, '[');
	for (size_t i = 0; i < r->n; i++) {
		const struct report_row *row = &r->rows[i];

		if (row->state != state || (state == REPORT_NOT_ASKED && row->disabled != disabled))
			continue;
		json_add_comma(b);
		if (row->entry && row->entry[0]) {
			buf_add_text(b, row->entry);
			continue;
		}
		buf_add_char(b, '{');
		json_add_key(b, "model");
		json_add_string(b, row->model);
		json_add_key(b, "model_id");
		json_add_string(b, row->id);
		json_add_key(b, "model_name");
		json_add_string(b, row->model_name);
		buf_add_char(b, '}');
	}
	buf_add_char(b, ']');
}

void
report_json(const struct report *r, struct buf *out)
{
	struct buf json = BUF_INIT(JSON_MAX), *b = &json;
	size_t disabled = 0, unasked = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->rows[i].state == REPORT_NOT_ASKED)
			*(r->rows[i].disabled ? &disabled : &unasked) += 1;
	buf_add_char(b, '{');
	json_add_key(b, "healthy_endpoints");
	add_entries(r, REPORT_HEALTHY, false, b);
	json_add_key(b, "unhealthy_endpoints");
	add_entries(r, REPORT_UNHEALTHY, false, b);
	json_add_key(b, "healthy_count");
	buf_add_int(b, (int64_t)report_count(r, REPORT_HEALTHY));
	json_add_key(b, "unhealthy_count");
	buf_add_int(b, (int64_t)report_count(r, REPORT_UNHEALTHY));
	json_add_key(b, "unknown_endpoints");
	add_entries(r, REPORT_NOT_ASKED, false, b);
	json_add_key(b, "disabled_endpoints");
	add_entries(r, REPORT_NOT_ASKED, true, b);
	json_add_key(b, "unknown_count");
	buf_add_int(b, (int64_t)unasked);
	json_add_key(b, "disabled_count");
	buf_add_int(b, (int64_t)disabled);
	json_add_key(b, "progress");
	buf_addf(
	    b, "{\"checked\":%zu,\"total\":%zu}}\n", r->n - disabled - unasked, r->n - disabled);
	terminal_add_clean_json(out, buf_str(b));
	if (!buf_ok(b))
		out->failed = true;
	buf_clear(b);
}

/* As a terminal would be spared of it: a CI server's page shows the text to a reader. */
static void
add_xml(struct buf *b, struct str s)
{
	struct buf clean = BUF_INIT(TEXT_MAX);

	terminal_add_clean(&clean, s);
	xml_add_text(b, buf_str(&clean));
	buf_clear(&clean);
}

static void
add_seconds(struct buf *b, int64_t us)
{
	buf_addf(b, "%d.%06d", (int)(us / 1000000), (int)(us % 1000000));
}

static void
add_xml_attribute(struct buf *b, const char *name, struct str value)
{
	buf_addf(b, " %s=\"", name);
	add_xml(b, value);
	buf_add_char(b, '"');
}

/* "gpt-4o (openai/gpt-4o-mini, 3f2a…)": a name that is its own in the report. */
static void
add_name(const struct report_row *row, struct buf *b)
{
	buf_add_str(b, row->model_name);
	buf_add_text(b, " (");
	buf_add_str(b, row->model);
	buf_add_text(b, ", ");
	report_add_short_id(b, row->id);
	buf_add_char(b, ')');
}

static void
add_case(const struct report_row *row, struct buf *b)
{
	struct buf text = BUF_INIT(TEXT_MAX);

	buf_add_text(b, "    <testcase");
	add_name(row, &text);
	add_xml_attribute(b, "name", buf_str(&text));
	buf_add_text(b, " classname=\"llmhealth.");
	add_xml(b, row->provider);
	buf_add_char(b, '.');
	add_xml(b, row->mode);
	buf_add_text(b, "\" time=\"");
	add_seconds(b, row->total_us);
	buf_add_char(b, '"');
	if (row->file.n) {
		add_xml_attribute(b, "file", row->file);
		buf_addf(b, " line=\"%u\"", row->line);
	}
	buf_reset(&text);
	report_add_reason(row, &text);
	switch (row->state) {
	case REPORT_UNHEALTHY:
		buf_add_text(b, ">\n      <failure");
		add_xml_attribute(b, "type", str_of(reason_name(row->reason)));
		add_xml_attribute(b, "message", buf_str(&text));
		buf_add_char(b, '>');
		add_xml(b, str_of(row->error));
		buf_add_text(b, "</failure>\n    </testcase>\n");
		break;
	case REPORT_NOT_ASKED:
		buf_add_text(b, ">\n      <skipped");
		add_xml_attribute(b, "message", buf_str(&text));
		buf_add_text(b, "/>\n    </testcase>\n");
		break;
	case REPORT_HEALTHY:
		buf_add_text(b, "/>\n");
		break;
	}
	buf_clear(&text);
}

void
report_junit(const struct report *r, struct buf *b)
{
	size_t unhealthy = report_count(r, REPORT_UNHEALTHY),
	       skipped = report_count(r, REPORT_NOT_ASKED);

	buf_add_text(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	buf_addf(b,
	    "<testsuites tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\" errors=\"0\" time=\"", r->n,
	    unhealthy, skipped);
	add_seconds(b, r->elapsed_ms * 1000);
	buf_addf(b,
	    "\">\n  <testsuite name=\"llmhealth\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\" "
	    "errors=\"0\" time=\"",
	    r->n, unhealthy, skipped);
	add_seconds(b, r->elapsed_ms * 1000);
	buf_add_text(b, "\">\n");
	for (size_t i = 0; i < r->n; i++)
		add_case(&r->rows[i], b);
	buf_add_text(b, "  </testsuite>\n</testsuites>\n");
}

/* A description: `#` would begin a directive and `\` is its escape. */
static void
add_tap(struct buf *b, struct str s)
{
	struct buf clean = BUF_INIT(TEXT_MAX);

	terminal_add_clean(&clean, s);
	for (size_t i = 0; i < clean.len; i++) {
		if (clean.data[i] == '#' || clean.data[i] == '\\')
			buf_add_char(b, '\\');
		buf_add_char(b, clean.data[i]);
	}
	buf_clear(&clean);
}

static void
add_tap_line(struct buf *b, const char *key, struct str value)
{
	struct buf json = BUF_INIT(TEXT_MAX);

	json_add_string(&json, value); /* a JSON string is a YAML one */
	buf_addf(b, "    %s: ", key);
	terminal_add_clean_json(b, buf_str(&json));
	buf_add_char(b, '\n');
	buf_clear(&json);
}

void
report_tap(const struct report *r, struct buf *b)
{
	struct buf text = BUF_INIT(TEXT_MAX);

	buf_addf(b, "TAP version 14\n1..%zu\n", r->n);
	for (size_t i = 0; i < r->n; i++) {
		const struct report_row *row = &r->rows[i];

		buf_reset(&text);
		add_name(row, &text);
		buf_addf(b, "%sok %zu - ", row->state == REPORT_UNHEALTHY ? "not " : "", i + 1);
		add_tap(b, buf_str(&text));
		buf_reset(&text);
		report_add_reason(row, &text);
		if (row->state == REPORT_NOT_ASKED) {
			buf_add_text(b, " # SKIP ");
			add_tap(b, buf_str(&text));
		}
		buf_add_char(b, '\n');
		if (row->state != REPORT_UNHEALTHY)
			continue;
		buf_add_text(b, "  ---\n");
		add_tap_line(b, "message", buf_str(&text));
		add_tap_line(b, "reason", str_of(reason_name(row->reason)));
		buf_addf(b, "    status: %d\n    duration_ms: %d.%03d\n", (int)row->status,
		    (int)(row->total_us / 1000), (int)(row->total_us % 1000));
		add_tap_line(b, "model_id", row->id);
		add_tap_line(b, "error", str_of(row->error));
		buf_add_text(b, "  ...\n");
	}
	buf_clear(&text);
}

/* Escapes what the runner would read as the command's own: % and line ends, in properties also :
 * and ,. */
static void
add_github(struct buf *b, struct str s, bool property)
{
	struct buf clean = BUF_INIT(TEXT_MAX);

	terminal_add_clean(&clean, s);
	for (size_t i = 0; i < clean.len; i++) {
		char c = clean.data[i];

		if (c == '%' || (property && (c == ':' || c == ',')))
			buf_addf(b, "%%%02X", (unsigned char)c);
		else
			buf_add_char(b, c);
	}
	buf_clear(&clean);
}

void
report_github(const struct report *r, struct buf *b)
{
	struct buf text = BUF_INIT(TEXT_MAX);

	for (size_t i = 0; i < r->n; i++) {
		const struct report_row *row = &r->rows[i];

		if (row->state == REPORT_HEALTHY)
			continue;
		buf_addf(b, "::%s ", row->state == REPORT_UNHEALTHY ? "error" : "notice");
		if (row->file.n) {
			buf_add_text(b, "file=");
			add_github(b, row->file, true);
			buf_addf(b, ",line=%u,", row->line);
		}
		buf_add_text(b, "title=");
		buf_reset(&text);
		add_name(row, &text);
		buf_addf(
		    &text, " is %s", row->state == REPORT_UNHEALTHY ? "unhealthy" : "not asked");
		add_github(b, buf_str(&text), true);
		buf_add_text(b, "::");
		buf_reset(&text);
		report_add_reason(row, &text);
		add_github(b, buf_str(&text), false);
		buf_add_char(b, '\n');
	}
	buf_addf(b, "%zu healthy, %zu unhealthy of %zu deployments\n",
	    report_count(r, REPORT_HEALTHY), report_count(r, REPORT_UNHEALTHY), r->n);
	buf_clear(&text);
}
