/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A transfer's curl handle: what it is told, and the functions that it calls while an answer comes.
 * Where nothing has changed since the last request nothing is told again.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "shared/clock.h"
#include "shared/log.h"
#include "workers/address.h"
#include "workers/proxy.h"
#include "workers/target.h"
#include "workers/transfer_internal.h"

#define BUFFER_BYTES 4096L
#define UPLOAD_BUFFER_BYTES 16384L
#define MAX_HEADER_BYTES 65536
#define KEPT_BYTES 512 /* at first */
#define MAX_KEPT_VALUE 256
#define KEEP_IDLE_S 90L
#define TICK_US 100000

/* ---- a WebSocket ---- */

void
transfer_end_websocket(struct transfer *x)
{
	websocket_free(x->ws);
	x->ws = NULL;
	x->ws_refused = false;
	if (x->ws_timer)
		event_free(x->ws_timer);
	x->ws_timer = NULL;
}

/* The answer to the handshake is whole: whether it is the right one. */
static bool
begin_websocket(struct transfer *x)
{
	char wanted[WEBSOCKET_ACCEPT_SIZE];
	struct curl_header *h;

	websocket_accept(wanted, str_of(x->ws_key));
	x->ws_refused =
	    curl_easy_header(x->easy, "sec-websocket-accept", 0, CURLH_1XX, -1, &h) != CURLHE_OK ||
	    strcmp(h->value, wanted) != 0;
	if (x->ws_refused)
		return false;
	x->ws = websocket_new(x->told.body);
	if (x->told.body.n > 0)
		(void)curl_easy_pause(x->easy, CURLPAUSE_CONT);
	return true;
}

static size_t
on_websocket_data(struct transfer *x, const char *data, size_t n)
{
	if (websocket_feed(x->ws, data, n) == WEBSOCKET_OVER)
		return 0;
	/* A pong or our close may be due. */
	(void)curl_easy_pause(x->easy, CURLPAUSE_CONT);
	return n;
}

static size_t
on_upload(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *x = arg;

	if (x->ws == NULL)
		return x->head_over ? 0 : CURL_READFUNC_PAUSE;
	n = websocket_take(x->ws, data, size * n);
	return n > 0 ? n : CURL_READFUNC_PAUSE;
}

/* What curl needs to keep the connection in both directions, or no longer. */
static void
tell_websocket(struct transfer *x, const struct transfer_request *r)
{
	struct timeval tick = { 0, TICK_US };
	bool was = x->ws_key != NULL;

	x->ws_key = NULL;
	for (const struct curl_slist *h = r->headers; h; h = h->next)
		if (strcmp(r->method, "GET") == 0 &&
		    strncasecmp(h->data, "sec-websocket-key: ", 19) == 0)
			x->ws_key = h->data + 19;
	if (x->ws_key == NULL && !was)
		return;
	curl_easy_setopt(x->easy, CURLOPT_UPLOAD, x->ws_key ? 1L : 0L);
	curl_easy_setopt(x->easy, CURLOPT_FRESH_CONNECT, x->ws_key ? 1L : 0L);
	curl_easy_setopt(x->easy, CURLOPT_FORBID_REUSE, x->ws_key ? 1L : 0L);
	curl_easy_setopt(x->easy, CURLOPT_HTTPPROXYTUNNEL, x->ws_key ? 1L : 0L);
	if (x->ws_key == NULL) {
		x->told.method = "";
		return;
	}
	curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, "GET");
	x->ws_ticks = 0;
	x->ws_timer = event_new(x->all->base, -1, EV_PERSIST, transfer_on_tick, x);
	if (x->ws_timer == NULL)
		fatal("event_new failed");
	evtimer_add(x->ws_timer, &tick);
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *x = arg;

	n *= size;
	if (x->ws)
		return on_websocket_data(x, data, n);
	if (x->flowing) {
		x->paused = !x->sink->piece(x, (struct str){ data, n }, x->arg);
		if (x->sink->over && x->sink->over(x->arg))
			return 0;
		return x->paused ? CURL_WRITEFUNC_PAUSE : n;
	}
	if (x->body.len + n > (size_t)x->all->max_body) {
		x->limit = FAILURE_BODY_TOO_LARGE;
		return 0;
	}
	if (x->body.data == NULL && x->all->spare.data) {
		x->body = x->all->spare;
		x->all->spare = BUF_INIT(SIZE_MAX / 2);
	}
	buf_add(&x->body, data, n);
	if (x->told.watch && x->status >= 200 && x->status < 300) {
		x->watched = x->told.watch(x->told.watch_arg, buf_str(&x->body));
		x->token_us = clock_mono_us();
		return x->watched == TRANSFER_GOES_ON ? n : 0;
	}
	return n;
}

