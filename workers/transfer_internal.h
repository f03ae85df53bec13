/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What transfer.c (a request's way), transfer_end.c (how it ends) and transfer_curl.c (the handle and
 * what it calls) share.
 */
#ifndef WORKERS_TRANSFER_INTERNAL_H
#define WORKERS_TRANSFER_INTERNAL_H

#include <netinet/in.h>

#include "workers/failure.h"
#include "workers/multis.h"
#include "workers/resolver.h"
#include "workers/tls.h"
#include "workers/transfer.h"
#include "workers/websocket.h"

#define TRANSFER_MAX_KEPT_BYTES 4096
#define TRANSFER_ENCODINGS "gzip, deflate"

enum transfer_state {
	TRANSFER_IDLE,
	TRANSFER_RESOLVING, /* waits for the resolver */
	TRANSFER_IN_CURL,
	TRANSFER_FAILED, /* before curl had it; the caller is told from the loop */
};

struct transfers {
	struct event_base *base;
	struct multis *multis;
	struct resolver *resolver;
	struct tls *tls;
	int64_t max_body;
	unsigned next_slot;
	struct transfer *failed;
	struct event *tell; /* the failed ones */
	struct buf spare;   /* one body's memory, for the next */
};

struct transfer {
	struct transfers *all;
	const struct target *t;
	CURL *easy;
	enum transfer_state state;
	unsigned slot;

	struct tls_use tls_use;

	/* What the handle has been told. */
	struct transfer_request told;
	long told_timeout_ms;
	int64_t told_max_body;
	bool told_plain;	 /* no Accept-Encoding */
	uint32_t told_addresses; /* the resolver's version that its multi has */
	char *url;		 /* NULL: none that is known to be right */
	char *host;		 /* of url */
	char *connect_host;	 /* the same, or the proxy's */
	unsigned port, connect_port;

	/* The request under way. */
	transfer_done done;
	void *arg;
	unsigned hops;
	int64_t started_us, timeout_ms;
	bool whole_check; /* it is the whole check's timeout */
	struct resolver_wait wait;
	struct event *wait_timer;
	uint32_t dns_us;
	struct curl_slist *resolve;
	uint32_t resolve_version;
	enum reason failed_reason;
	struct buf failed_words;
	struct transfer *next_failed;

	const struct transfer_sink *sink; /* NULL: the answer is collected */

	/* The answer. */
	int status;
	bool flowing; /* into the sink */
	bool paused;  /* the sink does not take any now */
	bool opened, tls, resumed;
	int64_t certificate_expires_s;
	bool head_over; /* all headers of the final answer have come */
	bool switched;	/* to another protocol than HTTP */
	/* A WebSocket: the handshake is curl's, what follows goes through `ws`. */
	const char *ws_key;	/* Sec-WebSocket-Key of the request, or NULL */
	struct websocket *ws;	/* after the handshake */
	bool ws_refused;	/* the handshake was not answered rightly */
	struct event *ws_timer; /* ticks from its request on */
	unsigned ws_ticks;	/* since our close */
	curl_socket_t fd;	/* opened last */
	enum transfer_watched watched;
	int64_t head_us;  /* when its head began */
	int64_t token_us; /* when it was enough */
	enum failure_limit limit;
	const char *refused;
	struct sockaddr_in6 address; /* tried last; sin6_family 0: none. Holds an IPv4 one too */
	size_t header_bytes;
	struct buf kept; /* "name\0value\0" */
	size_t n_kept;
	struct buf body;
	char said[CURL_ERROR_SIZE];
};

/* Makes the handle and tells it all that does not change from request to request. */
void transfer_set_up(struct transfer *x);
/* Tells it the request. ERR_SYNTAX when the URL is none. */
int transfer_tell(struct transfer *x, const struct transfer_request *r) MUST_CHECK;
/* Forgets the WebSocket. */
void transfer_end_websocket(struct transfer *x);
int transfer_set_url(struct transfer *x, const char *url) MUST_CHECK;
/* Goes on in TRANSFER_RESOLVING, with or without the resolver's answer. */
void transfer_go_on(struct transfer *x);

/* Gives back what only the way into curl needs: the wait for a name, its addresses. */
void transfer_let_go(struct transfer *x);
/* Idle again, the caller is not told. */
void transfer_end_request(struct transfer *x);
/* A failure before curl: told in a turn of its own by transfer_on_tell(), never inside transfer_start(). */
void transfer_fail(struct transfer *x, enum reason reason);
void transfer_on_tell(evutil_socket_t fd, short what, void *arg);
/* What curl calls when it is through with a request. */
void transfer_on_done(CURL *easy, CURLcode code, void *arg);
/* Whether a WebSocket has to be given up. */
void transfer_on_tick(evutil_socket_t fd, short what, void *arg);

#endif
