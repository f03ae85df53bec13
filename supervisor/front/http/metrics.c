/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page is two parts. The first is what moves with every request; it is small and copied into the
 * answer's head. The second is the fleet's, megabytes for thousands of deployments; it is kept until
 * a result comes and sent by reference. A deployment's labels are rendered once for each
 * configuration (series.c), so that joining writes only numbers.
 */
#include "supervisor/front/http/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "shared/log.h"
#include "supervisor/front/http/exposition.h"
#include "supervisor/front/http/health.h"
#include "supervisor/front/http/series.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/pool.h"
#include "supervisor/front/scheduler.h"
#include "supervisor/front/tally.h"

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

/* What is being written. */
struct page {
	struct http *h;
	struct buf *b;
	const struct metric *m;
	bool openmetrics, full;
	int64_t now_ms;
	struct scheduler_counts probes; /* FRONT, with a scheduler */
	struct pool_counts pool;
	const uint8_t *states; /* FLEET: of each deployment, or NO_SERIES */
	size_t counts[VERDICTS], left_out;
};

#define FRONT_ADD(id) static void add_##id(struct page *p);
#define FLEET_ADD(id) FRONT_ADD(id)
#define DEPLOYMENT_ADD(id) \
	static void add_##id( \
	    struct page *p, const struct deployment *d, enum verdict_state state);
#define METRIC(id, source, family, type, labels, help) source##_ADD(id)
#include "supervisor/front/http/metrics.def"
#undef METRIC

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
#define FRONT_FUNCTIONS(id) add_##id, NULL
#define FLEET_FUNCTIONS(id) add_##id, NULL
#define DEPLOYMENT_FUNCTIONS(id) NULL, add_##id
#define METRIC(id, source, family, type, labels, help) \
	{ family, SAMPLE_##type(family), METRIC_##type, SOURCE_##source, help, \
		source##_FUNCTIONS(id) },
#include "supervisor/front/http/metrics.def"
#undef METRIC
};

/* Samples. */

static void
text(struct page *p, const char *s)
{
	buf_add_text(p->b, s);
}

static void
end(struct page *p, uint64_t value)
{
	buf_add_int(p->b, (int64_t)value);
	buf_add_char(p->b, '\n');
}

static void
plain(struct page *p, uint64_t value)
{
	text(p, p->m->sample);
	buf_add_char(p->b, ' ');
	end(p, value);
}

static void
begin_seconds(struct page *p)
{
	text(p, p->m->sample);
	buf_add_char(p->b, ' ');
}

static void
label(struct page *p, char before, const char *name, const char *value)
{
	buf_add_char(p->b, before);
	text(p, name);
	text(p, "=\"");
	exposition_value(p->b, str_of(value));
	buf_add_char(p->b, '"');
}

static void
two_labels(struct page *p, const char *a, const char *a_value, const char *b, const char *b_value,
    uint64_t value)
{
	text(p, p->m->sample);
	label(p, '{', a, a_value);
	if (b)
		label(p, ',', b, b_value);
	text(p, "} ");
	end(p, value);
}

static void
add_exemplar(struct page *p, const struct tally_exemplar *e)
{
	const struct deployment *d = fleet_find(p->h->fleet, e->handle);

	if (!p->openmetrics || e->at_ms == 0)
		return;
	buf_addf(p->b, " # {probe_id=\"%08x\"", e->probe);
	/* At most 128 characters in all. */
	if (d && strlen(d->id) <= 96)
		label(p, ',', "model_id", d->id);
	text(p, "} ");
	exposition_us(p->b, e->us);
	buf_add_char(p->b, ' ');
	exposition_ms(p->b, e->at_ms);
}

/* `labels` is what stands before le: empty, or labels with a comma behind them. */
static void
add_histogram(struct page *p, const struct histogram *h, const char *labels,
    const struct tally_exemplar *exemplars)
{
#define BOUND_TEXT(us, text) text,
	static const char *const bounds[] = { HISTOGRAM_BOUNDS(BOUND_TEXT) "+Inf" };
	uint64_t total = 0;
	size_t n = strlen(labels);
	struct str alone = { labels, n > 0 ? n - 1 : 0 };

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		total += h->counts[i];
		text(p, p->m->sample);
		text(p, "_bucket{");
		text(p, labels);
		text(p, "le=\"");
		text(p, bounds[i]);
		text(p, "\"} ");
		buf_add_int(p->b, (int64_t)total);
		if (exemplars)
			add_exemplar(p, &exemplars[i]);
		buf_add_char(p->b, '\n');
	}
	for (int sum = 0; sum < 2; sum++) {
		text(p, p->m->sample);
		text(p, sum ? "_sum" : "_count");
		if (n > 0) {
			buf_add_char(p->b, '{');
			buf_add_str(p->b, alone);
			buf_add_char(p->b, '}');
		}
		buf_add_char(p->b, ' ');
		if (sum)
			exposition_us(p->b, h->sum_us);
		else
			buf_add_int(p->b, (int64_t)total);
		buf_add_char(p->b, '\n');
	}
}

