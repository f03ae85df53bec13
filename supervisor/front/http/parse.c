/* SPDX-License-Identifier: Apache-2.0 */
/* The request line, the headers that anything here looks at, and the two framings of a body. */
#include "supervisor/front/http/parse.h"

#include <strings.h>

#include "shared/buf.h"

#define MAX_CHUNK_LINE 256
#define MAX_TRAILER 4096

/* RFC 9110 5.6.2 */
static const bool is_token[256] = {
	['!'] = true,
	['#'] = true,
	['$'] = true,
	['%'] = true,
	['&'] = true,
	['\''] = true,
	['*'] = true,
	['+'] = true,
	['-'] = true,
	['.'] = true,
	['^'] = true,
	['_'] = true,
	['`'] = true,
	['|'] = true,
	['~'] = true,
	['0' ... '9'] = true,
	['A' ... 'Z'] = true,
	['a' ... 'z'] = true,
};

static const struct known_header {
	const char *name;
	size_t len;
	size_t offset; /* in struct http_request */
} known_headers[] = {
#define HEADER(name, field) \
	{ \
		name, sizeof(name) - 1, offsetof(struct http_request, field) \
	}
	HEADER("host", host),
	HEADER("authorization", authorization),
	HEADER("api-key", api_key),
	HEADER("x-api-key", x_api_key),
	HEADER("x-litellm-api-key", x_litellm_api_key),
	HEADER("origin", origin),
	HEADER("access-control-request-method", cors_method),
	HEADER("access-control-request-headers", cors_headers),
	HEADER("if-none-match", if_none_match),
	HEADER("x-request-id", request_id),
	HEADER("x-litellm-call-id", call_id),
	HEADER("accept", accept),
	HEADER("last-event-id", last_event_id),
	HEADER("accept-encoding", accept_encoding),
	HEADER("content-type", content_type),
	HEADER("x-drain-token", drain_token),
#undef HEADER
};

size_t
http_head_end(const char *p, size_t n, size_t *scanned)
{
	size_t at = *scanned;

	while (at < n) {
		const char *lf = memchr(p + at, '\n', n - at);
		size_t next;

		if (lf == NULL) {
			*scanned = n;
			return 0;
		}
		next = (size_t)(lf - p) + 1;
		if (next < n && p[next] == '\n')
			return next + 1;
		if (next + 1 < n && p[next] == '\r' && p[next + 1] == '\n')
			return next + 2;
		if (next + 1 >= n) {
			*scanned = next - 1;
			return 0;
		}
		at = next;
	}
	*scanned = at;
	return 0;
}

static bool
same_name(struct str s, const char *name, size_t n)
{
	return s.n == n && strncasecmp(s.p, name, n) == 0;
}

/* Takes the next item of a comma list; false at its end. */
static bool
next_item(struct str *list, struct str *item)
{
	const char *comma;

	if (list->n == 0)
		return false;
	comma = memchr(list->p, ',', list->n);
	item->p = list->p;
	item->n = comma ? (size_t)(comma - list->p) : list->n;
	list->n -= item->n + (comma ? 1 : 0);
	list->p += item->n + (comma ? 1 : 0);
	*item = str_trim(*item);
	return true;
}

static enum http_method
method_of(struct str s)
{
	if (str_is(s, "GET"))
		return HTTP_GET;
	if (str_is(s, "HEAD"))
		return HTTP_HEAD;
	if (str_is(s, "POST"))
		return HTTP_POST;
	if (str_is(s, "OPTIONS"))
		return HTTP_OPTIONS;
	return HTTP_OTHER;
}

/* origin-form, absolute-form or `*` */
static int
parse_target(struct str t, struct http_request *r)
{
	const char *mark;

	if (t.n == 0)
		return ERR_SYNTAX;
	for (size_t i = 0; i < t.n; i++)
		if ((unsigned char)t.p[i] <= ' ' || t.p[i] == 0x7f)
			return ERR_SYNTAX;
	if (t.p[0] != '/' && !str_is(t, "*")) {
		size_t skip = t.n >= 7 && strncasecmp(t.p, "http://", 7) == 0	 ? 7
			      : t.n >= 8 && strncasecmp(t.p, "https://", 8) == 0 ? 8
										 : 0;

		if (skip == 0)
			return ERR_SYNTAX;
		t.p += skip;
		t.n -= skip;
		while (t.n > 0 && t.p[0] != '/' && t.p[0] != '?') {
			t.p++;
			t.n--;
		}
	}
	mark = memchr(t.p, '#', t.n);
	if (mark)
		return ERR_SYNTAX;
	mark = t.n > 0 ? memchr(t.p, '?', t.n) : NULL;
	r->path = (struct str){ t.p, mark ? (size_t)(mark - t.p) : t.n };
	r->query = mark ? (struct str){ mark + 1, t.n - r->path.n - 1 } : (struct str){ t.p, 0 };
	if (r->path.n == 0)
		r->path = STR("/");
	return 0;
}

