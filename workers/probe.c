/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a probe, and the making of its RESULT. */
#include "workers/probe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/log.h"
#include "workers/auth/tokens.h"
#include "workers/dialects/dialect.h"
#include "workers/line.h"
#include "workers/mask.h"
#include "workers/plan.h"
#include "workers/probe_internal.h"
#include "workers/raw_request.h"
#include "workers/retry_after.h"
#include "workers/target.h"
#include "workers/targets.h"
#include "workers/transfer.h"

#define MAX_RAW_REQUEST ((size_t)64 << 10)
#define DEFAULT_TIMEOUT_MS 60000
#define MAX_MASKED_EARLY 8 /* bytes of a secret; see judge_answer() */

struct probes *
probes_new(
    struct lines *lines, struct tokens *tokens, size_t max_running, probe_report report, void *arg)
{
	struct probes *p = xcalloc(1, sizeof(*p));

	p->lines = lines;
	p->tokens = tokens;
	p->max_running = max_running;
	p->report = report;
	p->arg = arg;
	p->waiting_end = &p->waiting;
	if (getrandom(&p->random, sizeof(p->random), 0) != sizeof(p->random) || p->random == 0)
		p->random = 1;
	request_init(&p->request);
	result_init(&p->result);
	buf_init(&p->raw, MAX_RAW_REQUEST);
	buf_init(&p->masked, SIZE_MAX / 2);
	return p;
}

void
probes_free(struct probes *p)
{
	if (p == NULL)
		return;
	probes_cancel_all(p);
	probes_forget_request(p);
	request_clear(&p->request);
	result_clear(&p->result);
	buf_clear(&p->raw);
	buf_clear(&p->masked);
	free(p);
}

size_t
probes_count(const struct probes *p)
{
	return p->n_running + p->n_waiting;
}

static void
run(struct probe *b)
{
	struct probes *p = b->owner;

	b->next = p->running;
	b->link = &p->running;
	if (p->running)
		p->running->link = &b->next;
	p->running = b;
	p->n_running++;
}

static void
unlink_running(struct probe *b)
{
	*b->link = b->next;
	if (b->next)
		b->next->link = b->link;
	b->owner->n_running--;
}

static void
probe_free(struct probe *b)
{
	token_wait_cancel(&b->wait);
	if (b->transfer)
		line_give(b->entry->line, b->transfer);
	plan_free(b->plan);
	entry_release(b->entry);
	free(b);
}

/* ---- the result ---- */

static void
result_of(const struct probe *b, const struct result *res, struct msg_result *m)
{
	*m = (struct msg_result){
		.job = b->job,
		.generation = b->generation,
		.handle = b->entry->handle,
		.healthy = res->healthy,
		.reason = (uint32_t)res->reason,
		.exception_status = res->exception_status,
		.error = buf_str(&res->error),
		.detail = buf_str(&res->detail),
		.tokens_in = res->tokens_in,
		.tokens_out = res->tokens_out,
		.retry_after_ms = -1,
		.raw_request = STR(""),
		.asked_model = STR(""),
		.checked_at_ms = clock_wall_ms(),
	};
	if (b->started_us) {
		int64_t total = clock_mono_us() - b->started_us;

		m->total_us = total < UINT32_MAX ? (uint32_t)total : UINT32_MAX;
	}
}

/* What the target would be asked, once more: only what is shown of it is wanted. */
static struct str
raw_request(struct probe *b)
{
	struct probes *p = b->owner;
	struct result why;

	buf_reset(&p->raw);
	result_init(&why);
	if (probe_build(p, b->entry, b->variant, b->now_ms, &why) < 0)
		buf_add_text(&p->raw, "null");
	else
		raw_request_add(&p->raw, &p->request, b->entry->mask);
	result_clear(&why);
	probes_forget_request(p);
	return buf_ok(&p->raw) ? buf_str(&p->raw) : STR("null");
}

/* There is nothing to send: the target or the dialect says why. */
static void
report_unasked(struct probe *b, const struct result *res)
{
	struct msg_result m;

	result_of(b, res, &m);
	m.raw_request = STR("null");
	b->owner->report(&m, b->owner->arg);
}

