/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page is two parts. The first is what moves with every request; it is small and copied into the
 * answer's head. The second is the fleet's, megabytes for thousands of deployments; it is kept
 * until a result comes and sent by reference. A deployment's labels are rendered once for each
 * configuration (series.c), so that joining writes only numbers. Even so it is many milliseconds for
 * a large fleet: it is made in pieces, each in a turn of the loop of its own, while all who ask wait
 * for the same one.
 */
#include "supervisor/front/http/metrics.h"

#include <event2/event.h>
#include <stdlib.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "shared/log.h"
#include "supervisor/front/http/guard.h"
#include "supervisor/front/http/health.h"
#include "supervisor/front/http/page.h"
#include "supervisor/front/http/series.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/http/turns.h"

#define NO_SERIES 0xff /* in place of a state: no series of its own */
#define LEAD_MAX (1u << 20)
#define PIECE_US 800 /* after so long others get their turn */
#define PIECE_LOOK 32 /* deployments between two looks at the clock */

struct metrics_waiter {
	TAILQ_ENTRY(metrics_waiter) link;
	struct conn *conn;
	struct build *build;
};

/* One of the four forms of the fleet's part: the one that is kept, and the one that is being made. */
struct build {
	struct metrics *metrics;
	struct blob *body; /* NULL: none */
	uint64_t version, results;
	TAILQ_HEAD(, metrics_waiter) waiters;

	bool running;
	struct event *turn;
	struct page page;
	struct buf b;
	uint64_t next_version, next_results;
	uint32_t generation; /* of the fleet: deployments stay where they are in it */
	uint8_t *states;     /* of each deployment, or NO_SERIES */
	size_t n, shown;
	bool counted; /* all states are known */
	bool opened;  /* the row's family has its first lines */
	size_t row, at;
	size_t room; /* that the next body takes, about */
};

struct metrics {
	struct http *h;
	struct fleet *fleet;
	struct buf lead;
	struct build builds[2][2]; /* [OpenMetrics][with admin-only labels] */
};

