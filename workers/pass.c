/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a pass: its body arrives, it gets its credential, is sent, flows back, ends. */
#include "workers/pass.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "workers/dialects/chat.h"
#include "workers/line.h"
#include "workers/mask.h"
#include "workers/plan.h"
#include "workers/probe_internal.h"

#define MAX_HEADERS 32
#define MAX_HEADER_VALUE 256

enum pass_state {
	PASS_ARRIVING, /* its body is not there yet */
	PASS_SIGNING,  /* it waits for its credential */
	PASS_ASKING,
};

struct pass {
	struct pass *next, **link;
	struct passes *owner;
	struct entry *entry;
	uint32_t id;
	enum pass_state state;
	uint64_t body_bytes;
	int64_t timeout_ms, started_us;
	struct buf body;
	const struct auth_scheme *scheme;
	struct token_wait wait;
	uint64_t version;
	struct plan *plan;
	struct transfer *transfer;
	bool packed;	  /* the answer is compressed, which was not asked for */
	bool lost;	  /* the front did not take a piece: what follows would be another answer */
	struct buf held;  /* the end of what came, which may be the beginning of a secret */
	size_t not_taken; /* of what was sent to the front */
};

struct passes {
	struct lines *lines;
	struct tokens *tokens;
	pass_send send;
	void *arg;
	struct pass *first;
	size_t n;
	struct request request;
	struct result result;
	struct buf text, masked;
};

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
	free(p);
}

static bool
tell(struct passes *all, enum msg_type type, const void *m)
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
	(void)tell(all, MSG_PASS_END, &m);
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

/* Ends a pass with what stands in all->result. */
static void
fail(struct pass *p)
{
	struct passes *all = p->owner;
	uint32_t id = p->id;

	mask_buf(p->entry->mask, &all->result.error);
	mask_buf(p->entry->mask, &all->result.detail);
	pass_free(p);
	end_with(all, id, PASS_FAILED, &all->result);
}

/* The end is told when it is over here: whoever hears of the last one may find that none is left.
 */
static void
end_whole(struct pass *p)
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

/* ---- the answer ---- */

static void
send_piece(struct pass *p, struct str text)
{
	struct passes *all = p->owner;
	struct msg_pass_piece m = { .pass = p->id };

	buf_reset(&all->masked);
	mask_add_text(p->entry->mask, &all->masked, text);
	for (size_t at = 0; at < all->masked.len && !p->lost; at += m.bytes.n) {
		size_t left = all->masked.len - at;

		m.bytes.p = all->masked.data + at;
		m.bytes.n = left < PASS_PIECE_BYTES ? left : PASS_PIECE_BYTES;
		p->not_taken += m.bytes.n;
		p->lost = !tell(all, MSG_PASS_PIECE, &m);
	}
}

static bool
on_piece(struct transfer *x, struct str bytes, void *arg)
{
	struct pass *p = arg;
	struct passes *all = p->owner;
	struct str text = bytes;
	size_t hold;

	(void)x;
	if (p->not_taken >= PASS_WINDOW)
		return false;
	if (p->held.len > 0) {
		buf_reset(&all->text);
		buf_add_str(&all->text, buf_str(&p->held));
		buf_add_str(&all->text, bytes);
		text = buf_str(&all->text);
	}
	hold = mask_hold(p->entry->mask, text);
	send_piece(p, (struct str){ text.p, text.n - hold });
	buf_reset(&p->held);
	buf_add(&p->held, text.p + text.n - hold, hold);
	return true;
}

/* Those under their own name. */
static const char *const passed[] = { "content-type", "retry-after", "retry-after-ms" };
/* Those that LiteLLM shows with this in front: ours have these names, too. */
#define PREFIX "llm_provider-"
static const char *const prefixed[] = { "x-request-id", "request-id", "apim-request-id",
	"x-ms-request-id", "x-amzn-requestid", "openai-processing-ms", "openai-version",
	"x-ms-region", "cf-ray" };

/* 0: not passed on. 1: as it is. 2: with the prefix. */
static int
how(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		if (name.n == strlen(passed[i]) && strncasecmp(name.p, passed[i], name.n) == 0)
			return 1;
	for (size_t i = 0; i < ARRAY_LEN(prefixed); i++)
		if (name.n == strlen(prefixed[i]) && strncasecmp(name.p, prefixed[i], name.n) == 0)
			return 2;
	return name.n > 12 && name.n < 64 && strncasecmp(name.p, "x-ratelimit-", 12) == 0 ? 1 : 0;
}