/* Of the process. */

static void
add_BUILD(struct page *p)
{
	two_labels(p, "version", PACKAGE_VERSION, NULL, NULL, 1);
}

static void
add_GENERATION(struct page *p)
{
	plain(p, fleet_generation(p->h->fleet));
}

static void
add_IN_FLIGHT(struct page *p)
{
	plain(p, p->probes.in_flight);
}

static void
add_QUEUED(struct page *p)
{
	plain(p, p->probes.queued);
}

static void
add_WAITERS(struct page *p)
{
	plain(p, p->probes.waiters);
}

static void
add_STARTED(struct page *p)
{
	plain(p, p->probes.started);
}

static void
add_SHARED(struct page *p)
{
	plain(p, p->probes.shared);
}

static void
add_REQUEUED(struct page *p)
{
	plain(p, p->pool.requeued);
}

static void
add_LAG(struct page *p)
{
	if (p->probes.lag)
		add_histogram(p, p->probes.lag, "", NULL);
}

static void
add_WORKERS(struct page *p)
{
	plain(p, p->pool.workers);
}

static void
add_RESTARTS(struct page *p)
{
	plain(p, p->pool.restarts);
}

static void
add_STORE(struct page *p)
{
	const char *store = p->probes.store;

	two_labels(p, "backend", store ? store : "none", NULL, NULL, store != NULL);
}

static void
add_CONNECTIONS(struct page *p)
{
	plain(p, p->h->n_conns);
}

static void
add_REQUESTS(struct page *p)
{
	for (size_t i = 0; i < p->h->requests.n; i++) {
		const struct requests_kind *k = &p->h->requests.kinds[i];

		text(p, p->m->sample);
		label(p, '{', "route", k->route ? k->route : "");
		buf_addf(p->b, ",status=\"%d\"} ", k->status);
		buf_add_int(p->b, (int64_t)k->count);
		if (p->openmetrics && k->at_ms > 0) {
			text(p, " # ");
			label(p, '{', "request_id", k->id);
			text(p, "} 1 ");
			exposition_ms(p->b, k->at_ms);
		}
		buf_add_char(p->b, '\n');
	}
}

static void
add_CPU(struct page *p)
{
	struct rusage u;
	uint64_t us = 0;

	if (getrusage(RUSAGE_SELF, &u) == 0)
		us = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000u +
		     (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	begin_seconds(p);
	exposition_us(p->b, us);
	buf_add_char(p->b, '\n');
}

static void
add_START(struct page *p)
{
	begin_seconds(p);
	exposition_ms(p->b, p->h->started_ms);
	buf_add_char(p->b, '\n');
}

/* Pages of memory: field 0 of statm is virtual, 1 resident. */
static void
add_memory(struct page *p, int field)
{
	unsigned long pages[2];
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL)
		return;
	if (fscanf(f, "%lu %lu", &pages[0], &pages[1]) == 2)
		plain(p, (uint64_t)pages[field] * (uint64_t)sysconf(_SC_PAGESIZE));
	fclose(f);
}

static void
add_RESIDENT(struct page *p)
{
	add_memory(p, 1);
}

static void
add_VIRTUAL(struct page *p)
{
	add_memory(p, 0);
}

static void
add_MAX_FDS(struct page *p)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		plain(p, limit.rlim_cur);
}

/* Of the fleet. */

static void
add_DEPLOYMENTS(struct page *p)
{
	for (int i = 0; i < VERDICTS; i++)
		two_labels(p, "verdict", verdict_state_name((enum verdict_state)i), NULL, NULL,
		    p->counts[i]);
}

static void
add_LEFT_OUT(struct page *p)
{
	plain(p, p->left_out);
}

static void
add_RESULTS(struct page *p)
{
	for (size_t i = 0; i < tally_providers(p->h->tally); i++) {
		const struct tally_provider *t = tally_provider(p->h->tally, i);

		for (int r = 0; r < REASON_COUNT; r++)
			if (t->results[r] > 0 || r == REASON_OK)
				two_labels(p, "provider", t->name, "reason",
				    reason_name((enum reason)r), t->results[r]);
	}
}