static int
parse_request_line(struct str line, struct http_request *r, int *status)
{
	size_t m = 0, v;

	while (m < line.n && is_token[(unsigned char)line.p[m]])
		m++;
	if (m == 0 || m >= line.n || line.p[m] != ' ')
		return ERR_SYNTAX;
	r->method_text = (struct str){ line.p, m };
	r->method = method_of(r->method_text);
	for (v = line.n; v > m + 1 && line.p[v - 1] != ' '; v--)
		;
	if (v <= m + 2 || line.n - v != 8 || memcmp(line.p + v, "HTTP/", 5) != 0 ||
	    line.p[v + 6] != '.' || line.p[v + 5] < '0' || line.p[v + 5] > '9' ||
	    line.p[v + 7] < '0' || line.p[v + 7] > '9')
		return ERR_SYNTAX;
	if (line.p[v + 5] != '1') {
		*status = 505;
		return ERR_SYNTAX;
	}
	r->minor = line.p[v + 7] == '0' ? 0 : 1;
	return parse_target((struct str){ line.p + m + 1, v - 1 - (m + 1) }, r);
}

static int
parse_length(struct str s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 18)
		return ERR_SYNTAX;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return ERR_SYNTAX;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*out = v;
	return 0;
}

struct framing {
	bool length, encoding, host;
	bool close, keep;
};

static int
take_header(
    struct str name, struct str value, struct http_request *r, struct framing *f, int *status)
{
	struct str list = value, item;
	uint64_t length;

	if (same_name(name, "content-length", 14)) {
		if (parse_length(value, &length) < 0 || (f->length && length != r->content_length))
			return ERR_SYNTAX;
		f->length = true;
		r->content_length = length;
	} else if (same_name(name, "transfer-encoding", 17)) {
		if (f->encoding)
			return ERR_SYNTAX;
		f->encoding = true;
		if (!same_name(value, "chunked", 7)) {
			*status = 501;
			return ERR_SYNTAX;
		}
		r->chunked = true;
	} else if (same_name(name, "connection", 10)) {
		while (next_item(&list, &item)) {
			f->close |= same_name(item, "close", 5);
			f->keep |= same_name(item, "keep-alive", 10);
		}
	} else if (same_name(name, "expect", 6)) {
		if (!same_name(value, "100-continue", 12)) {
			*status = 417;
			return ERR_SYNTAX;
		}
		r->expects = true;
	} else {
		for (size_t i = 0; i < ARRAY_LEN(known_headers); i++) {
			const struct known_header *k = &known_headers[i];
			struct str *field = (struct str *)((char *)r + k->offset);

			if (!same_name(name, k->name, k->len))
				continue;
			if (field->p == NULL)
				*field = value;
			else if (field == &r->host)
				return ERR_SYNTAX;
			break;
		}
	}
	return 0;
}

static int
parse_header(struct str line, struct http_request *r, struct framing *f, int *status)
{
	size_t n = 0;
	struct str value;

	while (n < line.n && is_token[(unsigned char)line.p[n]])
		n++;
	if (n == 0 || n >= line.n || line.p[n] != ':')
		return ERR_SYNTAX;
	value = str_trim((struct str){ line.p + n + 1, line.n - n - 1 });
	for (size_t i = 0; i < value.n; i++)
		if (((unsigned char)value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == 0x7f)
			return ERR_SYNTAX;
	return take_header((struct str){ line.p, n }, value, r, f, status);
}

int
http_parse_head(const char *p, size_t n, struct http_request *r, int *status)
{
	const char *end = p + n;
	struct framing f = { false, false, false, false, false };
	size_t lines = 0;
	int err;

	memset(r, 0, sizeof(*r));
	*status = 400;
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		struct str line;

		if (lf == NULL || lf == p || lf[-1] != '\r')
			return ERR_SYNTAX;
		line = (struct str){ p, (size_t)(lf - 1 - p) };
		p = lf + 1;
		if (line.n == 0)
			break;
		if (lines > HTTP_MAX_HEADERS) {
			*status = 431;
			return ERR_SYNTAX;
		}
		err = lines++ == 0 ? parse_request_line(line, r, status)
				   : parse_header(line, r, &f, status);
		if (err < 0)
			return err;
	}
	if (lines == 0 || p != end)
		return ERR_SYNTAX;
	if (f.encoding && (f.length || r->minor == 0))
		return ERR_SYNTAX;
	if (r->minor > 0 && r->host.p == NULL)
		return ERR_SYNTAX; /* RFC 9112 3.2 */
	r->keep_alive = !f.close && (r->minor > 0 || f.keep);
	if (r->minor == 0)
		r->expects = false;
	return 0;
}

