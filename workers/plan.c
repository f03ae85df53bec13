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
	struct str url;		    /* NUL-terminated */
	struct str lines;	    /* the headers, each NUL-terminated, as curl wants them */
	struct curl_slist *headers; /* an array over them */
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
	struct str copied;

	if (!str_starts(url, "ws://") && !str_starts(url, "wss://"))
		return copy(url);
	buf_add_text(&b, "http");
	buf_add_str(&b, (struct str){ url.p + 2, url.n - 2 });
	copied = copy(buf_str(&b));
	buf_clear(&b);
	return copied;
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

/*
 * The headers as curl wants them, and how many they are: it leaves out "Name:" and sends "Name;" as
 * an empty one; what it adds by itself is taken out.
 */
static size_t
make_lines(const struct request *r, struct buf *b)
{
	bool has_type = false, has_body = r->body.len > 0;
	bool is_websocket = false; /* whose body is a message after the handshake */
	const char *line = buf_text(&r->headers);
	size_t n = r->n_headers;

	for (size_t i = 0; i < r->n_headers; i++, line += strlen(line) + 1) {
		size_t length = strlen(line);

		has_type = has_type || names_header(line, "content-type");
		is_websocket = is_websocket || names_header(line, "sec-websocket-key");
		while (length && line[length - 1] == ' ')
			length--;
		buf_add(b, line, length);
		if (length && line[length - 1] == ':')
			b->data[b->len - 1] = ';';
		buf_add_char(b, '\0');
	}
	has_body = has_body && !is_websocket;
	if (has_body && !has_type) {
		buf_add(b, "Content-Type:", sizeof("Content-Type:"));
		n++;
	}
	if (has_body) {
		buf_add(b, "Expect:", sizeof("Expect:"));
		n++;
	}
	if (is_websocket) {
		/* To send after the handshake is an upload for curl, of which nothing is said. */
		buf_add(b, "Transfer-Encoding:", sizeof("Transfer-Encoding:"));
		buf_add(b, "Expect:", sizeof("Expect:"));
		buf_add(b, "Accept:", sizeof("Accept:"));
		n += 3;
	}
	return n;
}

static void
make_headers(struct plan *p, const struct request *r)
{
	struct buf b = BUF_INIT(SIZE_MAX / 2);
	size_t n = make_lines(r, &b);
	const char *at;

	if (n == 0)
		return;
	p->lines = copy(buf_str(&b));
	secret_wipe(b.data, b.len);
	buf_clear(&b);
	p->headers = xcalloc(n, sizeof(*p->headers));
	at = p->lines.p;
	for (size_t i = 0; i < n; i++, at += strlen(at) + 1)
		link_line(p, i, at);
}

static bool
same_headers(const struct plan *p, const struct request *r)
{
	struct buf b = BUF_INIT(SIZE_MAX / 2);
	bool same;

	(void)make_lines(r, &b);
	same = str_eq(buf_str(&b), p->lines);
	if (b.data)
		secret_wipe(b.data, b.len);
	buf_clear(&b);
	return same;
}

struct plan *
plan_new(const struct request *r)
{
	struct plan *p = xcalloc(1, sizeof(*p));

	p->holders = 1;
	p->method = r->method;
	p->url = copy_url(buf_str(&r->url));
	make_headers(p, r);
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
	free(p->headers);
	free(p);
}

int
plan_add(struct plan *p, const struct request *r)
{
	struct str url = copy_url(buf_str(&r->url));
	bool same = strcmp(p->method, r->method) == 0 && str_eq(url, p->url) &&
		    same_headers(p, r) && (r->body.len > 0) == (p->bodies[0].n > 0);

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
		p->bodies[variant % p->n_bodies] };
}
