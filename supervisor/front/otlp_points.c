/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: the samples of /metrics are read back and become data points, so that both have the same names, labels and
 * numbers, and a metric is one row of metrics.def. The text is our own; what is not as it must be ends the program's
 * tests, not the program: such a line is left out.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "shared/json.h"
#include "supervisor/front/histogram.h"
#include "supervisor/front/otlp_json.h"

#define CUMULATIVE 2 /* AGGREGATION_TEMPORALITY_CUMULATIVE */

static bool
ends_with(struct str s, const char *suffix)
{
	size_t n = strlen(suffix);

	return s.n >= n && memcmp(s.p + s.n - n, suffix, n) == 0;
}

void
otlp_open_metric(struct buf *b, const char *name, const char *help, enum otlp_kind kind)
{
	struct str n = str_of(name);

	json_add_comma(b);
	buf_add_text(b, "{\"name\":");
	json_add_string(b, n);
	buf_add_text(b, ",\"description\":");
	json_add_string(b, str_of(help));
	/* UCUM. */
	buf_addf(b, ",\"unit\":\"%s\",",
	    ends_with(n, "_seconds")   ? "s"
	    : ends_with(n, "_bytes")   ? "By"
	    : ends_with(n, "_dollars") ? "{dollar}"
				       : "1");
	buf_add_text(b, kind == OTLP_GAUGE ? "\"gauge\":{" : kind == OTLP_SUM ? "\"sum\":{" : "\"histogram\":{");
	buf_add_text(b, "\"dataPoints\":[");
}

void
otlp_close_metric(struct buf *b, enum otlp_kind kind)
{
	buf_add_char(b, ']');
	if (kind != OTLP_GAUGE)
		buf_addf(b, ",\"aggregationTemporality\":%d", CUMULATIVE);
	if (kind == OTLP_SUM)
		buf_add_text(b, ",\"isMonotonic\":true");
	buf_add_text(b, "}}");
}

/* A line in its parts; the labels without braces, still escaped. */
struct sample {
	struct str name, labels, value;
};

static bool
take_line(struct str *rest, struct sample *s)
{
	const char *end = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;
	struct str line = { rest->p, end ? (size_t)(end - rest->p) : rest->n };
	size_t i = 0;

	if (rest->n == 0)
		return false;
	rest->p += line.n + (end != NULL);
	rest->n -= line.n + (end != NULL);
	*s = (struct sample){ 0 };
	if (line.n == 0 || *line.p == '#')
		return true;
	while (i < line.n && line.p[i] != '{' && line.p[i] != ' ')
		i++;
	s->name = (struct str){ line.p, i };
	if (i < line.n && line.p[i] == '{') {
		size_t from = ++i;

		for (bool quoted = false; i < line.n && (quoted || line.p[i] != '}'); i++) {
			if (quoted && line.p[i] == '\\')
				i++;
			else if (line.p[i] == '"')
				quoted = !quoted;
		}
		if (i >= line.n) {
			s->name.n = 0;
			return true;
		}
		s->labels = (struct str){ line.p + from, i - from };
		i++;
	}
	i += i < line.n && line.p[i] == ' ';
	s->value = (struct str){ line.p + i, line.n - i };
	return true;
}

/* One name="value" of the labels, the value still escaped. */
static bool
take_label(struct str *labels, struct str *name, struct str *value)
{
	const char *equals;
	size_t i;

	if (labels->n > 0 && *labels->p == ',') {
		labels->p++;
		labels->n--;
	}
	equals = labels->n > 0 ? memchr(labels->p, '=', labels->n) : NULL;
	if (equals == NULL || (size_t)(equals - labels->p) + 2 > labels->n)
		return false;
	*name = (struct str){ labels->p, (size_t)(equals - labels->p) };
	for (i = name->n + 2; i < labels->n && labels->p[i] != '"'; i++)
		if (labels->p[i] == '\\')
			i++;
	if (i >= labels->n)
		return false;
	*value = (struct str){ equals + 2, i - name->n - 2 };
	labels->p += i + 1;
	labels->n -= i + 1;
	return true;
}

