/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's way: resolve the name, hand it to curl, judge how it ended, follow a redirect to the
 * same host, tell the caller.
 */
#include "workers/transfer.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/secret.h"
#include "workers/address.h"
#include "workers/redirect.h"
#include "workers/target.h"
#include "workers/transfer_internal.h"

#define SPARE_BODY_BYTES 16384
#define RESOLVER_THREADS 8
#define CLOSE_TICKS 5 /* how long the answer to our close is waited for */

static void go_on(struct transfer *x);

/* ---- ends ---- */

static void
let_go(struct transfer *x)
{
	resolver_cancel(&x->wait);
	if (x->wait_timer) {
		event_free(x->wait_timer);
		x->wait_timer = NULL;
	}
	if (x->resolve) {
		curl_easy_setopt(x->easy, CURLOPT_RESOLVE, NULL);
		curl_slist_free_all(x->resolve);
		x->resolve = NULL;
	}
}

/* Keeps one body's memory for the next answer. */
static void
body_release(struct transfers *all, struct buf *body)
{
	if (body->cap && body->cap <= SPARE_BODY_BYTES && all->spare.data == NULL) {
		all->spare = *body;
		buf_reset(&all->spare);
		*body = BUF_INIT(SIZE_MAX / 2);
	} else {
		buf_clear(body);
	}
}

static void
clear_answer(struct transfer *x)
{
	body_release(x->all, &x->body);
	buf_clear(&x->kept);
	x->n_kept = 0;
	x->status = 0;
	x->opened = x->tls = x->resumed = x->head_over = x->switched = false;
	x->flowing = x->paused = false;
	x->limit = FAILURE_NO_LIMIT;
	x->refused = NULL;
	x->address.sin6_family = 0;
	x->header_bytes = 0;
	x->said[0] = '\0';
}

static void
end_request(struct transfer *x)
{
	let_go(x);
	clear_answer(x);
	transfer_end_websocket(x);
	x->state = TRANSFER_IDLE;
	x->done = NULL;
	x->sink = NULL;
}

/*
 * The caller gets the outcome with the transfer idle again, so it may start the next request or
 * free the transfer: what the outcome points to is taken out first.
 */
static void
finish(struct transfer *x, struct transfer_outcome *o)
{
	struct transfers *all = x->all;
	struct buf body = x->body, kept = x->kept;
	transfer_done done = x->done;
	size_t at = 0;

	o->dns_us = x->dns_us;
	o->status = x->status;
	o->body = buf_str(&body);
	o->n_kept = x->n_kept;
	for (size_t i = 0; i < x->n_kept; i++) {
		o->kept[i].key = str_of(kept.data + at);
		at += o->kept[i].key.n + 1;
		o->kept[i].value = str_of(kept.data + at);
		at += o->kept[i].value.n + 1;
	}
	x->body = BUF_INIT(SIZE_MAX / 2);
	x->kept = BUF_INIT(TRANSFER_MAX_KEPT_BYTES);
	end_request(x);
	done(x, o, x->arg);
	body_release(all, &body);
	buf_clear(&kept);
}

static curl_off_t
time_of(struct transfer *x, CURLINFO what)
{
	curl_off_t us = 0;

	(void)curl_easy_getinfo(x->easy, what, &us);
	return us;
}

static uint32_t
between(curl_off_t from, curl_off_t to)
{
	return to > from && to - from < UINT32_MAX ? (uint32_t)(to - from) : 0;
}

static void
measure(struct transfer *x, struct transfer_outcome *o)
{
	curl_off_t name = time_of(x, CURLINFO_NAMELOOKUP_TIME_T);
	curl_off_t connected = time_of(x, CURLINFO_CONNECT_TIME_T);
	curl_off_t tls = time_of(x, CURLINFO_APPCONNECT_TIME_T);

	if (x->status)
		o->first_byte_us = between(time_of(x, CURLINFO_PRETRANSFER_TIME_T),
		    time_of(x, CURLINFO_STARTTRANSFER_TIME_T));
	o->reused = !x->opened && x->status != 0;
	if (!x->opened)
		return;
	o->connect_us = between(name, connected);
	o->tls_us = between(connected, tls);
	o->tls = x->tls;
	o->resumed = x->tls && x->resumed;
	o->certificate_expires_s = x->tls ? x->certificate_expires_s : 0;
}

static bool
is_redirect(const struct transfer *x)
{
	if (x->status == 307 || x->status == 308)
		return true;
	return (x->status == 301 || x->status == 302 || x->status == 303) &&
	       strcmp(x->told.method, "GET") == 0;
}

