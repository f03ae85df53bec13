/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a probe: it waits, gets its credential, is sent, and ends. */
#include "workers/probe.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "workers/line.h"
#include "workers/mask.h"
#include "workers/plan.h"
#include "workers/probe_internal.h"

#define MAX_RAW_REQUEST ((size_t)64 << 10)
#define DEFAULT_TIMEOUT_MS 60000

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
	probe_forget_request(p);
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
	if (b->search)
		wildcard_clear(&b->search->found);
	free(b->search);
	free(b->request);
	free(b);
}

/* ---- the life ---- */

static void start_waiting(struct probes *p);

static bool search_goes_on(struct probe *b, struct transfer *x, const struct transfer_outcome *o);

static void
on_outcome(struct transfer *x, const struct transfer_outcome *o, void *arg)
{
	struct probe *b = arg;
	struct probes *p = b->owner;

	if (b->search && search_goes_on(b, x, o))
		return;
	/* Whoever hears of the last one may find that none is left. */
	unlink_running(b);
	probe_report_outcome(b, x, o);
	probe_free(b);
	if (p->waiting)
		start_waiting(p);
}

/* Builds the next request of a search into b->plan: the list, or the next model. */
static int
build_search(struct probe *b)
{
	struct probes *p = b->owner;
	int rc;

	if (!b->search->listing) {
		b->search->target = *b->entry->target;
		b->search->target.model = b->search->found.models[b->search->next++];
	}
	rc = probe_build(p, b->entry, probe_target(b), b->variant, b->now_ms, &p->result);
	if (rc < 0)
		return rc;
	plan_free(b->plan);
	b->plan = plan_new(&p->request);
	probe_forget_request(p);
	return 0;
}

/* All variants at once, so that what is the same in all is there once. */
static int
build_kept(struct probes *p, struct entry *e)
{
	uint32_t variants = e->target->dialect->variants;
	int rc = probe_build(p, e, e->target, 0, 0, &p->result);

	if (rc < 0)
		return rc;
	e->plan = plan_new(&p->request);
	for (uint32_t i = 1; i < variants; i++) {
		rc = probe_build(p, e, e->target, i, 0, &p->result);
		if (rc == 0)
			rc = plan_add(e->plan, &p->request);
		if (rc < 0) {
			plan_free(e->plan);
			e->plan = NULL;
			e->built_each_time = true;
			break;
		}
	}
	probe_forget_request(p);
	return 0;
}

/* Gives the probe its plan: the entry's, or one of its own. */
static int
plan_for(struct probe *b)
{
	struct probes *p = b->owner;
	struct entry *e = b->entry;
	/* The key of a WebSocket's handshake is another each time. */
	bool keeps = e->target->dialect->stable && !(e->scheme && e->scheme->sign) &&
		     e->target->mode != MODE_REALTIME;
	int rc;

	if (probe_is_search(e->target)) {
		b->search = xcalloc(1, sizeof(*b->search));
		b->search->listing = e->pick == NULL;
		b->search->kept = e->pick != NULL;
		if (e->pick)
			b->search->found.models[b->search->found.n++] = xstrdup(e->pick);
		return build_search(b);
	}
	if (keeps && e->plan == NULL && !e->built_each_time) {
		rc = build_kept(p, e);
		if (rc < 0)
			return rc;
	}
	if (e->plan) {
		b->plan = plan_hold(e->plan);
		return 0;
	}
	rc = probe_build(p, e, e->target, b->variant, b->now_ms, &p->result);
	if (rc < 0)
		return rc;
	b->plan = plan_new(&p->request);
	probe_forget_request(p);
	return 0;
}

/* Another credential: what was built with the one before is built anew. */
void
probe_learn_credential(struct entry *e, const struct credential *c)
{
	uint64_t version = token_version(e->token);

	if (version == e->version)
		return;
	e->version = version;
	mask_set_credential(e->mask, c);
	plan_free(e->plan);
	e->plan = NULL;
}

static void on_credential(struct token_wait *w);

/* 0: it is there, or none is needed. ERR_AGAIN: it is waited for. Else p->result says why there is
 * none. */
static int
credential_for(struct probe *b)
{
	struct probes *p = b->owner;
	struct entry *e = b->entry;
	const struct credential *c = NULL;
	int rc;

	if (e->scheme == NULL)
		return 0;
	result_reset(&p->result);
	if (e->token == NULL) {
		rc = token_get(p->tokens, e->target, e->scheme, &e->token, &p->result);
		if (rc < 0)
			return rc;
	}
	b->wait.done = on_credential;
	b->wait.timeout_ms = b->timeout_ms;
	rc = token_take(e->token, e->target, &b->wait, &c, &p->result);
	if (rc == 0)
		probe_learn_credential(e, c);
	b->version = e->version;
	return rc;
}