static void
add_DURATION(struct page *p)
{
	static const char *const phases[PHASES] = { "dns", "connect", "tls", "first_byte",
		"total" };
	struct buf labels = BUF_INIT(8192);

	for (size_t i = 0; i < tally_providers(p->h->tally); i++) {
		const struct tally_provider *t = tally_provider(p->h->tally, i);

		for (int phase = 0; phase < PHASES; phase++) {
			buf_reset(&labels);
			buf_addf(&labels, "phase=\"%s\",provider=\"", phases[phase]);
			exposition_value(&labels, str_of(t->name));
			buf_add_text(&labels, "\",");
			add_histogram(p, &t->phases[phase], buf_text(&labels),
			    phase == PHASE_TOTAL ? t->exemplars : NULL);
		}
	}
	buf_clear(&labels);
}

static void
add_TOKENS(struct page *p)
{
	for (size_t i = 0; i < tally_providers(p->h->tally); i++) {
		const struct tally_provider *t = tally_provider(p->h->tally, i);

		two_labels(p, "direction", "in", "provider", t->name, t->tokens_in);
		two_labels(p, "direction", "out", "provider", t->name, t->tokens_out);
	}
}

static void
add_REACHED(struct page *p)
{
	static const char *const kinds[REACHES] = { "reused", "new", "tls", "tls_resumed" };

	for (size_t i = 0; i < tally_providers(p->h->tally); i++) {
		const struct tally_provider *t = tally_provider(p->h->tally, i);

		for (int k = 0; k < REACHES; k++)
			two_labels(p, "kind", kinds[k], "provider", t->name, t->reached[k]);
	}
}

/* Of a deployment. */

static void
ours(struct page *p, const struct deployment *d)
{
	text(p, p->m->sample);
	buf_add_str(p->b, d->series->ours);
}

static void
one(struct page *p, const struct deployment *d, uint64_t value)
{
	ours(p, d);
	buf_add(p->b, "} ", 2);
	end(p, value);
}

static void
add_UP(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (state == VERDICT_HEALTHY || state == VERDICT_UNHEALTHY)
		one(p, d, state == VERDICT_HEALTHY);
}

static void
add_VERDICT(struct page *p, const struct deployment *d, enum verdict_state state)
{
	enum reason reason =
	    d->problem_reason != REASON_OK ? d->problem_reason : d->verdict.reason;

	ours(p, d);
	label(p, ',', "mode", d->mode);
	label(p, ',', "reason", state == VERDICT_UNHEALTHY ? reason_name(reason) : "");
	label(p, ',', "verdict", verdict_state_name(state));
	buf_add(p->b, "} ", 2);
	end(p, 1);
}

static bool
was_asked(const struct deployment *d)
{
	return d->problem_reason == REASON_OK && d->verdict.checked_at_ms > 0;
}

static void
add_time(struct page *p, const struct deployment *d, int64_t ms)
{
	ours(p, d);
	buf_add(p->b, "} ", 2);
	exposition_ms(p->b, ms);
	buf_add_char(p->b, '\n');
}

static void
add_CHECKED(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (was_asked(d))
		add_time(p, d, d->verdict.checked_at_ms);
}

static void
add_SINCE(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (was_asked(d))
		add_time(p, d, d->verdict.since_ms);
}

static void
add_LATENCY(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (!was_asked(d))
		return;
	ours(p, d);
	buf_add(p->b, "} ", 2);
	exposition_us(p->b, d->verdict.total_us);
	buf_add_char(p->b, '\n');
}

static void
add_PROBES(struct page *p, const struct deployment *d, enum verdict_state state)
{
	one(p, d, d->verdict.probes);
}

static void
add_FAILURES(struct page *p, const struct deployment *d, enum verdict_state state)
{
	one(p, d, d->verdict.failures);
}

static void
add_SPENT(struct page *p, const struct deployment *d, enum verdict_state state)
{
	ours(p, d);
	text(p, ",direction=\"in\"} ");
	end(p, d->verdict.tokens_in);
	ours(p, d);
	text(p, ",direction=\"out\"} ");
	end(p, d->verdict.tokens_out);
}

/* LiteLLM's. */

/* Labels that begin with api_base; who may not see it gets it empty. */
static void
litellm(struct page *p, const struct deployment *d, struct str labels)
{
	text(p, p->m->sample);
	if (p->full) {
		buf_add_str(p->b, labels);
	} else {
		text(p, "{api_base=\"");
		buf_add(p->b, labels.p + d->series->base_end, labels.n - d->series->base_end);
	}
}

static void
add_LITELLM_STATE(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (state != VERDICT_HEALTHY && state != VERDICT_UNHEALTHY)
		return;
	litellm(p, d, d->series->state);
	buf_add(p->b, "} ", 2);
	if (state == VERDICT_UNHEALTHY)
		end(p, 2);
	else
		end(p, d->verdict.falling > 0);
}

static void
add_LITELLM_TOTAL(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (d->tally == NULL)
		return;
	litellm(p, d, d->series->probe);
	buf_add(p->b, "} ", 2);
	end(p, d->tally->probes);
}