static void
report_problem(struct probe *b)
{
	struct probes *p = b->owner;
	struct result *res = &p->result;

	result_reset(res);
	res->reason = REASON_CONFIG;
	res->exception_status = reason_status(REASON_CONFIG);
	buf_addf(&res->error, "litellm.%s: %s", reason_exception(REASON_CONFIG), b->entry->problem);
	buf_add_text(&res->detail, b->entry->problem);
	report_unasked(b, res);
}

static struct str
header_of(const struct response *r, const char *name)
{
	return transfer_header(r->arg, name);
}

static void
judge_answer(
    struct probe *b, struct transfer *x, const struct transfer_outcome *o, struct result *res)
{
	const struct target *t = b->entry->target;
	struct response response = { o->status, o->body, header_of, x };

	/*
	 * The judge cuts long texts, and a secret that is cut in two is not found afterwards: so
	 * the whole body is masked before, but not for a key like "error", which would spoil the
	 * JSON.
	 */
	if (mask_finds(b->entry->mask, o->body, MAX_MASKED_EARLY)) {
		buf_reset(&b->owner->masked);
		mask_add_text(b->entry->mask, &b->owner->masked, o->body);
		response.body = buf_str(&b->owner->masked);
	}
	t->dialect->judge(t, &response, res);
	if (!res->healthy && o->redirect.n) {
		buf_reset(&res->detail);
		buf_addf(&res->detail,
		    "status %d redirects to %.*s: not followed, the key goes only to the "
		    "configured host",
		    o->status, (int)o->redirect.n, o->redirect.p);
	}
}

/* Without those in which the provider sends a secret back. */
static struct kvs
kept_headers(const struct probe *b, const struct transfer_outcome *o, struct kv *kept)
{
	size_t n = 0;

	for (size_t i = 0; i < o->n_kept; i++)
		if (!mask_finds(b->entry->mask, o->kept[i].value, 1))
			kept[n++] = o->kept[i];
	return (struct kvs){ kept, n };
}

static void
report_outcome(struct probe *b, struct transfer *x, const struct transfer_outcome *o)
{
	struct probes *p = b->owner;
	struct kv kept[TRANSFER_MAX_KEPT];
	struct result *res = &p->result;
	struct msg_result m;

	result_reset(res);
	if (o->whole)
		judge_answer(b, x, o, res);
	else
		judge_transport(b->entry->target, o->reason, o->words, res);
	mask_buf(b->entry->mask, &res->error);
	mask_buf(b->entry->mask, &res->detail);
	result_of(b, res, &m);
	m.http_status = o->status > 0 ? (uint32_t)o->status : 0;
	m.dns_us = o->dns_us;
	m.connect_us = o->connect_us;
	m.tls_us = o->tls_us;
	m.first_byte_us = o->first_byte_us;
	m.flags = (o->reused ? RESULT_REUSED : 0) | (o->tls ? RESULT_TLS : 0) |
		  (o->resumed ? RESULT_TLS_RESUMED : 0);
	m.headers = kept_headers(b, o, kept);
	if (!m.healthy && o->status)
		m.retry_after_ms = retry_after_parse(transfer_header(x, "retry-after-ms"),
		    transfer_header(x, "retry-after"), m.checked_at_ms);
	if (m.http_status == 401 && b->entry->token)
		token_refused(b->entry->token, b->version);
	/* LiteLLM shows no request where the whole check ran out of time. */
	if (!m.healthy && !o->late)
		m.raw_request = raw_request(b);
	p->report(&m, p->arg);
	if (p->masked.cap > ((size_t)64 << 10))
		buf_clear(&p->masked);
}

/* ---- the life ---- */

static void start_waiting(struct probes *p);

static void
on_outcome(struct transfer *x, const struct transfer_outcome *o, void *arg)
{
	struct probe *b = arg;
	struct probes *p = b->owner;

	/* Whoever hears of the last one may find that none is left. */
	unlink_running(b);
	report_outcome(b, x, o);
	probe_free(b);
	if (p->waiting)
		start_waiting(p);
}

static void
report_refused(struct probe *b)
{
	struct probes *p = b->owner;

	mask_buf(b->entry->mask, &p->result.error);
	mask_buf(b->entry->mask, &p->result.detail);
	report_unasked(b, &p->result);
}