/* Whether the answer is a redirect that is followed now. `host`: of one that is not. */
static bool
follow(struct transfer *x, char **host)
{
	char *next = NULL;

	if (!is_redirect(x) || x->hops == REDIRECT_MAX_HOPS ||
	    redirect_resolve(x->url, transfer_header(x, "location"), &next, host) < 0)
		return false;
	free(*host);
	*host = NULL;
	x->hops++;
	let_go(x);
	clear_answer(x);
	if (transfer_set_url(x, next) < 0)
		fatal("a URL that was just read is none");
	free(next);
	x->state = TRANSFER_RESOLVING;
	go_on(x);
	return true;
}

static void
finish_failed(struct transfer *x, CURLcode code)
{
	struct buf address = BUF_INIT(256), words = BUF_INIT(1024);
	struct transfer_outcome o = { 0 };
	struct failure f = { .easy = x->easy,
		.code = code,
		.said = x->said,
		.target = x->t,
		.host = x->host,
		.refused = x->refused,
		.limit = x->limit,
		.status = x->status,
		.head_over = x->head_over,
		.body_bytes = x->body.len,
		.max_body = (uint64_t)x->all->max_body,
		.wanted_certificate = x->opened && tls_wanted_certificate(&x->tls_use),
		.timeout_ms = x->timeout_ms };

	if (x->address.sin6_family)
		address_add_text(&address, (const struct sockaddr *)&x->address);
	f.address = buf_text(&address);
	if (x->refused && code == CURLE_COULDNT_CONNECT)
		f.limit = FAILURE_ADDRESS_REFUSED;
	o.reason = failure_judge(&f, &words);
	o.words = buf_str(&words);
	o.late = o.reason == REASON_TIMEOUT && x->whole_check;
	measure(x, &o);
	finish(x, &o);
	buf_clear(&address);
	buf_clear(&words);
}

/* After the handshake of a WebSocket: its first event is the answer's body. */
static void
finish_websocket(struct transfer *x, CURLcode code)
{
	struct transfer_outcome o = { .whole = true };
	struct buf words = BUF_INIT(1024);

	if (x->ws && websocket_has_event(x->ws)) {
		buf_reset(&x->body);
		buf_add_str(&x->body, websocket_event(x->ws));
	} else if (x->ws && code != CURLE_OK && code != CURLE_WRITE_ERROR) {
		finish_failed(x, code);
		return;
	} else {
		o.whole = false;
		o.reason = REASON_BAD_RESPONSE;
		if (x->ws)
			websocket_why_not(x->ws, &words);
		else
			buf_add_text(&words, "status 101, but Sec-WebSocket-Accept is not the "
					     "answer to what was asked");
		o.words = buf_str(&words);
	}
	measure(x, &o);
	finish(x, &o);
	buf_clear(&words);
}

/* While it may still be sent to, curl does not say that the provider is gone. */
static bool
is_gone(struct transfer *x)
{
	curl_socket_t fd = CURL_SOCKET_BAD;
	ssize_t n;
	char c;

	(void)curl_easy_getinfo(x->easy, CURLINFO_ACTIVESOCKET, &fd);
	if (fd == CURL_SOCKET_BAD)
		fd = x->fd;
	n = recv(fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
	return n == 0 || (n < 0 && errno == ECONNRESET);
}

void
transfer_on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct transfer *x = arg;

	if (x->ws && websocket_has_event(x->ws))
		x->ws_ticks++;
	if (!x->opened || (x->ws_ticks <= CLOSE_TICKS && !is_gone(x)))
		return;
	multis_remove(x->all->multis, x->slot, x->easy);
	if (x->ws)
		finish_websocket(x, CURLE_OK);
	else
		finish_failed(x, x->status ? CURLE_PARTIAL_FILE : CURLE_GOT_NOTHING);
}

static void
on_done(CURL *easy, CURLcode code, void *arg)
{
	struct transfer_outcome o = { .whole = true };
	struct transfer *x = NULL;
	char *elsewhere = NULL;

	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &x);
	if (x->opened && x->status && x->resolve)
		x->told_addresses = x->resolve_version;
	if (x->ws || x->ws_refused) {
		finish_websocket(x, code);
		return;
	}
	if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && x->switched)) {
		finish_failed(x, code);
		return;
	}
	/* A head that is cut off counts as an answer without a body for curl. */
	if (!x->head_over && !x->switched) {
		finish_failed(x, CURLE_PARTIAL_FILE);
		return;
	}
	if (follow(x, &elsewhere))
		return;
	o.redirect = str_of(elsewhere);
	measure(x, &o);
	finish(x, &o);
	free(elsewhere);
}

