/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a probe, and the making of its RESULT. */
#include "workers/probe.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shared/buf.h"
#include "shared/clock.h"
#include "shared/json.h"
#include "shared/log.h"
#include "workers/dialects/dialect.h"
#include "workers/line.h"
#include "workers/mask.h"
#include "workers/plan.h"
#include "workers/raw_request.h"
#include "workers/retry_after.h"
#include "workers/target.h"
#include "workers/targets.h"
#include "workers/transfer.h"

#define MAX_RAW_REQUEST ((size_t)64 << 10)
#define DEFAULT_TIMEOUT_MS 60000
#define MAX_MASKED_EARLY 8 /* bytes of a secret; see judge_answer() */

struct probe {
	struct probe *next, **link; /* in `running` or `waiting` */
	struct probes *owner;
	struct entry *entry;
	uint32_t job, generation;
	uint32_t variant;
	int64_t started_us, now_ms;
	struct transfer *transfer; /* of the entry's line; NULL: not started */
	struct plan *plan;	   /* of its own where the dialect's request does not keep */
};

struct probes {
	struct lines *lines;
	size_t max_running, n_running, n_waiting;
	struct probe *running;
	struct probe *waiting, **waiting_end;
	probe_report report;
	void *arg;
	uint64_t random;
	/* Used by one probe at a time, kept for their memory. */
	struct request request;
	struct result result;
	struct buf raw, masked;
};

/* xorshift64*: which greeting is sent is no secret. */
static uint32_t
next_random(struct probes *p)
{
	p->random ^= p->random >> 12;
	p->random ^= p->random << 25;
	p->random ^= p->random >> 27;
	return (uint32_t)((p->random * 2685821657736338717u) >> 32);
}

