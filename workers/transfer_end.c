/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a request ends: judge what curl says, follow a redirect to the same host, tell the caller.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "shared/log.h"
#include "workers/address.h"
#include "workers/redirect.h"
#include "workers/target.h"
#include "workers/transfer_internal.h"

#define SPARE_BODY_BYTES 16384
#define CLOSE_TICKS 5 /* how long the answer to our close is waited for */

void
transfer_let_go(struct transfer *x)
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
	x->watched = TRANSFER_GOES_ON;
	x->status = 0;
	x->opened = x->tls = x->resumed = x->head_over = x->switched = false;
	x->flowing = x->paused = false;
	x->limit = FAILURE_NO_LIMIT;
	x->refused = NULL;
	x->address.sin6_family = 0;
	x->header_bytes = 0;
	x->said[0] = '\0';
}

void
transfer_end_request(struct transfer *x)
{
	transfer_let_go(x);
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
	transfer_end_request(x);
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
	if (x->watched == TRANSFER_TOKEN)
		o->first_token_us = o->first_byte_us + between(x->head_us, x->token_us);
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
	transfer_let_go(x);
	clear_answer(x);
	if (transfer_set_url(x, next) < 0)
		fatal("a URL that was just read is none");
	free(next);
	x->state = TRANSFER_RESOLVING;
	transfer_go_on(x);
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
			o.reason = websocket_why_not(x->ws, &words);
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
	/* After the head of an answer that is no WebSocket curl finds out by itself. */
	if (!x->opened || (x->ws == NULL && x->head_over) ||
	    (x->ws_ticks <= CLOSE_TICKS && !is_gone(x)))
		return;
	multis_remove(x->all->multis, x->slot, x->easy);
	if (x->ws)
		finish_websocket(x, CURLE_OK);
	else
		finish_failed(x, x->status ? CURLE_PARTIAL_FILE : CURLE_GOT_NOTHING);
}

void
transfer_on_done(CURL *easy, CURLcode code, void *arg)
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
	if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR &&
				    (x->switched || x->watched != TRANSFER_GOES_ON))) {
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

void
transfer_fail(struct transfer *x, enum reason reason)
{
	struct timeval now = { 0, 0 };

	transfer_let_go(x);
	x->state = TRANSFER_FAILED;
	x->failed_reason = reason;
	x->next_failed = x->all->failed;
	x->all->failed = x;
	evtimer_add(x->all->tell, &now);
}

void
transfer_on_tell(evutil_socket_t fd, short what, void *arg)
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
