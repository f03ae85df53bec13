/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A collection goes through the rows of metrics.def, and through the fleet for those of deployments, a piece in each
 * turn of the loop. A request that has become large enough goes out, and the next one begins with the same row.
 */
#include "supervisor/front/http/otlp_metrics.h"

#include <event2/event.h>
#include <stdlib.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "supervisor/front/http/health.h"
#include "supervisor/front/http/page.h"
#include "supervisor/front/http/series.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/http/turns.h"
#include "supervisor/front/otlp.h"
#include "supervisor/front/otlp_json.h"

#define PIECE_US 800
#define PIECE_LOOK 8 /* deployments between two looks at the clock */
#define LINES_MAX ((size_t)4 << 20)

struct otlp_metrics {
	struct http *h;
	struct otlp *otlp;
	struct event *turn;
	bool running;
	struct page page;
	struct buf lines; /* samples as text */
	struct buf body;
	size_t points; /* in the body */
	size_t row, at, shown;
	bool counted;	    /* FLEET rows know how many deployments are how */
	bool opened;	    /* the row's metric is open in the body */
	uint32_t generation; /* of the fleet */
};

static enum otlp_kind
kind_of(const struct metric *m)
{
	switch (m->type) {
	case METRIC_COUNTER:
		return OTLP_SUM;
	case METRIC_HISTOGRAM:
		return OTLP_HISTOGRAM;
	default:
		return OTLP_GAUGE;
	}
}

static void
put_body(struct otlp_metrics *m)
{
	size_t n;

	otlp_close(&m->body);
	n = m->body.len;
	if (m->points > 0 && buf_ok(&m->body))
		otlp_put_metrics(m->otlp, buf_take(&m->body), n, m->points);
	buf_reset(&m->body);
	m->points = 0;
}

/* The lines of the row so far become points. */
static void
add_lines(struct otlp_metrics *m, const struct metric *row)
{
	if (m->lines.len == 0)
		return;
	if (m->body.len == 0)
		otlp_open(&m->body, false, fleet_settings(m->h->fleet));
	if (!m->opened)
		otlp_open_metric(&m->body, row->family, row->help, kind_of(row));
	m->opened = true;
	m->points += otlp_add_points(
	    &m->body, kind_of(row), buf_str(&m->lines), m->h->started_ms, m->page.now_ms);
	buf_reset(&m->lines);
	if (m->body.len >= OTLP_BODY_MAX) {
		otlp_close_metric(&m->body, kind_of(row));
		m->opened = false;
		put_body(m);
	}
}

static void
close_row(struct otlp_metrics *m, const struct metric *row)
{
	if (m->opened)
		otlp_close_metric(&m->body, kind_of(row));
	m->opened = false;
	m->at = m->shown = 0;
	m->row++;
}

static bool
has_series(struct otlp_metrics *m, struct deployment *d)
{
	return m->shown < (size_t)http_setting(m->h, SETTING_METRICS_DEPLOYMENTS) && series_update(d);
}

static void
begin(struct otlp_metrics *m)
{
	m->running = true;
	m->generation = fleet_generation(m->h->fleet);
	m->page = (struct page){ .h = m->h, .b = &m->lines, .full = true, .now_ms = clock_wall_ms() };
	metrics_read_front(&m->page);
	buf_reset(&m->lines);
	buf_reset(&m->body);
	m->points = m->row = m->at = m->shown = 0;
	m->opened = m->counted = false;
	event_active(m->turn, EV_TIMEOUT, 0);
}

/* How many are how. False when there is more to do. */
static bool
count_states(struct otlp_metrics *m, int64_t until_us)
{
	while (m->at < fleet_size(m->h->fleet)) {
		struct deployment *d = fleet_at(m->h->fleet, m->at++);

		m->page.counts[health_state(m->h, d, m->page.now_ms)]++;
		if (has_series(m, d))
			m->shown++;
		else
			m->page.left_out++;
		if (m->at % PIECE_LOOK == 0 && clock_mono_us() >= until_us)
			return false;
	}
	m->at = m->shown = 0;
	m->counted = true;
	return true;
}

/* False when there is more to do. */
static bool
add_row(struct otlp_metrics *m, const struct metric *row, int64_t until_us)
{
	m->page.sample = row->sample;
	if (row->add) {
		row->add(&m->page);
		add_lines(m, row);
		return true;
	}
	while (m->at < fleet_size(m->h->fleet)) {
		struct deployment *d = fleet_at(m->h->fleet, m->at++);

		if (has_series(m, d)) {
			m->shown++;
			row->add_deployment(&m->page, d, health_state(m->h, d, m->page.now_ms));
		}
		if (m->at % PIECE_LOOK == 0) {
			add_lines(m, row);
			if (clock_mono_us() >= until_us)
				return false;
		}
	}
	add_lines(m, row);
	return true;
}

static bool
is_sent(const struct metric *row)
{
	/* Of this process' own resources the collector's side has its own names. */
	return strncmp(row->family, "llmhealth_", strlen("llmhealth_")) == 0;
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct otlp_metrics *m = arg;
	int64_t start_us = clock_mono_us(), until_us = start_us + PIECE_US;
	const struct metric *row;
	bool more = false;

	if (!m->running)
		return;
	if (m->generation != fleet_generation(m->h->fleet)) {
		begin(m);
		return;
	}
	more = !m->counted && !count_states(m, until_us);
	while (!more && (row = metrics_at(m->row)) != NULL) {
		if (!is_sent(row)) {
			m->row++;
			continue;
		}
		more = !add_row(m, row, until_us);
		if (!more)
			close_row(m, row);
		more = more || clock_mono_us() >= until_us;
	}
	if (more) {
		event_active(m->turn, EV_TIMEOUT, 0);
	} else {
		m->running = false;
		if (m->body.len > 0)
			put_body(m);
		buf_clear(&m->body);
		buf_clear(&m->lines);
	}
	turns_note(m->h, start_us);
}

static void
collect(void *arg)
{
	struct otlp_metrics *m = arg;

	/* One that takes longer than the interval is not begun again. */
	if (!m->running)
		begin(m);
}

struct otlp_metrics *
otlp_metrics_new(struct http *h, struct otlp *otlp)
{
	struct otlp_metrics *m = xcalloc(1, sizeof(*m));

	m->h = h;
	m->otlp = otlp;
	buf_init(&m->lines, LINES_MAX);
	buf_init(&m->body, OTLP_BODY_MAX * 8);
	m->turn = event_new(h->base, -1, 0, on_turn, m);
	if (m->turn == NULL)
		fatal("out of memory");
	otlp_set_collector(otlp, collect, m);
	return m;
}

void
otlp_metrics_free(struct otlp_metrics *m)
{
	if (m == NULL)
		return;
	otlp_set_collector(m->otlp, NULL, NULL);
	event_free(m->turn);
	buf_clear(&m->lines);
	buf_clear(&m->body);
	free(m);
}