struct probes *
probes_new(struct lines *lines, size_t max_running, probe_report report, void *arg)
{
	struct probes *p = xcalloc(1, sizeof(*p));

	p->lines = lines;
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

/* The request's headers hold the key. */
static void
forget_request(struct probes *p)
{
	if (p->request.headers.data)
		secret_wipe(p->request.headers.data, p->request.headers.len);
	request_reset(&p->request);
}

void
probes_free(struct probes *p)
{
	if (p == NULL)
		return;
	probes_cancel_all(p);
	forget_request(p);
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
	const struct target *t = b->entry->target;
	struct build_context ctx = { b->variant, b->now_ms };
	struct result why;

	buf_reset(&p->raw);
	request_reset(&p->request);
	result_init(&why);
	if (t->dialect->build(t, &ctx, &p->request, &why) < 0)
		buf_add_text(&p->raw, "null");
	else
		raw_request_add(&p->raw, &p->request, b->entry->mask);
	result_clear(&why);
	forget_request(p);
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

/* Builds variant `variant`. On ERR_INVALID p->result says why. */
static int
build(struct probes *p, const struct target *t, uint32_t variant, int64_t now_ms)
{
	struct build_context ctx = { variant, now_ms };

	request_reset(&p->request);
	result_reset(&p->result);
	return t->dialect->build(t, &ctx, &p->request, &p->result);
}

/* All variants at once, so that what is the same in all is there once. */
static int
build_kept(struct probes *p, struct entry *e)
{
	const struct target *t = e->target;
	uint32_t variants = t->dialect->variants;
	int rc = build(p, t, 0, 0);

	if (rc < 0)
		return rc;
	e->plan = plan_new(&p->request);
	for (uint32_t i = 1; i < variants; i++) {
		rc = build(p, t, i, 0);
		if (rc == 0)
			rc = plan_add(e->plan, &p->request);
		if (rc < 0) {
			plan_free(e->plan);
			e->plan = NULL;
			e->built_each_time = true;
			break;
		}
	}
	forget_request(p);
	return 0;
}

/* The plan to send: the entry's, or the probe's own. */
static int
plan_for(struct probe *b, const struct plan **plan)
{
	struct probes *p = b->owner;
	struct entry *e = b->entry;
	int rc;

	if (e->target->dialect->stable && e->plan == NULL && !e->built_each_time) {
		rc = build_kept(p, e);
		if (rc < 0)
			return rc;
	}
	if (e->plan) {
		*plan = e->plan;
		return 0;
	}
	rc = build(p, e->target, b->variant, b->now_ms);
	if (rc < 0)
		return rc;
	*plan = b->plan = plan_new(&p->request);
	forget_request(p);
	return 0;
}

static void
start(struct probe *b)
{
	struct probes *p = b->owner;
	const struct target *t = b->entry->target;
	const struct plan *plan = NULL;
	struct transfer_request request;

	if (t == NULL) {
		report_problem(b);
		probe_free(b);
		return;
	}
	b->variant = t->dialect->variants > 1 ? next_random(p) % t->dialect->variants : 0;
	b->now_ms = t->dialect->stable ? 0 : clock_wall_ms();
	b->started_us = clock_mono_us();
	if (plan_for(b, &plan) < 0) {
		mask_buf(b->entry->mask, &p->result.error);
		mask_buf(b->entry->mask, &p->result.detail);
		b->started_us = 0;
		report_unasked(b, &p->result);
		probe_free(b);
		return;
	}
	if (b->entry->line == NULL)
		b->entry->line = line_get(p->lines, t);
	b->transfer = line_take(b->entry->line, t);
	run(b);
	request = plan_request(plan, b->variant);
	transfer_start(b->transfer, &request,
	    t->timeout_ms > 0 ? t->timeout_ms : DEFAULT_TIMEOUT_MS, t->attempt_timeout_ms,
	    on_outcome, b);
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

/* ---- what would be asked ---- */

static void
describe_request(struct probes *p, const struct entry *e, struct msg_described *m,
    void (*send)(const struct msg_described *m, void *arg), void *arg)
{
	struct kv headers[REQUEST_MAX_HEADERS];
	struct buf values = BUF_INIT((size_t)256 << 10), url = BUF_INIT(REQUEST_MAX_URL * 2);
	struct buf body = BUF_INIT((size_t)512 << 10);
	size_t ends[REQUEST_MAX_HEADERS], n = 0, at = 0, start = 0;
	struct str name, value;

	while (
	    n < REQUEST_MAX_HEADERS && raw_request_next_header(&p->request, &at, &name, &value)) {
		mask_add_header(e->mask, &values, name, value);
		headers[n].key = name;
		ends[n++] = values.len;
	}
	for (size_t i = 0; i < n; i++) {
		headers[i].value =
		    (struct str){ values.data ? values.data + start : "", ends[i] - start };
		start = ends[i];
	}
	mask_add_text(e->mask, &url, buf_str(&p->request.url));
	mask_add_text(e->mask, &body, buf_str(&p->request.body));
	m->method = str_of(p->request.method);
	m->headers = (struct kvs){ headers, n };
	m->url = buf_str(&url);
	m->body = buf_str(&body);
	send(m, arg);
	buf_clear(&values);
	buf_clear(&url);
	buf_clear(&body);
}

void
probes_describe(struct probes *p, struct entry *e,
    void (*send)(const struct msg_described *m, void *arg), void *arg)
{
	struct msg_described m = { .handle = e->handle,
		.reason = REASON_OK,
		.error = STR(""),
		.method = STR(""),
		.url = STR(""),
		.body = STR("") };

	if (e->target == NULL) {
		m.reason = REASON_CONFIG;
		m.error = str_of(e->problem);
		send(&m, arg);
		return;
	}
	if (build(p, e->target, 0, clock_wall_ms()) < 0) {
		mask_buf(e->mask, &p->result.detail);
		mask_buf(e->mask, &p->result.error);
		m.reason = (uint32_t)p->result.reason;
		m.error =
		    p->result.detail.len ? buf_str(&p->result.detail) : buf_str(&p->result.error);
		m.url = STR("");
		send(&m, arg);
	} else {
		describe_request(p, e, &m, send, arg);
	}
	forget_request(p);
}
