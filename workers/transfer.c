/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request's way: resolve the name and hand it to curl. How it ends is in transfer_end.c.
 */
#include "workers/transfer.h"

#include <event2/event.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "shared/secret.h"
#include "workers/target.h"
#include "workers/transfer_internal.h"

#define RESOLVER_THREADS 8

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
	transfer_fail(x, REASON_TIMEOUT);
}

static void
on_resolved(struct resolver_wait *w)
{
	transfer_go_on((struct transfer *)((char *)w - offsetof(struct transfer, wait)));
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
		transfer_fail(x, REASON_CONFIG);
	}
}

void
transfer_go_on(struct transfer *x)
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
		transfer_fail(x, REASON_DNS);
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
		transfer_fail(x, REASON_CONFIG);
		return;
	}
	x->state = TRANSFER_RESOLVING;
	transfer_go_on(x);
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
	transfer_end_request(x);
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
	all->multis = multis_new(base, max_connections, transfer_on_done, all);
	all->tell = evtimer_new(base, transfer_on_tell, all);
	if (all->tell == NULL)
		fatal("evtimer_new failed");
	return all;
}

struct event_base *
transfers_base(const struct transfers *all)
{
	return all->base;
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