static const struct metric metrics[] = {
#define SAMPLE_GAUGE(family) family
#define SAMPLE_HISTOGRAM(family) family
#define SAMPLE_COUNTER(family) family "_total"
#define SAMPLE_INFO(family) family "_info"
#define FRONT_FUNCTIONS(id) metrics_add_##id, NULL
#define FLEET_FUNCTIONS(id) metrics_add_##id, NULL
#define DEPLOYMENT_FUNCTIONS(id) NULL, metrics_add_##id
#define METRIC(id, source, family, type, labels, help) \
	{ family, SAMPLE_##type(family), METRIC_##type, SOURCE_##source, help, \
		source##_FUNCTIONS(id) },
#include "supervisor/front/http/metrics.def"
#undef METRIC
};

const struct metric *
metrics_at(size_t i)
{
	return i < ARRAY_LEN(metrics) ? &metrics[i] : NULL;
}

bool
metrics_shown(const struct page *p, const struct metric *m)
{
	return http_setting(p->h, SETTING_METRICS_LITELLM) ||
	       strncmp(m->family, "litellm_", strlen("litellm_")) != 0;
}

/* A piece of work: after PIECE_US others get their turn. */
struct piece {
	int64_t until_us;
	unsigned n;
};

static bool
is_enough(struct piece *piece)
{
	return ++piece->n % PIECE_LOOK == 0 && clock_mono_us() >= piece->until_us;
}

static void
begin(struct build *k)
{
	struct http *h = k->metrics->h;

	k->running = true;
	k->next_version = fleet_version(h->fleet);
	k->next_results = tally_version(h->tally);
	k->generation = fleet_generation(h->fleet);
	k->n = fleet_size(h->fleet);
	k->states = xrealloc(k->states, k->n + 1);
	k->page.now_ms = clock_wall_ms();
	memset(k->page.counts, 0, sizeof(k->page.counts));
	k->shown = k->row = k->at = 0;
	k->counted = k->opened = false;
	buf_reset(&k->b);
}

/* The state of each deployment, and its labels. False when there is more to do. */
static bool
count_states(struct build *k, struct piece *piece)
{
	struct http *h = k->metrics->h;
	size_t most = (size_t)http_setting(h, SETTING_METRICS_DEPLOYMENTS);

	while (k->at < k->n) {
		struct deployment *d = fleet_at(h->fleet, k->at);
		enum verdict_state state = health_state(h, d, k->page.now_ms);

		k->page.counts[state]++;
		k->states[k->at] = (uint8_t)state;
		if (k->shown < most && series_update(d))
			k->shown++;
		else
			k->states[k->at] = NO_SERIES;
		k->at++;
		if (is_enough(piece))
			return false;
	}
	k->page.left_out = k->n - k->shown;
	k->at = 0;
	return true;
}

static void
open_family(struct page *p, const struct metric *m)
{
	p->sample = m->sample;
	exposition_family(p->b, p->openmetrics, m->family, m->sample, m->type, m->help);
}

/* One row. False when there is more to do. */
static bool
add_family(struct build *k, const struct metric *m, struct piece *piece)
{
	struct page *p = &k->page;

	if (!k->opened)
		open_family(p, m);
	k->opened = true;
	p->sample = m->sample;
	if (m->add) {
		m->add(p);
		return true;
	}
	while (k->at < k->n) {
		size_t i = k->at++;

		if (k->states[i] == NO_SERIES)
			continue;
		m->add_deployment(p, fleet_at(p->h->fleet, i), (enum verdict_state)k->states[i]);
		if (is_enough(piece))
			return false;
	}
	return true;
}

/* Whether the body is whole now. */
static bool
build_piece(struct build *k)
{
	struct page *p = &k->page;
	struct piece piece = { clock_mono_us() + PIECE_US, 0 };

	/* Another configuration: the deployments are others. */
	if (k->generation != fleet_generation(p->h->fleet))
		begin(k);
	if (!k->counted) {
		if (!count_states(k, &piece))
			return false;
		k->counted = true;
	}
	for (; k->row < ARRAY_LEN(metrics); k->row++, k->at = 0, k->opened = false) {
		const struct metric *m = &metrics[k->row];

		if (m->source == SOURCE_FRONT || !metrics_shown(p, m))
			continue;
		if (!add_family(k, m, &piece))
			return false;
		if (clock_mono_us() >= piece.until_us) {
			k->row++;
			k->at = 0;
			k->opened = false;
			return false;
		}
	}
	if (p->openmetrics)
		buf_add_text(&k->b, "# EOF\n");
	return true;
}

static void
finish(struct build *k)
{
	size_t room = k->b.len;

	k->running = false;
	blob_unref(k->body);
	k->body = blob_of_buf(&k->b);
	k->version = k->next_version;
	k->results = k->next_results;
	/* The next one is about as large: room for it at once spares its pieces the moving. */
	k->room = room + room / 8;
}

void
metrics_read_front(struct page *p)
{
	events_counts(p->h->events, &p->events);
	store_status(scheduler_store(p->h->scheduler), &p->store);
	database_status(p->h->database, &p->database);
	for (unsigned i = 0; i < OTLP_SIGNALS; i++)
		otlp_counts(p->h->otlp, i, &p->otlp[i]);
	if (p->h->scheduler) {
		scheduler_counts(p->h->scheduler, &p->probes);
		pool_counts(scheduler_pool(p->h->scheduler), &p->pool);
	}
}

static void
make_lead(struct metrics *m, bool openmetrics)
{
	struct page p = { .h = m->h, .b = &m->lead, .openmetrics = openmetrics, .now_ms = clock_wall_ms() };

	buf_reset(&m->lead);
	metrics_read_front(&p);
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
		if (metrics[i].source == SOURCE_FRONT) {
			open_family(&p, &metrics[i]);
			metrics[i].add(&p);
		}
}

/* The body is borrowed. */
static struct reply
make_reply(struct build *k)
{
	struct reply r = { .status = 200, .type = REPLY_NO_TYPE };

	make_lead(k->metrics, k->page.openmetrics);
	r.lead = buf_str(&k->metrics->lead);
	r.body = k->body;
	r.extra = k->page.openmetrics ? STR("content-type: " EXPOSITION_OPENMETRICS_TYPE "\r\n")
				      : STR("content-type: " EXPOSITION_TEXT_TYPE "\r\n");
	r.vary = STR("Origin, Accept");
	return r;
}

/* Those who wait get what is there now; more may come meanwhile and wait for the next. */
static void
answer_all(struct build *k)
{
	TAILQ_HEAD(, metrics_waiter) all = TAILQ_HEAD_INITIALIZER(all);
	struct blob *body = blob_ref(k->body);
	struct metrics_waiter *w;

	TAILQ_CONCAT(&all, &k->waiters, link);
	while ((w = TAILQ_FIRST(&all)) != NULL) {
		struct conn *c = w->conn;
		struct reply r = make_reply(k);

		TAILQ_REMOVE(&all, w, link);
		free(w);
		r.body = body;
		conn_reply_late(c, &r);
	}
	blob_unref(body);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct build *k = arg;
	int64_t start_us = clock_mono_us();
	bool whole;

	if (!k->running)
		return;
	/* Nobody waits any more. */
	if (TAILQ_EMPTY(&k->waiters)) {
		k->running = false;
		return;
	}
	whole = build_piece(k);
	turns_note(k->metrics->h, start_us);
	if (!whole) {
		event_active(k->turn, EV_TIMEOUT, 0);
		return;
	}
	finish(k);
	answer_all(k);
}

static void
on_cancel(void *arg)
{
	struct metrics_waiter *w = arg;

	TAILQ_REMOVE(&w->build->waiters, w, link);
	free(w);
}

static void
wait_for(struct build *k, struct conn *c)
{
	struct metrics_waiter *w = xcalloc(1, sizeof(*w));

	w->conn = c;
	w->build = k;
	TAILQ_INSERT_TAIL(&k->waiters, w, link);
	conn_wait(c, on_cancel, w);
}

static bool
is_fresh(const struct build *k)
{
	const struct http *h = k->metrics->h;

	return k->body && k->version == fleet_version(h->fleet) && k->results == tally_version(h->tally);
}

void
metrics_handle(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct http *h = conn_http(c);
	bool full = caller == CALLER_ADMIN || caller == CALLER_METRICS;
	struct build *k = &h->metrics->builds[exposition_openmetrics(r->accept)][full];
	struct reply reply;

	if (k->running) {
		wait_for(k, c);
		return;
	}
	if (!is_fresh(k)) {
		k->b = BUF_INIT(SIZE_MAX);
		if (k->room > 0 && buf_reserve(&k->b, k->room) == NULL)
			fatal("out of memory");
		begin(k);
		/* A small fleet is one piece. */
		if (!build_piece(k)) {
			wait_for(k, c);
			event_active(k->turn, EV_TIMEOUT, 0);
			return;
		}
		finish(k);
	}
	reply = make_reply(k);
	conn_reply(c, &reply);
}

#define REFUSAL(why) \
	STR("\"Unauthorized access to metrics endpoint: Authentication Error, " why \
	    ". To allow unauthenticated access, set " \
	    "`litellm_settings.require_auth_for_metrics_endpoint: false` in your " \
	    "proxy_config.yaml.\"")

void
metrics_refuse(struct conn *c, enum caller caller)
{
	if (caller == CALLER_UNKNOWN)
		guard_refuse(c, 401, REFUSAL("Invalid API Key passed in"));
	else
		route_reply_text(c, 401,
		    REFUSAL("Malformed API Key passed in. Ensure Key has `Bearer ` prefix"));
}

/* Life. */

static void
forget(struct metrics *m)
{
	for (int i = 0; i < 4; i++) {
		struct build *k = &m->builds[i / 2][i % 2];

		blob_unref(k->body);
		k->body = NULL;
	}
}

/* A page that is out of date is worth no memory until somebody asks again. */
static void
on_changed(struct deployment *d, void *arg)
{
	forget(arg);
}

static void
on_gone(struct deployment *d, void *arg)
{
	series_free(d);
}

struct metrics *
metrics_new(struct http *h)
{
	struct metrics *m = xcalloc(1, sizeof(*m));
	const struct fleet_watch w = { .changed = on_changed, .gone = on_gone, .arg = m };

	m->h = h;
	m->fleet = h->fleet;
	buf_init(&m->lead, LEAD_MAX);
	for (int i = 0; i < 4; i++) {
		struct build *k = &m->builds[i / 2][i % 2];

		k->metrics = m;
		k->page = (struct page){ .h = h, .b = &k->b, .openmetrics = i / 2, .full = i % 2 };
		k->b = BUF_INIT(SIZE_MAX);
		TAILQ_INIT(&k->waiters);
		k->turn = event_new(h->base, -1, 0, on_turn, k);
		if (k->turn == NULL)
			fatal("out of memory");
	}
	fleet_add_watch(h->fleet, &w);
	return m;
}

void
metrics_free(struct metrics *m)
{
	fleet_remove_watch(m->fleet, m);
	forget(m);
	for (int i = 0; i < 4; i++) {
		struct build *k = &m->builds[i / 2][i % 2];

		event_free(k->turn);
		buf_clear(&k->b);
		free(k->states);
	}
	for (size_t i = 0; i < fleet_size(m->fleet); i++)
		series_free(fleet_at(m->fleet, i));
	buf_clear(&m->lead);
	free(m);
}
