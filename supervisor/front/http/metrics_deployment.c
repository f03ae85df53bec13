/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics of one deployment: ours, and the series that LiteLLM's dashboards query. Those about
 * requests count health checks under the names that LiteLLM gives its own.
 */
#include "supervisor/front/http/page.h"
#include "supervisor/front/http/series.h"

static void
ours(struct page *p, const struct deployment *d)
{
	page_text(p, p->sample);
	buf_add_str(p->b, d->series->ours);
}

static void
one(struct page *p, const struct deployment *d, uint64_t value)
{
	ours(p, d);
	buf_add(p->b, "} ", 2);
	page_end(p, value);
}

void
metrics_add_UP(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (state == VERDICT_HEALTHY || state == VERDICT_UNHEALTHY)
		one(p, d, state == VERDICT_HEALTHY);
}

void
metrics_add_VERDICT(struct page *p, const struct deployment *d, enum verdict_state state)
{
	enum reason reason = d->problem_reason != REASON_OK ? d->problem_reason : d->verdict.reason;

	ours(p, d);
	page_label(p, ',', "mode", d->mode);
	page_label(p, ',', "reason", state == VERDICT_UNHEALTHY ? reason_name(reason) : "");
	page_label(p, ',', "verdict", verdict_state_name(state));
	buf_add(p->b, "} ", 2);
	page_end(p, 1);
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

void
metrics_add_CHECKED(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (was_asked(d))
		add_time(p, d, d->verdict.checked_at_ms);
}

void
metrics_add_SINCE(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (was_asked(d))
		add_time(p, d, d->verdict.since_ms);
}

void
metrics_add_LATENCY(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (!was_asked(d))
		return;
	ours(p, d);
	buf_add(p->b, "} ", 2);
	exposition_us(p->b, d->verdict.total_us);
	buf_add_char(p->b, '\n');
}

void
metrics_add_FIRST_TOKEN(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (!was_asked(d) || d->verdict.first_token_us == 0)
		return;
	ours(p, d);
	buf_add(p->b, "} ", 2);
	exposition_us(p->b, d->verdict.first_token_us);
	buf_add_char(p->b, '\n');
}

void
metrics_add_PROBES(struct page *p, const struct deployment *d, enum verdict_state state)
{
	one(p, d, d->verdict.probes);
}

void
metrics_add_FAILURES(struct page *p, const struct deployment *d, enum verdict_state state)
{
	one(p, d, d->verdict.failures);
}

void
metrics_add_SPENT(struct page *p, const struct deployment *d, enum verdict_state state)
{
	ours(p, d);
	page_text(p, ",direction=\"in\"} ");
	page_end(p, d->verdict.tokens_in);
	ours(p, d);
	page_text(p, ",direction=\"out\"} ");
	page_end(p, d->verdict.tokens_out);
}

void
metrics_add_DEPLOYMENT_COST(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (d->tally == NULL || ((d->price_in < 0 || d->price_out < 0) && d->price_probe < 0))
		return;
	ours(p, d);
	buf_add(p->b, "} ", 2);
	exposition_money(p->b, d->tally->spent);
	buf_add_char(p->b, '\n');
}

/* LiteLLM's. */

/* Labels that begin with api_base; who may not see it gets it empty. */
static void
litellm(struct page *p, const struct deployment *d, struct str labels)
{
	page_text(p, p->sample);
	if (p->full) {
		buf_add_str(p->b, labels);
	} else {
		page_text(p, "{api_base=\"");
		buf_add(p->b, labels.p + d->series->base_end, labels.n - d->series->base_end);
	}
}

void
metrics_add_LITELLM_STATE(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (state != VERDICT_HEALTHY && state != VERDICT_UNHEALTHY)
		return;
	litellm(p, d, d->series->state);
	buf_add(p->b, "} ", 2);
	if (state == VERDICT_UNHEALTHY)
		page_end(p, 2);
	else
		page_end(p, d->verdict.falling > 0);
}

void
metrics_add_LITELLM_TOTAL(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (d->tally == NULL)
		return;
	litellm(p, d, d->series->probe);
	buf_add(p->b, "} ", 2);
	page_end(p, d->tally->probes);
}

void
metrics_add_LITELLM_SUCCESS(struct page *p, const struct deployment *d, enum verdict_state state)
{
	if (d->tally == NULL || d->tally->successes == 0)
		return;
	litellm(p, d, d->series->probe);
	buf_add(p->b, "} ", 2);
	page_end(p, d->tally->successes);
}

/* "openai" as `Openai.`, as LiteLLM begins its exceptions' names. */
static void
add_capitalized(struct page *p, const char *provider)
{
	bool small = *provider >= 'a' && *provider <= 'z';

	if (*provider == '\0')
		return;
	if (small)
		buf_add_char(p->b, (char)(*provider - 'a' + 'A'));
	exposition_value(p->b, str_of(provider + small));
	buf_add_char(p->b, '.');
}

void
metrics_add_LITELLM_FAILURE(struct page *p, const struct deployment *d, enum verdict_state state)
{
	for (size_t i = 0; d->tally && i < d->tally->n; i++) {
		const struct tally_failure *f = &d->tally->failures[i];

		litellm(p, d, d->series->probe);
		page_text(p, ",exception_class=\"");
		add_capitalized(p, d->provider);
		page_text(p, reason_exception(f->reason));
		buf_addf(p->b, "\",exception_status=\"%lld\"} ", (long long)f->status);
		page_end(p, f->count);
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
	litellm(p, d, (struct str){ d->series->probe.p, d->series->remaining_end });
	buf_add(p->b, "} ", 2);
	page_end(p, value);
}

void
metrics_add_LITELLM_REQUESTS_LEFT(
    struct page *p, const struct deployment *d, enum verdict_state state)
{
	add_left(p, d, "x-ratelimit-remaining-requests");
}

void
metrics_add_LITELLM_TOKENS_LEFT(
    struct page *p, const struct deployment *d, enum verdict_state state)
{
	add_left(p, d, "x-ratelimit-remaining-tokens");
}