static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return s.n <= MAX_HEADER_VALUE;
}

static void
send_head(struct pass *p, struct transfer *x, int status)
{
	struct kv headers[MAX_HEADERS];
	struct buf names = BUF_INIT((size_t)MAX_HEADERS * 96);
	struct msg_pass_head m = { .pass = p->id, .status = (uint32_t)status };
	struct curl_header *at = NULL;
	struct str name, value;
	size_t n = 0, start;

	/* Never grows again: slices of it are kept. */
	(void)buf_reserve(&names, names.max);
	while (n < MAX_HEADERS && transfer_next_header(x, &at, &name, &value)) {
		int kind = how(name);

		if (kind == 0 || !is_plain(name) || !is_plain(value) ||
		    mask_finds(p->entry->mask, value, 1))
			continue;
		start = names.len;
		if (kind == 2)
			buf_add_text(&names, PREFIX);
		for (size_t i = 0; i < name.n; i++)
			buf_add_char(
			    &names, (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32
										: name.p[i]));
		headers[n++] = (struct kv){ { names.data + start, names.len - start }, value };
	}
	m.headers = (struct kvs){ headers, n };
	p->lost = !tell(p->owner, MSG_PASS_HEAD, &m);
	buf_clear(&names);
}

/*
 * Unreadable here, so that nobody could say what is in it: an error often holds the key that was
 * sent. Each of such headers counts, and what it names beside "identity", too.
 */
static bool
is_packed(const struct transfer *x)
{
	struct curl_header *at = NULL;
	struct str name, value;

	while (transfer_next_header(x, &at, &name, &value))
		if (name.n == 16 && strncasecmp(name.p, "content-encoding", 16) == 0 &&
		    value.n > 0 && (value.n != 8 || strncasecmp(value.p, "identity", 8) != 0))
			return true;
	return false;
}

static bool
on_head(struct transfer *x, int status, void *arg)
{
	struct pass *p = arg;

	p->packed = is_packed(x);
	if (p->packed)
		return false;
	send_head(p, x, status);
	return true;
}

static const struct transfer_sink sink = { on_head, on_piece };

static void
on_outcome(struct transfer *x, const struct transfer_outcome *o, void *arg)
{
	struct pass *p = arg;
	struct passes *all = p->owner;
	struct result *res = &all->result;
	struct buf words = BUF_INIT(1024);

	if (o->status == 401 && p->entry->token)
		token_refused(p->entry->token, p->version);
	p->packed = p->packed || (o->whole && is_packed(x));
	if (o->whole && o->status >= 200 && o->status < 300 && o->status != 204 &&
	    o->status != 205) {
		send_piece(p, buf_str(&p->held));
		end_whole(p);
		return;
	}
	if (o->whole && !p->packed && o->status >= 400 && o->status < 600) {
		send_head(p, x, o->status);
		send_piece(p, o->body);
		end_whole(p);
		return;
	}
	result_reset(res);
	if (p->packed)
		buf_add_text(&words, "the answer is compressed, which was not asked for");
	else if (o->redirect.n)
		buf_addf(&words,
		    "status %d redirects to %.*s: not followed, the key goes only to the "
		    "configured host",
		    o->status, (int)o->redirect.n, o->redirect.p);
	else if (o->whole)
		buf_addf(&words, "status %d, where an answer or an error was expected", o->status);
	judge_transport(p->entry->target, words.len ? REASON_BAD_RESPONSE : o->reason,
	    words.len ? buf_str(&words) : o->words, res);
	buf_clear(&words);
	fail(p);
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
	rc = chat_build(t, buf_str(&p->body), &ctx, &all->request, &all->result);
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
		fail(p);
		return;
	}
	buf_clear(&p->body);
	if (p->entry->line == NULL)
		p->entry->line = line_get(p->owner->lines, t);
	p->transfer = line_take(p->entry->line, t);
	request = plan_request(p->plan, 0);
	left = p->timeout_ms - (clock_mono_us() - p->started_us) / 1000;
	p->state = PASS_ASKING;
	transfer_stream(p->transfer, &request, left > 0 ? left : 1, t->attempt_timeout_ms, &sink,
	    on_outcome, p);
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
	p->lost = !tell(all, MSG_PASS_BODY_TAKEN, &taken);
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
