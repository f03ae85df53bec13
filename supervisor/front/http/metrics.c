/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page is two parts. The first is what moves with every request; it is small and copied into the
 * answer's head. The second is the fleet's, megabytes for thousands of deployments; it is kept
 * until a result comes and sent by reference. A deployment's labels are rendered once for each
 * configuration (series.c), so that joining writes only numbers.
 */
#include "supervisor/front/http/metrics.h"

#include <stdlib.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "supervisor/front/http/guard.h"
#include "supervisor/front/http/health.h"
#include "supervisor/front/http/page.h"
#include "supervisor/front/http/series.h"
#include "supervisor/front/http/server.h"

#define VERDICTS (VERDICT_DISABLED + 1)
#define NO_SERIES 0xff /* in place of a state: no series of its own */
#define LEAD_MAX (1u << 20)

struct metrics {
	struct fleet *fleet;
	struct buf lead;
	struct {
		struct blob *body;
		uint64_t version, results;
	} kept[2][2]; /* [OpenMetrics][with admin-only labels] */
};

enum source { SOURCE_FRONT, SOURCE_FLEET, SOURCE_DEPLOYMENT };

static const struct metric {
	const char *family, *sample;
	enum metric_type type;
	enum source source;
	const char *help;
	void (*add)(struct page *p);
	void (*add_deployment)(
	    struct page *p, const struct deployment *d, enum verdict_state state);
} metrics[] = {
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

static bool
is_shown(const struct page *p, const struct metric *m)
{
	return http_setting(p->h, SETTING_METRICS_LITELLM) ||
	       strncmp(m->family, "litellm_", strlen("litellm_")) != 0;
}

/* states: of each deployment, or NO_SERIES. */
static void
add_family(struct page *p, const struct metric *m, const uint8_t *states)
{
	p->sample = m->sample;
	exposition_family(p->b, p->openmetrics, m->family, m->sample, m->type, m->help);
	if (m->add) {
		m->add(p);
		return;
	}
	for (size_t i = 0; i < fleet_size(p->h->fleet); i++)
		if (states[i] != NO_SERIES)
			m->add_deployment(
			    p, fleet_at(p->h->fleet, i), (enum verdict_state)states[i]);
}

static struct blob *
make_body(struct page *p)
{
	size_t n = fleet_size(p->h->fleet), shown = 0;
	size_t most = (size_t)http_setting(p->h, SETTING_METRICS_DEPLOYMENTS);
	uint8_t *states = xmalloc(n + 1);
	struct buf b = BUF_INIT(SIZE_MAX);

	p->b = &b;
	for (size_t i = 0; i < n; i++) {
		struct deployment *d = fleet_at(p->h->fleet, i);
		enum verdict_state state = health_state(p->h, d, p->now_ms);

		p->counts[state]++;
		states[i] = (uint8_t)state;
		if (shown < most && series_update(d))
			shown++;
		else
			states[i] = NO_SERIES;
	}
	p->left_out = n - shown;
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
		if (metrics[i].source != SOURCE_FRONT && is_shown(p, &metrics[i]))
			add_family(p, &metrics[i], states);
	if (p->openmetrics)
		buf_add_text(&b, "# EOF\n");
	free(states);
	return blob_of_buf(&b);
}

static void
make_lead(struct page *p)
{
	struct metrics *m = p->h->metrics;

	buf_reset(&m->lead);
	p->b = &m->lead;
	events_counts(p->h->events, &p->events);
	store_status(scheduler_store(p->h->scheduler), &p->store);
	database_status(p->h->database, &p->database);
	if (p->h->scheduler) {
		scheduler_counts(p->h->scheduler, &p->probes);
		pool_counts(scheduler_pool(p->h->scheduler), &p->pool);
	}
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
		if (metrics[i].source == SOURCE_FRONT)
			add_family(p, &metrics[i], NULL);
}

void
metrics_handle(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct http *h = conn_http(c);
	struct metrics *m = h->metrics;
	struct page p = {
		.h = h,
		.openmetrics = exposition_openmetrics(r->accept),
		.full = caller == CALLER_ADMIN || caller == CALLER_METRICS,
		.now_ms = clock_wall_ms(),
	};
	uint64_t version = fleet_version(h->fleet), results = tally_version(h->tally);
	struct reply reply = { .status = 200, .type = REPLY_NO_TYPE };

	if (m->kept[p.openmetrics][p.full].body == NULL ||
	    m->kept[p.openmetrics][p.full].version != version ||
	    m->kept[p.openmetrics][p.full].results != results) {
		blob_unref(m->kept[p.openmetrics][p.full].body);
		m->kept[p.openmetrics][p.full].body = make_body(&p);
		m->kept[p.openmetrics][p.full].version = version;
		m->kept[p.openmetrics][p.full].results = results;
	}
	make_lead(&p);
	reply.lead = buf_str(&m->lead);
	reply.body = m->kept[p.openmetrics][p.full].body;
	reply.extra = p.openmetrics ? STR("content-type: " EXPOSITION_OPENMETRICS_TYPE "\r\n")
				    : STR("content-type: " EXPOSITION_TEXT_TYPE "\r\n");
	reply.vary = STR("Origin, Accept");
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

/* A page that is out of date is worth no memory until somebody asks again. */
static void
on_changed(struct deployment *d, void *arg)
{
	struct metrics *m = arg;

	for (int i = 0; i < 4; i++) {
		blob_unref(m->kept[i / 2][i % 2].body);
		m->kept[i / 2][i % 2].body = NULL;
	}
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

	m->fleet = h->fleet;
	buf_init(&m->lead, LEAD_MAX);
	fleet_add_watch(h->fleet, &w);
	return m;
}

void
metrics_free(struct metrics *m)
{
	fleet_remove_watch(m->fleet, m);
	on_changed(NULL, m);
	for (size_t i = 0; i < fleet_size(m->fleet); i++)
		series_free(fleet_at(m->fleet, i));
	buf_clear(&m->lead);
	free(m);
}