static void
report_refused(struct probe *b)
{
	struct probes *p = b->owner;

	mask_buf(b->entry->mask, &p->result.error);
	mask_buf(b->entry->mask, &p->result.detail);
	probe_report_unasked(b, &p->result);
}

/* What is left of the probe's time, and of the request's; never nothing. */
static void
time_left(const struct probe *b, int64_t *check_ms, int64_t *request_ms)
{
	const struct target *t = b->entry->target;
	int64_t gone = (clock_mono_us() - b->started_us) / 1000;

	*check_ms = t->timeout_ms > 0 ? t->timeout_ms : DEFAULT_TIMEOUT_MS;
	*check_ms = *check_ms > gone + 1 ? *check_ms - gone : 1;
	*request_ms = t->attempt_timeout_ms;
	if (*request_ms > 0)
		*request_ms = *request_ms > gone + 1 ? *request_ms - gone : 1;
}

/* The model that has just been asked is the one to ask next time, or no longer. */
static void
keep_pick(struct probe *b, bool healthy)
{
	struct entry *e = b->entry;
	const char *model = b->search->target.model;

	if (healthy && (e->pick == NULL || strcmp(e->pick, model) != 0)) {
		free(e->pick);
		e->pick = xstrdup(model);
	} else if (!healthy && e->pick && strcmp(e->pick, model) == 0 &&
		   wildcard_goes_on(&b->owner->result)) {
		free(e->pick);
		e->pick = NULL;
	}
}

/* Sends the next request of a search unless its end is reached: then the outcome is the probe's. */
static bool
search_goes_on(struct probe *b, struct transfer *x, const struct transfer_outcome *o)
{
	struct search *s = b->search;
	struct transfer_request request;
	int64_t left, attempt;

	if (!o->whole)
		return false;
	result_reset(&b->owner->result);
	probe_judge(b, x, o, &b->owner->result);
	if (!s->listing)
		keep_pick(b, b->owner->result.healthy);
	if (s->kept && wildcard_goes_on(&b->owner->result)) {
		wildcard_clear(&s->found);
		s->kept = false;
		s->listing = true;
		s->next = 0;
	} else if (s->next == s->found.n ||
		   (!s->listing && !wildcard_goes_on(&b->owner->result))) {
		return false;
	} else {
		s->listing = false;
	}
	if (build_search(b) < 0) {
		struct probes *p = b->owner;

		unlink_running(b);
		report_refused(b);
		probe_free(b);
		if (p->waiting)
			start_waiting(p);
		return true;
	}
	request = plan_request(b->plan, 0);
	time_left(b, &left, &attempt);
	transfer_start(x, &request, left, attempt, on_outcome, b);
	return true;
}

/* True while it goes on; else it has been reported and is gone. */
static bool
go_on(struct probe *b)
{
	struct probes *p = b->owner;
	const struct target *t = b->entry->target;
	struct transfer_request request;
	int64_t left, attempt;
	int rc = credential_for(b);

	if (rc == ERR_AGAIN)
		return true;
	if (rc == 0 && (rc = plan_for(b)) < 0 && b->entry->scheme == NULL)
		b->started_us = 0;
	if (rc < 0) {
		unlink_running(b);
		report_refused(b);
		probe_free(b);
		return false;
	}
	if (b->entry->line == NULL)
		b->entry->line = line_get(p->lines, t);
	b->transfer = line_take(b->entry->line, t);
	request = plan_request(b->plan, b->search ? 0 : b->variant);
	left = t->timeout_ms > 0 ? t->timeout_ms : DEFAULT_TIMEOUT_MS;
	attempt = t->attempt_timeout_ms;
	/* The token service's time is the probe's. */
	if (b->entry->scheme)
		time_left(b, &left, &attempt);
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
		probe_report_problem(b);
		probe_free(b);
		return;
	}
	b->variant = t->dialect->variants > 1 ? probe_random(p) % t->dialect->variants : 0;
	probe_know_scheme(b->entry);
	b->now_ms = t->dialect->stable && !(b->entry->scheme && b->entry->scheme->sign)
			? 0
			: clock_wall_ms();
	b->started_us = clock_mono_us();
	b->timeout_ms = t->timeout_ms > 0 ? t->timeout_ms : DEFAULT_TIMEOUT_MS;
	if (t->attempt_timeout_ms > 0 && t->attempt_timeout_ms < b->timeout_ms)
		b->timeout_ms = t->attempt_timeout_ms;
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
	b->request = job->request.n > 0 ? str_dup(job->request) : NULL;
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
