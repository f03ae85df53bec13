/* SPDX-License-Identifier: Apache-2.0 */
/* A request's texts in one piece of memory each, curl's list of headers made over them. */
#include "workers/plan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shared/buf.h"
#include "shared/secret.h"
#include "workers/dialects/dialect.h"

struct plan {
	unsigned holders;
	const char *method;
	struct str url;	  /* NUL-terminated */
	struct str lines; /* the request's headers, as there */
	size_t n_headers;
	struct curl_slist *headers; /* an array over `text` */
	char *text;
	size_t text_n;
	struct str bodies[PLAN_MAX_VARIANTS];
	uint32_t n_bodies;
	uint32_t n_same; /* variants that were the first once more */
};

static struct str
copy(struct str s)
{
	char *p = xmalloc(s.n + 1);

	if (s.n)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct str){ p, s.n };
}

static void
wipe(struct str *s)
{
	char *p = (char *)(uintptr_t)s->p;

	if (p)
		secret_wipe(p, s->n);
	free(p);
	*s = (struct str){ NULL, 0 };
}

/* A WebSocket's handshake is plain HTTP, which is what curl is asked for. */
static struct str
copy_url(struct str url)
{
	struct buf b = BUF_INIT(REQUEST_MAX_URL + 16);
	size_t n;

	if (str_starts(url, "ws://") || str_starts(url, "wss://")) {
		buf_add_text(&b, "http");
		url = (struct str){ url.p + 2, url.n - 2 };
	}
	buf_add_str(&b, url);
	n = b.len;
	return (struct str){ buf_take(&b), n };
}

static bool
names_header(const char *line, const char *name)
{
	size_t n = strlen(name);

	return strncasecmp(line, name, n) == 0 && line[n] == ':';
}

static void
link_line(struct plan *p, size_t i, const char *line)
{
	p->headers[i].data = (char *)(uintptr_t)line;
	p->headers[i].next = NULL;
	if (i > 0)
		p->headers[i - 1].next = &p->headers[i];
}

/* curl leaves out "Name:" and sends "Name;" as an empty one; what it adds by itself is taken out.
 */
static void
make_headers(struct plan *p, bool has_body)
{
	struct buf b = BUF_INIT(SIZE_MAX / 2);
	const char *line = p->lines.p, *at;
	bool has_type = false, is_websocket = false;
	size_t n = p->n_headers;

	for (size_t i = 0; i < p->n_headers; i++, line += strlen(line) + 1) {
		size_t length = strlen(line);

		has_type = has_type || names_header(line, "content-type");
		is_websocket = is_websocket || names_header(line, "sec-websocket-key");
		while (length && line[length - 1] == ' ')
			length--;
		buf_add(&b, line, length);
		if (length && line[length - 1] == ':')
			b.data[b.len - 1] = ';';
		buf_add_char(&b, '\0');
	}
	if (has_body && !has_type) {
		buf_add(&b, "Content-Type:", sizeof("Content-Type:"));
		n++;
	}
	if (has_body) {
		buf_add(&b, "Expect:", sizeof("Expect:"));
		n++;
	}
	if (is_websocket && !has_body) {
		/* To send after the handshake is an upload for curl, of which nothing is said. */
		buf_add(&b, "Transfer-Encoding:", sizeof("Transfer-Encoding:"));
		buf_add(&b, "Expect:", sizeof("Expect:"));
		buf_add(&b, "Accept:", sizeof("Accept:"));
		n += 3;
	}
	if (n == 0)
		return;
	p->text_n = b.len;
	p->text = buf_take(&b);
	p->headers = xcalloc(n, sizeof(*p->headers));
	at = p->text;
	for (size_t i = 0; i < n; i++, at += strlen(at) + 1)
		link_line(p, i, at);
}

struct plan *
plan_new(const struct request *r)
{
	struct plan *p = xcalloc(1, sizeof(*p));

	p->holders = 1;
	p->method = r->method;
	p->url = copy_url(buf_str(&r->url));
	p->lines = copy(buf_str(&r->headers));
	p->n_headers = r->n_headers;
	make_headers(p, r->body.len > 0);
	p->bodies[p->n_bodies++] = copy(buf_str(&r->body));
	return p;
}

struct plan *
plan_hold(struct plan *p)
{
	p->holders++;
	return p;
}

void
plan_free(struct plan *p)
{
	if (p == NULL || --p->holders > 0)
		return;
	wipe(&p->url);
	wipe(&p->lines);
	for (uint32_t i = 0; i < p->n_bodies; i++)
		wipe(&p->bodies[i]);
	if (p->text)
		secret_wipe(p->text, p->text_n);
	free(p->text);
	free(p->headers);
	free(p);
}

int
plan_add(struct plan *p, const struct request *r)
{
	struct str url = copy_url(buf_str(&r->url));
	bool same = strcmp(p->method, r->method) == 0 && str_eq(url, p->url) &&
		    r->n_headers == p->n_headers && str_eq(buf_str(&r->headers), p->lines) &&
		    (r->body.len > 0) == (p->bodies[0].n > 0);

	wipe(&url);
	if (!same)
		return ERR_INVALID;
	/* Where nothing varies one body is kept: it may be a sound or a picture. */
	if (p->n_bodies == 1 && str_eq(buf_str(&r->body), p->bodies[0])) {
		p->n_same++;
		return 0;
	}
	if (p->n_same > 0)
		return ERR_INVALID;
	if (p->n_bodies == PLAN_MAX_VARIANTS)
		return ERR_LIMIT;
	p->bodies[p->n_bodies++] = copy(buf_str(&r->body));
	return 0;
}

struct transfer_request
plan_request(const struct plan *p, uint32_t variant)
{
	return (struct transfer_request){ p->method, p->url.p, p->headers,
		p->bodies[variant % p->n_bodies], NULL, NULL };
}
