/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a pass: its body arrives, it gets its credential, is sent, flows back, ends. */
#include "workers/pass.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "workers/dialects/chat.h"
#include "workers/line.h"
#include "workers/mask.h"
#include "workers/pass_internal.h"
#include "workers/plan.h"
#include "workers/probe_internal.h"

struct passes *
passes_new(struct lines *lines, struct tokens *tokens, pass_send send, void *arg)
{
	struct passes *all = xcalloc(1, sizeof(*all));

	all->lines = lines;
	all->tokens = tokens;
	all->send = send;
	all->arg = arg;
	request_init(&all->request);
	/* The caller's body, and what the config adds to it. */
	all->request.body.max = all->request.shown_body.max = PASS_MAX_BODY + REQUEST_MAX_BODY;
	result_init(&all->result);
	buf_init(&all->text, SIZE_MAX / 2);
	buf_init(&all->masked, SIZE_MAX / 2);
	buf_init(&all->chunks, 64 * CHAT_MAX_EVENT);
	return all;
}

/* The request's headers hold the key; its body is as large as a caller likes. */
static void
forget_request(struct passes *all)
{
	if (all->request.headers.data)
		secret_wipe(all->request.headers.data, all->request.headers.len);
	request_reset(&all->request);
	buf_clear(&all->request.body);
	buf_clear(&all->request.shown_body);
}

void
passes_free(struct passes *all)
{
	if (all == NULL)
		return;
	passes_cancel_all(all);
	forget_request(all);
	request_clear(&all->request);
	result_clear(&all->result);
	buf_clear(&all->text);
	buf_clear(&all->masked);
	buf_clear(&all->chunks);
	free(all);
}

size_t
passes_count(const struct passes *all)
{
	return all->n;
}

static struct pass *
find(struct passes *all, uint32_t id)
{
	struct pass *p = all->first;

	while (p && p->id != id)
		p = p->next;
	return p;
}

static void
pass_free(struct pass *p)
{
	*p->link = p->next;
	if (p->next)
		p->next->link = p->link;
	p->owner->n--;
	token_wait_cancel(&p->wait);
	if (p->transfer)
		line_give(p->entry->line, p->transfer);
	plan_free(p->plan);
	entry_release(p->entry);
	buf_clear(&p->body);
	buf_clear(&p->held);
	buf_clear(&p->answer);
	buf_clear(&p->fault);
	chat_clear(&p->chat);
	free(p);
}

bool
pass_tell(struct passes *all, enum msg_type type, const void *m)
{
	int rc = all->send(all->arg, type, m);

	/* A front that reads no more is as good as gone. */
	if (rc < 0)
		log_event(LOG_LEVEL_ERROR, "pass_not_told", LI("message", type));
	return rc == 0;
}

static void
end_with(struct passes *all, uint32_t id, uint32_t outcome, const struct result *res)
{
	struct msg_pass_end m = {
		.pass = id, .outcome = outcome, .error = STR(""), .detail = STR("")
	};

	if (res) {
		m.reason = (uint32_t)res->reason;
		m.exception_status = res->exception_status;
		m.error = buf_str(&res->error);
		m.detail = buf_str(&res->detail);
	}
	(void)pass_tell(all, MSG_PASS_END, &m);
}

static void
refuse(struct passes *all, uint32_t id, const char *why, int64_t status)
{
	struct result *res = &all->result;

	result_reset(res);
	res->reason = REASON_CONFIG;
	res->exception_status = status;
	buf_addf(&res->error, "litellm.%s: %s", reason_exception(REASON_CONFIG), why);
	end_with(all, id, PASS_FAILED, res);
}

void
pass_fail(struct pass *p)
{
	struct passes *all = p->owner;
	uint32_t id = p->id;

	mask_buf(p->entry->mask, &all->result.error);
	mask_buf(p->entry->mask, &all->result.detail);
	pass_free(p);
	end_with(all, id, PASS_FAILED, &all->result);
}

void
pass_end_whole(struct pass *p)
{
	struct passes *all = p->owner;
	uint32_t id = p->id;
	bool lost = p->lost;

	pass_free(p);
	if (lost)
		refuse(all, id, "the answer was lost on its way", 502);
	else
		end_with(all, id, PASS_WHOLE, NULL);
}

/* ---- the request ---- */

static int
build(struct pass *p, const struct credential *c)
{
	struct passes *all = p->owner;
	struct build_context ctx = { .now_ms = clock_wall_ms(), .credential = c };
	const struct target *t = p->entry->target;
	int rc;

	if (getrandom(ctx.random, sizeof(ctx.random), 0) != sizeof(ctx.random))
		memcpy(ctx.random, &p->started_us, sizeof(p->started_us));
	result_reset(&all->result);
	rc = chat_build(t, buf_str(&p->body), &ctx, &p->chat, &all->request, &all->result);
	if (rc == 0 && p->scheme && p->scheme->sign)
		rc = p->scheme->sign(t, c, &ctx, &all->request, &all->result);
	if (rc == 0)
		p->plan = plan_new(&all->request);
	forget_request(all);
	return rc;
}