static void
add_LITELLM_SUCCESS(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (d->tally == NULL || d->tally->successes == 0)
		return;
	litellm(p, d, d->series->probe);
	buf_add(p->b, "} ", 2);
	end(p, d->tally->successes);
}

static void
add_LITELLM_FAILURE(struct page *p, const struct deployment *d, enum verdict_state state)
{
	for (size_t i = 0; d->tally && i < d->tally->n; i++) {
		const struct tally_failure *f = &d->tally->failures[i];

		litellm(p, d, d->series->probe);
		text(p, ",exception_class=\"");
		/* Python's str.capitalize(). */
		if (*d->provider) {
			char first = *d->provider;

			buf_add_char(
			    p->b, first >= 'a' && first <= 'z' ? (char)(first - 32) : first);
			exposition_value(p->b, str_of(d->provider + 1));
			buf_add_char(p->b, '.');
		}
		text(p, reason_exception(f->reason));
		buf_addf(p->b, "\",exception_status=\"%lld\"} ", (long long)f->status);
		end(p, f->count);
	}
}

/* A number that the provider's last answer had in that header. */
static void
add_left(struct page *p, const struct deployment *d, const char *header)
{
	const char *name = d->problem_reason == REASON_OK ? d->verdict.headers : NULL;
	uint64_t value = 0;

	for (; name && *name && strcmp(name, header) != 0; name += strlen(name) + 1)
		name += strlen(name) + 1;
	if (name == NULL || *name == '\0')
		return;
	name += strlen(name) + 1;
	if (*name == '\0' || strlen(name) > 18)
		return;
	for (; *name; name++) {
		if (*name < '0' || *name > '9')
			return;
		value = value * 10 + (uint64_t)(*name - '0');
	}
	litellm(p, d,
	    (struct str){ d->series->probe.p, d->series->remaining_end });
	buf_add(p->b, "} ", 2);
	end(p, value);
}

static void
add_LITELLM_REQUESTS_LEFT(struct page *p, const struct deployment *d, enum verdict_state state)
{
	add_left(p, d, "x-ratelimit-remaining-requests");
}

static void
add_LITELLM_TOKENS_LEFT(struct page *p, const struct deployment *d, enum verdict_state state)
{
	add_left(p, d, "x-ratelimit-remaining-tokens");
}

/* Pages. */

static bool
is_shown(const struct page *p, const struct metric *m)
{
	return http_setting(p->h, SETTING_METRICS_LITELLM) ||
	       strncmp(m->family, "litellm_", strlen("litellm_")) != 0;
}

static void
add_family(struct page *p, const struct metric *m)
{
	p->m = m;
	exposition_family(p->b, p->openmetrics, m->family, m->sample, m->type, m->help);
	if (m->add) {
		m->add(p);
		return;
	}
	for (size_t i = 0; i < fleet_size(p->h->fleet); i++)
		if (p->states[i] != NO_SERIES)
			m->add_deployment(
			    p, fleet_at(p->h->fleet, i), (enum verdict_state)p->states[i]);
}

static struct blob *
make_body(struct page *p)
{
	size_t n = fleet_size(p->h->fleet), shown = 0;
	size_t most = (size_t)http_setting(p->h, SETTING_METRICS_DEPLOYMENTS);
	uint8_t *states = xmalloc(n + 1);
	struct buf b = BUF_INIT(SIZE_MAX);

	p->b = &b;
	p->states = states;
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
			add_family(p, &metrics[i]);
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
	if (p->h->scheduler) {
		scheduler_counts(p->h->scheduler, &p->probes);
		pool_counts(scheduler_pool(p->h->scheduler), &p->pool);
	}
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
		if (metrics[i].source == SOURCE_FRONT)
			add_family(p, &metrics[i]);
}

void
metrics_handle(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct http *h = conn_http(c);
	struct metrics *m = h->metrics;
	struct page p = {
		.h = h,
		.openmetrics = exposition_openmetrics(r->accept),
		.full = caller == CALLER_ADMIN,
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

void
metrics_refuse(struct conn *c, enum caller caller)
{
	struct buf b = BUF_INIT(1024), text = BUF_INIT(1024);

	buf_addf(&text,
	    "Unauthorized access to metrics endpoint: Authentication Error, %s. To allow "
	    "unauthenticated access, set `litellm_settings.require_auth_for_metrics_endpoint: "
	    "false` in your proxy_config.yaml.",
	    caller == CALLER_UNKNOWN
		? "Invalid API Key passed in"
		: "Malformed API Key passed in. Ensure Key has `Bearer ` prefix");
	json_add_string(&b, buf_str(&text));
	route_reply_json(c, 401, blob_of_buf(&b));
	buf_clear(&text);
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
