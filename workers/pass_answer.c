/* SPDX-License-Identifier: Apache-2.0 */
/* An answer on its way back: as it is, or translated; without secrets in it. */
#include "workers/pass_internal.h"

#include <string.h>
#include <strings.h>

#include "workers/mask.h"

#define MAX_HEADERS 32
#define MAX_HEADER_VALUE 256

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
		p->lost = !pass_tell(all, MSG_PASS_PIECE, &m);
	}
}

/* Sends all but the end of it that may be the beginning of a secret. */
static void
send_held(struct pass *p, struct str bytes)
{
	struct passes *all = p->owner;
	struct str text = bytes;
	size_t hold;

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
}

static bool
on_piece(struct transfer *x, struct str bytes, void *arg)
{
	struct pass *p = arg;
	struct passes *all = p->owner;

	(void)x;
	if (p->chat.family && !p->chat.stream) {
		if (p->answer.len + bytes.n > CHAT_MAX_ANSWER && p->fault.len == 0)
			buf_add_text(&p->fault, "the answer is too long to be translated");
		if (p->fault.len == 0)
			buf_add_str(&p->answer, bytes);
		return true;
	}
	if (p->not_taken >= PASS_WINDOW)
		return false;
	if (p->chat.family == NULL) {
		send_held(p, bytes);
		return true;
	}
	/* What came before a fault is the caller's. */
	buf_reset(&all->chunks);
	(void)!chat_piece(&p->chat, bytes, &all->chunks, &p->fault);
	send_held(p, buf_str(&all->chunks));
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
	if (p->chat.family)
		headers[n++] = (struct kv){ STR("content-type"),
			p->chat.stream && status < 300 ? STR("text/event-stream; charset=utf-8")
						       : STR("application/json") };
	while (n < MAX_HEADERS && transfer_next_header(x, &at, &name, &value)) {
		int kind = how(name);

		/* Of what is translated it is ours, and stands there already. */
		if (p->chat.family && n > 0 && name.n == 12 &&
		    strncasecmp(name.p, "content-type", 12) == 0)
			continue;

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
	p->lost = !pass_tell(p->owner, MSG_PASS_HEAD, &m);
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
	if (p->chat.family && !chat_type_fits(&p->chat, transfer_header(x, "content-type"))) {
		buf_add_text(&p->fault, "the answer is no stream, which was asked for");
		return false;
	}
	if (p->chat.family == NULL || p->chat.stream)
		send_head(p, x, status);
	return true;
}

/* Behind a fault nothing can be read. */
static bool
is_over(void *arg)
{
	return ((struct pass *)arg)->fault.len > 0;
}

const struct transfer_sink pass_sink = { on_head, on_piece, is_over };

static struct str
header_of(const struct response *r, const char *name)
{
	return transfer_header(r->arg, name);
}

/* The provider's error in LiteLLM's words and form, under its own status. */
static void
send_error(struct pass *p, struct transfer *x, const struct transfer_outcome *o)
{
	struct passes *all = p->owner;
	struct response response = { o->status, o->body, header_of, x };
	const struct dialect *d = chat_dialect(p->entry->target);

	/* The judge cuts long texts, and a secret in two is not found afterwards. */
	buf_reset(&all->text);
	mask_add_text(p->entry->mask, &all->text, o->body);
	response.body = buf_str(&all->text);
	result_reset(&all->result);
	d->judge(p->entry->target, &response, &all->result);
	mask_buf(p->entry->mask, &all->result.error);
	buf_reset(&all->chunks);
	chat_add_error(&all->chunks, o->status, buf_str(&all->result.error));
	send_head(p, x, o->status);
	send_piece(p, buf_str(&all->chunks));
	pass_end_whole(p);
}

/* The rest of a good answer; false with p->fault: it is none. */
static bool
send_rest(struct pass *p, struct transfer *x, int status)
{
	struct passes *all = p->owner;
	bool whole = p->chat.family && !p->chat.stream;
	int rc = p->fault.len > 0 ? ERR_INVALID : 0;

	buf_reset(&all->chunks);
	if (rc == 0 && p->chat.family)
		rc = whole ? chat_whole(
				 &p->chat, buf_str(&p->answer), &all->chunks, &p->fault)
			   : chat_end(&p->chat, &all->chunks, &p->fault);
	if (rc == 0 && whole)
		send_head(p, x, status);
	if (rc == 0)
		send_held(p, buf_str(&all->chunks));
	if (rc == 0)
		send_piece(p, buf_str(&p->held));
	return rc == 0;
}

void
pass_on_outcome(struct transfer *x, const struct transfer_outcome *o, void *arg)
{
	struct pass *p = arg;
	struct passes *all = p->owner;
	struct result *res = &all->result;
	struct buf words = BUF_INIT(8192);

	if (o->status == 401 && p->entry->token)
		token_refused(p->entry->token, p->version);
	p->packed = p->packed || (o->whole && is_packed(x));
	if (o->whole && o->status >= 200 && o->status < 300 && o->status != 204 &&
	    o->status != 205) {
		if (send_rest(p, x, o->status)) {
			pass_end_whole(p);
			return;
		}
	} else if (o->whole && !p->packed && o->status >= 400 && o->status < 600) {
		if (p->chat.family) {
			send_error(p, x, o);
			return;
		}
		send_head(p, x, o->status);
		send_piece(p, o->body);
		pass_end_whole(p);
		return;
	}
	if (p->fault.len > 0 && p->chat.stream)
		send_piece(p, buf_str(&p->held));
	result_reset(res);
	if (p->packed)
		buf_add_text(&words, "the answer is compressed, which was not asked for");
	else if (p->fault.len > 0)
		buf_add_str(&words, buf_str(&p->fault));
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
	pass_fail(p);
}