/* True while it goes on; else it has been reported and is gone. */
static bool
go_on(struct probe *b)
{
	struct probes *p = b->owner;
	const struct target *t = b->entry->target;
	struct transfer_request request;
	int64_t left, attempt;
	int rc = probe_credential(b);

	if (rc == ERR_AGAIN)
		return true;
	if (rc == 0 && (rc = probe_plan(b)) < 0 && b->entry->scheme == NULL)
		b->started_us = 0;
	if (rc < 0) {
		report_refused(b);
		unlink_running(b);
		probe_free(b);
		return false;
	}
	if (b->entry->line == NULL)
		b->entry->line = line_get(p->lines, t);
	b->transfer = line_take(b->entry->line, t);
	request = plan_request(b->plan, b->variant);
	/* The token service's time is the probe's. */
	left = (t->timeout_ms > 0 ? t->timeout_ms : DEFAULT_TIMEOUT_MS);
	attempt = t->attempt_timeout_ms;
	if (b->entry->scheme) {
		int64_t gone = (clock_mono_us() - b->started_us) / 1000;

		left = left > gone + 1 ? left - gone : 1;
		if (attempt > 0)
			attempt = attempt > gone + 1 ? attempt - gone : 1;
	}
	transfer_start(b->transfer, &request, left, attempt, on_outcome, b);
	return true;
}

static void
on_credential(struct token_wait *w)
{
	struct probe *b = (struct probe *)((char *)w - offsetof(struct probe, wait));
	struct probes *p = b->owner;

	if (!go_on(b) && p->waiting)
		start_waiting(p);
}

static void
start(struct probe *b)
{
	struct probes *p = b->owner;
	const struct target *t = b->entry->target;

	if (t == NULL) {
		report_problem(b);
		probe_free(b);
		return;
	}
	b->variant = t->dialect->variants > 1 ? probes_random(p) % t->dialect->variants : 0;
	probe_know_scheme(b->entry);
	b->now_ms = t->dialect->stable && !(b->entry->scheme && b->entry->scheme->sign)
			? 0
			: clock_wall_ms();
	b->started_us = clock_mono_us();
	b->timeout_ms = t->timeout_ms > 0 ? t->timeout_ms : DEFAULT_TIMEOUT_MS;
	if (t->attempt_timeout_ms > 0 && t->attempt_timeout_ms < b->timeout_ms)
		b->timeout_ms = t->attempt_timeout_ms;
	b->wait.done = on_credential;
	run(b);
	(void)go_on(b);
}

static void
start_waiting(struct probes *p)
{
	while (p->waiting && p->n_running < p->max_running) {
		struct probe *b = p->waiting;

		p->waiting = b->next;
		if (p->waiting == NULL)
			p->waiting_end = &p->waiting;
		p->n_waiting--;
		start(b);
	}
}

int
probes_start(struct probes *p, const struct msg_job *job, struct entry *e)
{
	struct probe *b;

	if (probes_count(p) >= PROBES_MAX)
		return ERR_LIMIT;
	b = xcalloc(1, sizeof(*b));
	b->owner = p;
	b->entry = entry_hold(e);
	b->job = job->job;
	b->generation = job->generation;
	if (p->n_running < p->max_running) {
		start(b);
		return 0;
	}
	*p->waiting_end = b;
	p->waiting_end = &b->next;
	p->n_waiting++;
	return 0;
}

static void
cancel_running(struct probe *b)
{
	unlink_running(b);
	probe_free(b);
}

void
probes_cancel(struct probes *p, uint32_t job)
{
	for (struct probe *b = p->running; b; b = b->next)
		if (b->job == job) {
			cancel_running(b);
			start_waiting(p);
			return;
		}
	for (struct probe **link = &p->waiting; *link; link = &(*link)->next) {
		struct probe *b = *link;

		if (b->job != job)
			continue;
		*link = b->next;
		if (b->next == NULL)
			p->waiting_end = link;
		p->n_waiting--;
		probe_free(b);
		return;
	}
}

void
probes_cancel_all(struct probes *p)
{
	while (p->waiting) {
		struct probe *b = p->waiting;

		p->waiting = b->next;
		probe_free(b);
	}
	p->waiting_end = &p->waiting;
	p->n_waiting = 0;
	while (p->running)
		cancel_running(p->running);
}