static void
add_attributes(struct buf *b, struct str labels)
{
	struct buf text = BUF_INIT(8192), key = BUF_INIT(256);
	struct str name, value;

	buf_add_text(b, "{\"attributes\":[");
	while (take_label(&labels, &name, &value)) {
		if (str_is(name, "le"))
			continue;
		buf_reset(&text);
		buf_reset(&key);
		buf_add_str(&key, name);
		for (size_t i = 0; i < value.n; i++) {
			char c = value.p[i];

			if (c == '\\' && i + 1 < value.n) {
				c = value.p[++i];
				if (c == 'n')
					c = '\n';
			}
			buf_add_char(&text, c);
		}
		otlp_add_text(b, buf_text(&key), buf_str(&text));
	}
	buf_add_char(b, ']');
	buf_clear(&text);
	buf_clear(&key);
}

static void
add_times(struct buf *b, enum otlp_kind kind, int64_t start_ms, int64_t now_ms)
{
	if (kind != OTLP_GAUGE) {
		buf_add_text(b, ",\"startTimeUnixNano\":");
		otlp_add_nanoseconds(b, start_ms * 1000);
	}
	buf_add_text(b, ",\"timeUnixNano\":");
	otlp_add_nanoseconds(b, now_ms * 1000);
}

/* Whole numbers are whole here, too. */
static void
add_number(struct buf *b, struct str value)
{
	if (memchr(value.p, '.', value.n)) {
		buf_add_text(b, ",\"asDouble\":");
		buf_add_str(b, value);
		buf_add_char(b, '}');
	} else {
		buf_add_text(b, ",\"asInt\":\"");
		buf_add_str(b, value);
		buf_add_text(b, "\"}");
	}
}

static uint64_t
whole(struct str value)
{
	uint64_t n = 0;

	for (size_t i = 0; i < value.n && value.p[i] >= '0' && value.p[i] <= '9'; i++)
		n = n * 10 + (uint64_t)(value.p[i] - '0');
	return n;
}

/* The buckets of one histogram, then its count and its sum, in which order they come. */
struct histogram_points {
	uint64_t counts[HISTOGRAM_BUCKETS]; /* cumulative */
	size_t n;
	struct str labels, count, sum;
};

static void
add_histogram(struct buf *b, const struct histogram_points *h, int64_t start_ms, int64_t now_ms)
{
#define BOUND(us, text) "," text
	static const char bounds[] = HISTOGRAM_BOUNDS(BOUND);

	json_add_comma(b);
	add_attributes(b, h->labels);
	add_times(b, OTLP_HISTOGRAM, start_ms, now_ms);
	buf_add_text(b, ",\"count\":\"");
	buf_add_str(b, h->count);
	buf_add_text(b, "\",\"sum\":");
	buf_add_str(b, h->sum);
	buf_add_text(b, ",\"bucketCounts\":[");
	for (size_t i = 0; i < h->n; i++)
		buf_addf(b, "%s\"%" PRIu64 "\"", i ? "," : "", h->counts[i] - (i ? h->counts[i - 1] : 0));
	buf_addf(b, "],\"explicitBounds\":[%s]}", bounds + 1);
}

size_t
otlp_add_points(struct buf *b, enum otlp_kind kind, struct str samples, int64_t start_ms, int64_t now_ms)
{
	struct histogram_points h = { .n = 0 };
	struct sample s;
	size_t n = 0;

	while (take_line(&samples, &s)) {
		if (s.name.n == 0 || s.value.n == 0)
			continue;
		if (kind != OTLP_HISTOGRAM) {
			json_add_comma(b);
			add_attributes(b, s.labels);
			add_times(b, kind, start_ms, now_ms);
			add_number(b, s.value);
			n++;
		} else if (ends_with(s.name, "_bucket")) {
			if (h.n < HISTOGRAM_BUCKETS)
				h.counts[h.n++] = whole(s.value);
			h.labels = s.labels;
		} else if (ends_with(s.name, "_count")) {
			h.count = s.value;
		} else if (ends_with(s.name, "_sum")) {
			h.sum = s.value;
		}
		if (h.n == HISTOGRAM_BUCKETS && h.count.n > 0 && h.sum.n > 0) {
			add_histogram(b, &h, start_ms, now_ms);
			h = (struct histogram_points){ .n = 0 };
			n++;
		}
	}
	return n;
}