static void on_credential(struct token_wait *w);

static int
credential_for(struct pass *p, const struct credential **c)
{
	struct passes *all = p->owner;
	struct entry *e = p->entry;
	int rc;

	if (p->scheme == NULL)
		return 0;
	result_reset(&all->result);
	if (e->token == NULL) {
		rc = token_get(all->tokens, e->target, p->scheme, &e->token, &all->result);
		if (rc < 0)
			return rc;
	}
	p->wait.done = on_credential;
	p->wait.timeout_ms = p->timeout_ms;
	rc = token_take(e->token, e->target, &p->wait, c, &all->result);
	if (rc == 0)
		probe_learn_credential(e, *c);
	p->version = e->version;
	return rc;
}

static void
go_on(struct pass *p)
{
	const struct target *t = p->entry->target;
	const struct credential *c = NULL;
	struct transfer_request request;
	int64_t left;
	int rc = credential_for(p, &c);

	p->state = PASS_SIGNING;
	if (rc == ERR_AGAIN)
		return;
	if (rc < 0 || build(p, c) < 0) {
		pass_fail(p);
		return;
	}
	buf_clear(&p->body);
	if (p->entry->line == NULL)
		p->entry->line = line_get(p->owner->lines, t);
	p->transfer = line_take(p->entry->line, t);
	request = plan_request(p->plan, 0);
	left = p->timeout_ms - (clock_mono_us() - p->started_us) / 1000;
	p->state = PASS_ASKING;
	transfer_stream(p->transfer, &request, left > 0 ? left : 1, t->attempt_timeout_ms, &pass_sink,
	    pass_on_outcome, p);
}

static void
on_credential(struct token_wait *w)
{
	go_on((struct pass *)((char *)w - offsetof(struct pass, wait)));
}

void
passes_start(struct passes *all, const struct msg_pass *m, struct entry *e)
{
	struct buf why = BUF_INIT(512);
	struct pass *p;

	if (e == NULL || find(all, m->pass)) {
		refuse(all, m->pass, "no worker knows this deployment", 503);
		return;
	}
	if (e->target == NULL) {
		refuse(all, m->pass, e->problem, 400);
		return;
	}
	if (!chat_takes(e->target, &why)) {
		refuse(all, m->pass, buf_text(&why), 501);
		buf_clear(&why);
		return;
	}
	if (all->n >= PASSES_MAX || m->body_bytes > PASS_MAX_BODY || m->body_bytes == 0 ||
	    m->timeout_ms > INT64_MAX / 1000) {
		refuse(all, m->pass, "more than a worker takes", 429);
		return;
	}
	p = xcalloc(1, sizeof(*p));
	p->owner = all;
	p->entry = entry_hold(e);
	p->id = m->pass;
	p->body_bytes = m->body_bytes;
	p->timeout_ms = (int64_t)m->timeout_ms;
	p->started_us = clock_mono_us();
	p->scheme = chat_scheme(e->target);
	buf_init(&p->body, (size_t)m->body_bytes);
	buf_init(&p->held, SIZE_MAX / 2);
	buf_init(&p->answer, CHAT_MAX_ANSWER);
	buf_init(&p->fault, 4096);
	chat_init(&p->chat);
	p->next = all->first;
	p->link = &all->first;
	if (all->first)
		all->first->link = &p->next;
	all->first = p;
	all->n++;
}

void
passes_body(struct passes *all, const struct msg_pass_body *m)
{
	struct msg_pass_body_taken taken = { m->pass, (uint32_t)m->bytes.n };
	struct pass *p = find(all, m->pass);

	if (p == NULL || p->state != PASS_ARRIVING)
		return;
	buf_add_str(&p->body, m->bytes);
	if (!buf_ok(&p->body)) {
		pass_free(p);
		refuse(all, m->pass, "the body is longer than it was said", 400);
		return;
	}
	p->lost = !pass_tell(all, MSG_PASS_BODY_TAKEN, &taken);
	if (p->body.len == p->body_bytes)
		go_on(p);
}

void
passes_taken(struct passes *all, const struct msg_pass_taken *m)
{
	struct pass *p = find(all, m->pass);

	if (p == NULL)
		return;
	p->not_taken -= m->bytes < p->not_taken ? m->bytes : p->not_taken;
	if (p->transfer && p->not_taken < PASS_WINDOW)
		transfer_resume(p->transfer);
}

void
passes_cancel(struct passes *all, uint32_t id)
{
	struct pass *p = find(all, id);

	if (p)
		pass_free(p);
}

void
passes_cancel_all(struct passes *all)
{
	while (all->first)
		pass_free(all->first);
}
