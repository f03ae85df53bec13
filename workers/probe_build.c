/* SPDX-License-Identifier: Apache-2.0 */
/* What a probe asks: its credential, its request, the plan kept of it, and its description. */
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "workers/mask.h"
#include "workers/plan.h"
#include "workers/probe_internal.h"
#include "workers/raw_request.h"
#include "workers/target.h"
#include "workers/targets.h"

/* xorshift64*: which greeting is sent is no secret. */
uint32_t
probes_random(struct probes *p)
{
	p->random ^= p->random >> 12;
	p->random ^= p->random << 25;
	p->random ^= p->random >> 27;
	return (uint32_t)((p->random * 2685821657736338717u) >> 32);
}

/* The request's headers hold the key. */
void
probes_forget_request(struct probes *p)
{
	if (p->request.headers.data)
		secret_wipe(p->request.headers.data, p->request.headers.len);
	request_reset(&p->request);
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

int
probe_build(
    struct probes *p, const struct entry *e, uint32_t variant, int64_t now_ms, struct result *why)
{
	struct build_context ctx = {
		.variant = variant, .now_ms = now_ms, .credential = credential_of(e)
	};
	int rc;

	for (size_t i = 0; i < sizeof(ctx.random); i += sizeof(uint32_t)) {
		uint32_t r = probes_random(p);

		memcpy(ctx.random + i, &r, sizeof(r));
	}
	request_reset(&p->request);
	result_reset(why);
	rc = e->target->dialect->build(e->target, &ctx, &p->request, why);
	if (rc == 0 && e->scheme && e->scheme->sign)
		rc = e->scheme->sign(e->target, ctx.credential, &ctx, &p->request, why);
	return rc;
}

/* All variants at once, so that what is the same in all is there once. */
static int
build_kept(struct probes *p, struct entry *e)
{
	uint32_t variants = e->target->dialect->variants;
	int rc = probe_build(p, e, 0, 0, &p->result);

	if (rc < 0)
		return rc;
	e->plan = plan_new(&p->request);
	for (uint32_t i = 1; i < variants; i++) {
		rc = probe_build(p, e, i, 0, &p->result);
		if (rc == 0)
			rc = plan_add(e->plan, &p->request);
		if (rc < 0) {
			plan_free(e->plan);
			e->plan = NULL;
			e->built_each_time = true;
			break;
		}
	}
	probes_forget_request(p);
	return 0;
}

/* Gives the probe its plan: the entry's, or one of its own. */
int
probe_plan(struct probe *b)
{
	struct probes *p = b->owner;
	struct entry *e = b->entry;
	bool keeps = e->target->dialect->stable && !(e->scheme && e->scheme->sign);
	int rc;

	if (keeps && e->plan == NULL && !e->built_each_time) {
		rc = build_kept(p, e);
		if (rc < 0)
			return rc;
	}
	if (e->plan) {
		b->plan = plan_hold(e->plan);
		return 0;
	}
	rc = probe_build(p, e, b->variant, b->now_ms, &p->result);
	if (rc < 0)
		return rc;
	b->plan = plan_new(&p->request);
	probes_forget_request(p);
	return 0;
}

/* Another credential: what was built with the one before is built anew. */
static void
learn_credential(struct entry *e, const struct credential *c)
{
	uint64_t version = token_version(e->token);

	if (version == e->version)
		return;
	e->version = version;
	mask_set_credential(e->mask, c);
	plan_free(e->plan);
	e->plan = NULL;
}

/* 0: it is there, or none is needed. ERR_AGAIN: it is waited for. Else p->result says why there is
 * none. */
int
probe_credential(struct probe *b)
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
	b->wait.timeout_ms = b->timeout_ms;
	rc = token_take(e->token, e->target, &b->wait, &c, &p->result);
	if (rc == 0)
		learn_credential(e, c);
	b->version = e->version;
	return rc;
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
	if (probe_build(p, e, 0, clock_wall_ms(), &p->result) < 0) {
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
	probes_forget_request(p);
}
