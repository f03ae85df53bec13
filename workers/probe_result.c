/* SPDX-License-Identifier: Apache-2.0 */
/* What a probe asks, the making of its RESULT, and what would be asked. */
#include "workers/probe_internal.h"

#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/json.h"
#include "shared/log.h"
#include "workers/auth/auth.h"
#include "workers/expect.h"
#include "workers/mask.h"
#include "workers/raw_request.h"
#include "workers/retry_after.h"

#define MAX_MASKED_EARLY 8 /* bytes of a secret; see judge_answer() */

/* xorshift64*: which greeting is sent is no secret. */
uint32_t
probe_random(struct probes *p)
{
	p->random ^= p->random >> 12;
	p->random ^= p->random << 25;
	p->random ^= p->random >> 27;
	return (uint32_t)((p->random * 2685821657736338717u) >> 32);
}

/* The request's headers hold the key. */
void
probe_forget_request(struct probes *p)
{
	if (p->request.headers.data)
		secret_wipe(p->request.headers.data, p->request.headers.len);
	request_reset(&p->request);
}

/* Whether the target's model has to be searched for. */
bool
probe_is_search(const struct target *t)
{
	return t->dialect->list && wildcard_is(t);
}

/* What is being asked. */
const struct target *
probe_target(const struct probe *b)
{
	return b->search && !b->search->listing ? &b->search->target : b->entry->target;
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
		.asked_model =
		    b->search && !b->search->listing ? str_of(b->search->target.model) : STR(""),
		.checked_at_ms = clock_wall_ms(),
	};
	if (b->started_us) {
		int64_t total = clock_mono_us() - b->started_us;

		m->total_us = total < UINT32_MAX ? (uint32_t)total : UINT32_MAX;
	}
}

void
probe_know_scheme(struct entry *e)
{
	if (!e->scheme_known && e->target->dialect->scheme)
		e->scheme = e->target->dialect->scheme(e->target);
	e->scheme_known = true;
}

/* The credential that is there, or one that stands for it. */
static const struct credential *
credential_of(const struct entry *e)
{
	const struct credential *c = e->token ? token_credential(e->token) : NULL;

	if (e->scheme == NULL)
		return NULL;
	return c ? c : auth_shown_credential();
}

/* Builds variant `variant` for `t`, the entry's target or that of a search, into p->request, and
 * signs it where the scheme does. On an error `why` says why. */
int
probe_build(struct probes *p, const struct entry *e, const struct target *t, uint32_t variant,
    int64_t now_ms, struct result *why)
{
	struct build_context ctx = {
		.variant = variant, .now_ms = now_ms, .credential = credential_of(e)
	};
	int rc;

	for (size_t i = 0; i < sizeof(ctx.random); i += sizeof(uint32_t)) {
		uint32_t r = probe_random(p);

		memcpy(ctx.random + i, &r, sizeof(r));
	}
	request_reset(&p->request);
	result_reset(why);
	rc = probe_is_search(t) ? t->dialect->list(t, &ctx, &p->request, why)
				: t->dialect->build(t, &ctx, &p->request, why);
	if (rc == 0 && e->scheme && e->scheme->sign)
		rc = e->scheme->sign(t, ctx.credential, &ctx, &p->request, why);
	return rc;
}

/* What the target would be asked, once more: only what is shown of it is wanted. */
static struct str
raw_request(struct probe *b)
{
	struct probes *p = b->owner;
	struct result why;

	buf_reset(&p->raw);
	result_init(&why);
	if (probe_build(p, b->entry, probe_target(b), b->variant, b->now_ms, &why) < 0)
		buf_add_text(&p->raw, "null");
	else
		raw_request_add(&p->raw, &p->request, b->entry->mask);
	result_clear(&why);
	probe_forget_request(p);
	return buf_ok(&p->raw) ? buf_str(&p->raw) : STR("null");
}

static void
report(const struct probe *b, const struct msg_result *m)
{
	log_event(LOG_LEVEL_DEBUG, "probe_ended", LI("handle", m->handle), LI("job", m->job),
	    LS("request", b->request ? b->request : ""), LS("reason", reason_name((enum reason)m->reason)),
	    LI("us", m->total_us));
	b->owner->report(m, b->owner->arg);
}

/* There is nothing to send: the target or the dialect says why. */
void
probe_report_unasked(struct probe *b, const struct result *res)
{
	struct msg_result m;

	result_of(b, res, &m);
	m.raw_request = STR("null");
	report(b, &m);
}

void
probe_report_problem(struct probe *b)
{
	struct probes *p = b->owner;
	struct result *res = &p->result;

	result_reset(res);
	res->reason = REASON_CONFIG;
	res->exception_status = reason_status(REASON_CONFIG);
	buf_addf(&res->error, "litellm.%s: %s", reason_exception(REASON_CONFIG), b->entry->problem);
	buf_add_text(&res->detail, b->entry->problem);
	probe_report_unasked(b, res);
}

static struct str
header_of(const struct response *r, const char *name)
{
	return transfer_header(r->arg, name);
}

void
probe_judge(
    struct probe *b, struct transfer *x, const struct transfer_outcome *o, struct result *res)
{
	const struct target *t = probe_target(b);
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
	if (b->search && b->search->listing) {
		wildcard_clear(&b->search->found);
		if (wildcard_read(&b->search->found, t, &response, res) == 0)
			return;
	} else {
		t->dialect->judge(t, &response, res);
		expect_judge(t, &response, res);
	}
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

void
probe_report_outcome(struct probe *b, struct transfer *x, const struct transfer_outcome *o)
{
	struct probes *p = b->owner;
	struct kv kept[TRANSFER_MAX_KEPT];
	struct result *res = &p->result;
	struct msg_result m;

	result_reset(res);
	if (o->whole)
		probe_judge(b, x, o, res);
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
	m.first_token_us = res->healthy ? o->first_token_us : 0;
	m.flags = (o->reused ? RESULT_REUSED : 0) | (o->tls ? RESULT_TLS : 0) |
		  (o->resumed ? RESULT_TLS_RESUMED : 0);
	m.certificate_expires_s = o->certificate_expires_s;
	m.headers = kept_headers(b, o, kept);
	if (!m.healthy && o->status)
		m.retry_after_ms = retry_after_parse(transfer_header(x, "retry-after-ms"),
		    transfer_header(x, "retry-after"), m.checked_at_ms);
	if (m.http_status == 401 && b->entry->token)
		token_refused(b->entry->token, b->version);
	/* LiteLLM shows no request where the whole check ran out of time. */
	if (!m.healthy && !o->late)
		m.raw_request = raw_request(b);
	report(b, &m);
	if (p->masked.cap > ((size_t)64 << 10))
		buf_clear(&p->masked);
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
	probe_know_scheme(e);
	if (probe_build(p, e, e->target, 0, clock_wall_ms(), &p->result) < 0) {
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
	probe_forget_request(p);
}
