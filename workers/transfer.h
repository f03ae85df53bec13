/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP requests, one at a time, over curl: the handle is kept from request to request with all that
 * does not change, and with its TLS session. Knows sizes, times, addresses and failures; what an
 * answer means is the dialect's matter.
 */
#ifndef WORKERS_TRANSFER_H
#define WORKERS_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/reason.h"
#include "shared/str.h"

struct event_base;
struct target;
struct transfer;
struct transfers;

/* What all transfers of a worker share. */
struct transfers *transfers_new(struct event_base *base, unsigned long max_connections);
struct event_base *transfers_base(const struct transfers *all);
void transfers_free(struct transfers *all);
/* From the next request on. */
void transfers_set_max_body(struct transfers *all, int64_t bytes);

/* What is thought of an answer that is still coming. */
enum transfer_watched {
	TRANSFER_GOES_ON,
	TRANSFER_TOKEN,	 /* that is enough, and what was waited for */
	TRANSFER_ENOUGH, /* that is enough */
};

/* A GET with a Sec-WebSocket-Key opens a WebSocket: its body is the first message then.
 * All of it stays the caller's and must stay as it is until the end. `method` is static storage. */
struct transfer_request {
	const char *method;
	const char *url;
	struct curl_slist *headers;
	struct str body;
	/*
	 * NULL: the answer is read to its end. Called with all that there is of a success's body
	 * whenever more of it has come; it starts and ends nothing. An answer of which it has
	 * enough counts as whole, and its connection is closed.
	 */
	enum transfer_watched (*watch)(void *arg, struct str body);
	void *watch_arg;
};

#define TRANSFER_MAX_KEPT 16

/* How a request ended. Durations follow one another; 0 where there was no such phase. */
struct transfer_outcome {
	bool whole; /* a whole answer came: status, body and headers; else reason and words */
	int status; /* also of an answer that is not whole; 0: none */
	struct str body;
	enum reason reason;
	struct str words;  /* our own: "connection refused by 127.0.0.1:9" */
	bool late;	   /* the deadline of the whole check passed */
	bool reused;	   /* over a kept connection */
	bool tls, resumed; /* over a new TLS connection; its session was resumed */
	int64_t certificate_expires_s; /* of that new connection: unix time; 0: none */
	uint32_t dns_us, connect_us, tls_us;
	uint32_t first_byte_us; /* from the request's last byte sent to the answer's first */
	uint32_t first_token_us; /* from there to the token that was watched for; 0: none */
	struct str redirect;	/* host of a redirect that was not followed; empty: none */
	struct kv kept[TRANSFER_MAX_KEPT]; /* headers x-ratelimit-*, x-ms-region */
	size_t n_kept;
};

/* All of the outcome is valid during the call only. The next request may be started in it. */
typedef void (*transfer_done)(
    struct transfer *x, const struct transfer_outcome *outcome, void *arg);

/*
 * Who takes a good answer (status 2xx with a body) as it comes. Any other answer, and one that is
 * redirected, comes whole with the outcome as ever.
 */
struct transfer_sink {
	/* The head is there: transfer_header() and transfer_next_header() tell it. False: it is not
	 * wanted, the transfer fails. */
	bool (*head)(struct transfer *x, int status, void *arg);
	/* Bytes of the body. False: not now, none was taken; until transfer_resume() none comes. */
	bool (*piece)(struct transfer *x, struct str bytes, void *arg);
	/* Asked after each piece; NULL: never. True: no more is wanted, the transfer fails. */
	bool (*over)(void *arg);
};

/* The target must live until the transfer is free or bound to another. */
struct transfer *transfer_new(struct transfers *all, const struct target *t);
/*
 * From now on it asks for this target (NULL: for none), whose proxy, TLS settings and addresses
 * allowed must be those of the first. Nothing may be under way.
 */
void transfer_rebind(struct transfer *x, const struct target *t);
/* Cancels what is under way. Accepts NULL. Also inside `done`. */
void transfer_free(struct transfer *x);

/*
 * Starts a request; none may be under way. `done` is called exactly once, from the loop and never
 * from inside this call, unless the request is cancelled. It ends after request_ms (0: no such
 * limit) or check_ms, whatever is shorter.
 */
void transfer_start(struct transfer *x, const struct transfer_request *r, int64_t check_ms,
    int64_t request_ms, transfer_done done, void *arg);
/* The same, with a sink, which must live until the end. It is not compressed, and of any length. */
void transfer_stream(struct transfer *x, const struct transfer_request *r, int64_t check_ms,
    int64_t request_ms, const struct transfer_sink *sink, transfer_done done, void *arg);
/* The sink takes more. It may be called from inside this. */
void transfer_resume(struct transfer *x);
/* Ends what is under way without a call; the connection is closed. */
void transfer_cancel(struct transfer *x);

/* A header of the answer, inside `done` or the sink's `head`; empty when absent. */
struct str transfer_header(const struct transfer *x, const char *name);
/* One after the other; *at is NULL at first. False past the last. */
bool transfer_next_header(
    const struct transfer *x, struct curl_header **at, struct str *name, struct str *value);

#endif