static bool
is_kept(const char *line, size_t name)
{
	return (name > 12 && strncasecmp(line, "x-ratelimit-", 12) == 0) ||
	       (name == 11 && strncasecmp(line, "x-ms-region", 11) == 0);
}

/* Names in lower case, as LiteLLM shows them; only printable values. */
static void
keep_header(struct transfer *x, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	size_t name, value;
	char *to;

	if (colon == NULL || x->n_kept == TRANSFER_MAX_KEPT)
		return;
	name = (size_t)(colon - line);
	if (!is_kept(line, name))
		return;
	colon++;
	value = n - name - 1;
	while (value &&
	       (colon[value - 1] == '\r' || colon[value - 1] == '\n' || colon[value - 1] == ' '))
		value--;
	for (; value && *colon == ' '; value--)
		colon++;
	if (value > MAX_KEPT_VALUE || name > 128 ||
	    x->kept.len + name + value + 2 > TRANSFER_MAX_KEPT_BYTES)
		return;
	for (size_t i = 0; i < value; i++)
		if (colon[i] < ' ' || colon[i] > '~')
			return;
	to = buf_reserve(&x->kept, x->kept.cap ? name + value + 2 : KEPT_BYTES);
	if (to == NULL)
		return;
	for (size_t i = 0; i < name; i++)
		*to++ = (char)(line[i] >= 'A' && line[i] <= 'Z' ? line[i] + 32 : line[i]);
	*to++ = '\0';
	memcpy(to, colon, value);
	to[value] = '\0';
	buf_commit(&x->kept, name + value + 2);
	x->n_kept++;
}

static void
on_status_line(struct transfer *x, const char *line, size_t n)
{
	const char *space = memchr(line, ' ', n);

	x->status = space && n - (size_t)(space - line) > 3 ? atoi(space + 1) : 0;
	buf_reset(&x->kept);
	x->n_kept = 0;
	if (x->told.watch)
		x->head_us = clock_mono_us();
	if (x->opened && !x->tls) {
		x->tls = tls_in_use(x->easy, &x->resumed);
		x->certificate_expires_s = x->tls ? tls_certificate_expires(x->easy) : 0;
	}
}

static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	struct transfer *x = arg;

	n *= size;
	x->header_bytes += n;
	if (x->header_bytes > MAX_HEADER_BYTES) {
		x->limit = FAILURE_HEADERS_TOO_LARGE;
		return 0;
	}
	if (n > 5 && memcmp(line, "HTTP/", 5) == 0) {
		on_status_line(x, line, n);
	} else if (n > 2 && (*line == 'x' || *line == 'X')) {
		keep_header(x, line, n);
	} else if (n <= 2) {
		/* The handshake of a WebSocket is all that is asked of it: curl would wait for
		 * more. */
		x->switched = x->status == 101;
		x->head_over = x->status >= 200;
		if (x->switched && x->ws_key)
			return begin_websocket(x) ? n : 0;
		/* Nothing is sent to who does not want a WebSocket. */
		if (x->head_over && x->ws_key)
			(void)curl_easy_pause(x->easy, CURLPAUSE_CONT);
		x->flowing = x->sink && x->status >= 200 && x->status < 300 && x->status != 204 &&
			     x->status != 205;
		if (x->flowing && !x->sink->head(x, x->status, x->arg))
			return 0;
		return x->switched ? 0 : n;
	}
	return n;
}

static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct transfer *x = arg;
	curl_socket_t fd;

	x->opened = true;
	memset(&x->address, 0, sizeof(x->address));
	if (a->addrlen <= sizeof(x->address))
		memcpy(&x->address, &a->addr, a->addrlen);
	x->refused = x->t->allow_link_local ? NULL : address_refused(&a->addr);
	if (x->refused)
		return CURL_SOCKET_BAD;
	x->fd = fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	if (fd >= 0)
		multis_socket_opened(x->all->multis, fd);
	return fd;
}