/* Failures before curl: told in a turn of their own, never inside transfer_start(). */
static void
fail(struct transfer *x, enum reason reason)
{
	struct timeval now = { 0, 0 };

	let_go(x);
	x->state = TRANSFER_FAILED;
	x->failed_reason = reason;
	x->next_failed = x->all->failed;
	x->all->failed = x;
	evtimer_add(x->all->tell, &now);
}

static void
on_tell(evutil_socket_t fd, short what, void *arg)
{
	struct transfers *all = arg;

	while (all->failed) {
		struct transfer *x = all->failed;
		struct buf words = x->failed_words;
		struct transfer_outcome o = { .reason = x->failed_reason,
			.words = buf_str(&words),
			.late = x->failed_reason == REASON_TIMEOUT && x->whole_check };

		all->failed = x->next_failed;
		x->failed_words = BUF_INIT(1024);
		finish(x, &o);
		buf_clear(&words);
	}
}

/* ---- beginnings ---- */

static int64_t
left_ms(const struct transfer *x)
{
	return x->timeout_ms - (clock_mono_us() - x->started_us) / 1000;
}

static void
on_wait_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct transfer *x = arg;

	buf_addf(&x->failed_words, "the name %s was not resolved in %lld ms", x->connect_host,
	    (long long)x->timeout_ms);
	fail(x, REASON_TIMEOUT);
}

static void
on_resolved(struct resolver_wait *w)
{
	go_on((struct transfer *)((char *)w - offsetof(struct transfer, wait)));
}

static void
wait_for_name(struct transfer *x)
{
	int64_t left = left_ms(x) > 0 ? left_ms(x) : 0;
	struct timeval tv = { left / 1000, (left % 1000) * 1000 };

	x->wait.done = on_resolved;
	if (x->wait_timer)
		return;
	x->wait_timer = evtimer_new(x->all->base, on_wait_timeout, x);
	if (x->wait_timer == NULL)
		fatal("evtimer_new failed");
	evtimer_add(x->wait_timer, &tv);
}

/* Gives curl the addresses, once for each answer of the resolver. */
static void
tell_addresses(struct transfer *x, const struct resolver_answer *a)
{
	struct buf line;

	if (x->told_addresses == a->version)
		return;
	buf_init(&line, 8192);
	buf_addf(&line, "%s:%u:%s", x->connect_host, x->connect_port, a->addresses);
	x->resolve = curl_slist_append(NULL, buf_text(&line));
	buf_clear(&line);
	x->resolve_version = a->version;
	curl_easy_setopt(x->easy, CURLOPT_RESOLVE, x->resolve);
}

static void
enter_curl(struct transfer *x)
{
	int64_t left = x->hops || x->dns_us ? left_ms(x) : x->timeout_ms;
	long timeout_ms = (long)(left > 1 ? left : 1);
	int64_t max_body = x->sink ? 0 : x->all->max_body; /* 0: on_body() alone looks */
	bool plain = x->sink != NULL;

	if (timeout_ms != x->told_timeout_ms)
		curl_easy_setopt(x->easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	x->told_timeout_ms = timeout_ms;
	if (x->told_max_body != max_body)
		curl_easy_setopt(x->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)max_body);
	x->told_max_body = max_body;
	if (x->told_plain != plain)
		curl_easy_setopt(
		    x->easy, CURLOPT_ACCEPT_ENCODING, plain ? NULL : TRANSFER_ENCODINGS);
	x->told_plain = plain;
	x->state = TRANSFER_IN_CURL;
	if (multis_add(x->all->multis, x->slot, x->easy) < 0) {
		buf_add_text(&x->failed_words, "curl does not take the request");
		fail(x, REASON_CONFIG);
	}
}

/* TRANSFER_RESOLVING, with or without an answer. */
static void
go_on(struct transfer *x)
{
	struct resolver_answer a;
	int rc;

	if (!resolver_needed(x->connect_host)) {
		enter_curl(x);
		return;
	}
	rc = resolver_ask(x->all->resolver, x->connect_host, &x->wait, &a);
	if (rc == ERR_AGAIN) {
		wait_for_name(x);
		return;
	}
	if (x->wait_timer) {
		event_free(x->wait_timer);
		x->wait_timer = NULL;
		x->dns_us = (uint32_t)(clock_mono_us() - x->started_us);
	}
	if (rc < 0 || a.error) {
		buf_addf(&x->failed_words, "the name %s does not resolve: %s", x->connect_host,
		    rc < 0 ? "too many names wait" : gai_strerror(a.error));
		fail(x, REASON_DNS);
		return;
	}
	tell_addresses(x, &a);
	enter_curl(x);
}