int
http_body_begin(struct http_body_reader *b, const struct http_request *r, uint64_t max)
{
	*b = (struct http_body_reader){ .max = max };
	if (r->chunked) {
		b->state = HTTP_BODY_SIZE;
		return 0;
	}
	b->left = r->content_length;
	b->state = b->left > 0 ? HTTP_BODY_LENGTH : HTTP_BODY_DONE;
	return b->left > max ? ERR_LIMIT : 0;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One byte outside the data. Returns 0, or an error. */
static int
body_byte(struct http_body_reader *b, char c)
{
	int v;

	switch (b->state) {
	case HTTP_BODY_SIZE:
		v = hex_value(c);
		if (v >= 0) {
			if (++b->line > 16)
				return ERR_SYNTAX;
			b->left = b->left << 4 | (uint64_t)v;
			return 0;
		}
		if (b->line == 0)
			return ERR_SYNTAX;
		if (b->left > b->max || b->total > b->max - b->left)
			return ERR_LIMIT;
		if (c == '\r')
			b->state = HTTP_BODY_SIZE_LF;
		else if (c == ';' || c == ' ' || c == '\t')
			b->state = HTTP_BODY_EXTENSION;
		else
			return ERR_SYNTAX;
		return 0;
	case HTTP_BODY_EXTENSION:
		if (c == '\r')
			b->state = HTTP_BODY_SIZE_LF;
		else if (c == '\n' || ++b->line > MAX_CHUNK_LINE)
			return ERR_SYNTAX;
		return 0;
	case HTTP_BODY_SIZE_LF:
		if (c != '\n')
			return ERR_SYNTAX;
		b->line = 0;
		b->total += b->left;
		b->state = b->left > 0 ? HTTP_BODY_DATA : HTTP_BODY_TRAILER;
		return 0;
	case HTTP_BODY_DATA_CR:
		b->state = HTTP_BODY_DATA_LF;
		return c == '\r' ? 0 : ERR_SYNTAX;
	case HTTP_BODY_DATA_LF:
		b->state = HTTP_BODY_SIZE;
		return c == '\n' ? 0 : ERR_SYNTAX;
	case HTTP_BODY_TRAILER:
		if (c == '\n' || ++b->line > MAX_TRAILER)
			return ERR_SYNTAX;
		if (c == '\r')
			b->state = HTTP_BODY_TRAILER_LF;
		else
			b->trailer_line++;
		return 0;
	case HTTP_BODY_TRAILER_LF:
		if (c != '\n')
			return ERR_SYNTAX;
		b->state = b->trailer_line == 0 ? HTTP_BODY_DONE : HTTP_BODY_TRAILER;
		b->trailer_line = 0;
		return 0;
	default:
		return ERR_SYNTAX;
	}
}

int
http_body_read(struct http_body_reader *b, const char *p, size_t n, size_t *used)
{
	size_t at = 0;
	int err = 0;

	while (err == 0 && b->state != HTTP_BODY_DONE && at < n) {
		if (b->state == HTTP_BODY_LENGTH || b->state == HTTP_BODY_DATA) {
			size_t some = n - at < b->left ? n - at : (size_t)b->left;

			if (b->keep)
				buf_add(b->keep, p + at, some);
			at += some;
			b->left -= some;
			if (b->left == 0)
				b->state = b->state == HTTP_BODY_LENGTH ? HTTP_BODY_DONE
									: HTTP_BODY_DATA_CR;
		} else {
			err = body_byte(b, p[at++]);
		}
	}
	*used = at;
	if (err < 0)
		return err;
	return b->state == HTTP_BODY_DONE ? 0 : ERR_AGAIN;
}

bool
http_etag_matches(struct str list, struct str etag)
{
	struct str item;

	while (next_item(&list, &item)) {
		if (str_is(item, "*"))
			return true;
		if (item.n > 2 && item.p[0] == 'W' && item.p[1] == '/') {
			item.p += 2;
			item.n -= 2;
		}
		if (str_eq(item, etag))
			return true;
	}
	return false;
}

char *
http_request_text(const struct http_request *r)
{
	struct buf line = BUF_INIT(512);

	buf_add(&line, r->method_text.p, r->method_text.n < 128 ? r->method_text.n : 128);
	buf_add_char(&line, ' ');
	buf_add(&line, r->path.p, r->path.n < 256 ? r->path.n : 256);
	return buf_take(&line);
}