/* With nothing of the machine's environment in it: what a probe does is what the config says. */
void
transfer_set_up(struct transfer *x)
{
	CURL *easy = curl_easy_init();

	if (easy == NULL)
		fatal("curl_easy_init failed");
	x->easy = easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, x);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->said);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
	curl_easy_setopt(easy, CURLOPT_READDATA, x);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, x);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, multis_close_socket);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, x->all->multis);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, TRANSFER_ENCODINGS);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "llmhealth/" PACKAGE_VERSION);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* Else taking out a transfer waits for its name server, and with it all others. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER_BYTES);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, KEEP_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	tls_setup(x->all->tls, &x->tls_use, easy, x->t);
}

/* Reads host and port of the URL, and of the proxy if it goes through one. ERR_SYNTAX: no such URL.
 */
static int
read_place(const char *url, char **host, unsigned *port)
{
	CURLU *u = curl_url();
	char *h = NULL, *p = NULL;
	size_t n;
	int rc = ERR_SYNTAX;

	if (u &&
	    curl_url_set(u, CURLUPART_URL, url, CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) ==
		CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &h, 0) == CURLUE_OK) {
		if (curl_url_get(u, CURLUPART_PORT, &p, CURLU_DEFAULT_PORT) == CURLUE_OK)
			*port = (unsigned)atoi(p);
		else
			*port = 1080;
		n = strlen(h);
		free(*host);
		*host = *h == '[' && n > 2 ? str_dup((struct str){ h + 1, n - 2 }) : xstrdup(h);
		rc = 0;
	}
	curl_free(h);
	curl_free(p);
	curl_url_cleanup(u);
	return rc;
}

int
transfer_set_url(struct transfer *x, const char *url)
{
	const char *proxy = x->t->proxy;
	char *copy = xstrdup(url);

	free(x->url);
	x->url = copy;
	x->told_addresses = 0;
	curl_easy_setopt(x->easy, CURLOPT_URL, url);
	if (read_place(url, &x->host, &x->port) < 0)
		return ERR_SYNTAX;
	if (*proxy && proxy_skipped(x->t->no_proxy, x->host, x->port))
		proxy = "";
	curl_easy_setopt(x->easy, CURLOPT_PROXY, proxy);
	return read_place(*proxy ? proxy : url, &x->connect_host, &x->connect_port);
}

int
transfer_tell(struct transfer *x, const struct transfer_request *r)
{
	tell_websocket(x, r);
	if (x->ws_key == NULL && r->method != x->told.method) {
		if (strcmp(r->method, "POST") == 0) {
			curl_easy_setopt(x->easy, CURLOPT_POST, 1L);
			curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, NULL);
		} else if (strcmp(r->method, "GET") == 0) {
			curl_easy_setopt(x->easy, CURLOPT_HTTPGET, 1L);
			curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, NULL);
		} else {
			curl_easy_setopt(x->easy, CURLOPT_POST, 1L);
			curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, r->method);
		}
		x->told.body.p = NULL;
	}
	if (strcmp(r->method, "GET") != 0 &&
	    (r->body.p != x->told.body.p || r->body.n != x->told.body.n)) {
		curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n);
		curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, r->body.p);
	}
	if (r->headers != x->told.headers)
		curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, r->headers);
	x->told.method = x->ws_key ? "" : r->method;
	x->told.headers = r->headers;
	x->told.body = r->body;
	x->told.watch = r->watch;
	x->told.watch_arg = r->watch_arg;
	if (x->url && strcmp(r->url, x->url) == 0)
		return 0;
	return transfer_set_url(x, r->url);
}

struct str
transfer_header(const struct transfer *x, const char *name)
{
	struct curl_header *h;

	if (curl_easy_header(x->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return (struct str){ "", 0 };
	return str_of(h->value);
}

bool
transfer_next_header(
    const struct transfer *x, struct curl_header **at, struct str *name, struct str *value)
{
	*at = curl_easy_nextheader(x->easy, CURLH_HEADER, -1, *at);
	if (*at == NULL)
		return false;
	*name = str_of((*at)->name);
	*value = str_of((*at)->value);
	return true;
}