void
transfer_start(struct transfer *x, const struct transfer_request *r, int64_t check_ms,
    int64_t request_ms, transfer_done done, void *arg)
{
	if (x->state != TRANSFER_IDLE)
		fatal("a request was started while another is under way");
	x->done = done;
	x->arg = arg;
	x->hops = 0;
	x->dns_us = 0;
	x->started_us = clock_mono_us();
	x->whole_check = request_ms <= 0 || check_ms <= request_ms;
	x->timeout_ms = x->whole_check ? check_ms : request_ms;
	if (transfer_tell(x, r) < 0) {
		buf_add_text(&x->failed_words, "the URL is none that can be asked: http:// or "
					       "https:// and a host were expected");
		fail(x, REASON_CONFIG);
		return;
	}
	x->state = TRANSFER_RESOLVING;
	go_on(x);
}

void
transfer_stream(struct transfer *x, const struct transfer_request *r, int64_t check_ms,
    int64_t request_ms, const struct transfer_sink *sink, transfer_done done, void *arg)
{
	if (x->state != TRANSFER_IDLE)
		fatal("a request was started while another is under way");
	x->sink = sink;
	transfer_start(x, r, check_ms, request_ms, done, arg);
}

void
transfer_resume(struct transfer *x)
{
	if (x->state != TRANSFER_IN_CURL || !x->paused)
		return;
	x->paused = false;
	(void)curl_easy_pause(x->easy, CURLPAUSE_CONT);
}

void
transfer_cancel(struct transfer *x)
{
	switch (x->state) {
	case TRANSFER_IDLE:
		return;
	case TRANSFER_RESOLVING:
		break;
	case TRANSFER_IN_CURL:
		multis_remove(x->all->multis, x->slot, x->easy);
		break;
	case TRANSFER_FAILED:
		for (struct transfer **link = &x->all->failed; *link; link = &(*link)->next_failed)
			if (*link == x) {
				*link = x->next_failed;
				break;
			}
		buf_clear(&x->failed_words);
		break;
	}
	end_request(x);
}

struct transfer *
transfer_new(struct transfers *all, const struct target *t)
{
	struct transfer *x = xcalloc(1, sizeof(*x));

	x->all = all;
	x->t = t;
	x->slot = all->next_slot++ % MULTIS;
	x->body = BUF_INIT(SIZE_MAX / 2);
	x->kept = BUF_INIT(TRANSFER_MAX_KEPT_BYTES);
	x->failed_words = BUF_INIT(1024);
	transfer_set_up(x);
	return x;
}

void
transfer_rebind(struct transfer *x, const struct target *t)
{
	if (x->state != TRANSFER_IDLE)
		fatal("a transfer changed its target while it asks");
	x->t = t;
}

void
transfer_free(struct transfer *x)
{
	if (x == NULL)
		return;
	transfer_cancel(x);
	curl_easy_cleanup(x->easy);
	if (x->url)
		secret_wipe(x->url, strlen(x->url));
	free(x->url);
	free(x->host);
	free(x->connect_host);
	free(x);
}

/* ---- what all share ---- */

struct transfers *
transfers_new(struct event_base *base, unsigned long max_connections)
{
	struct transfers *all = xcalloc(1, sizeof(*all));

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		fatal("curl_global_init failed");
	all->base = base;
	all->max_body = 1000000;
	all->spare = BUF_INIT(SIZE_MAX / 2);
	all->tls = tls_new();
	all->resolver = resolver_new(base, RESOLVER_THREADS);
	all->multis = multis_new(base, max_connections, on_done, all);
	all->tell = evtimer_new(base, on_tell, all);
	if (all->tell == NULL)
		fatal("evtimer_new failed");
	return all;
}

void
transfers_free(struct transfers *all)
{
	if (all == NULL)
		return;
	multis_free(all->multis);
	resolver_free(all->resolver);
	tls_free(all->tls);
	event_free(all->tell);
	buf_clear(&all->spare);
	curl_global_cleanup();
	free(all);
}

void
transfers_set_max_body(struct transfers *all, int64_t bytes)
{
	all->max_body = bytes;
}
