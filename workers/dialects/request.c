/* SPDX-License-Identifier: Apache-2.0 */
/* A request's memory and its headers: nothing that a config holds can end a header line early. */
#include "workers/dialects/dialect.h"

#include <string.h>
#include <strings.h>

#define MAX_HEADERS_BYTES ((size_t)64 << 10)

void
request_init(struct request *r)
{
	r->method = "POST";
	r->n_headers = 0;
	buf_init(&r->url, REQUEST_MAX_URL);
	buf_init(&r->headers, MAX_HEADERS_BYTES);
	buf_init(&r->body, REQUEST_MAX_BODY);
	buf_init(&r->shown_base, REQUEST_MAX_URL);
	buf_init(&r->shown_body, REQUEST_MAX_BODY);
	r->sign_service = NULL;
	buf_init(&r->sign_region, 256);
}

void
request_reset(struct request *r)
{
	r->method = "POST";
	r->n_headers = 0;
	buf_reset(&r->url);
	if (r->headers.data)
		secret_wipe(r->headers.data, r->headers.len);
	buf_reset(&r->headers);
	buf_reset(&r->body);
	buf_reset(&r->shown_base);
	buf_reset(&r->shown_body);
	r->sign_service = NULL;
	buf_reset(&r->sign_region);
}

void
request_clear(struct request *r)
{
	request_reset(r);
	buf_clear(&r->url);
	buf_clear(&r->headers);
	buf_clear(&r->body);
	buf_clear(&r->shown_base);
	buf_clear(&r->shown_body);
	buf_clear(&r->sign_region);
}

/* RFC 9110 section 5.6.2: what a field name may hold. */
static bool
name_valid(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c <= 0x20 || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
			return false;
	}
	return name.n > 0;
}

int
request_add_header(struct request *r, struct str name, struct str value)
{
	if (!name_valid(name))
		return ERR_INVALID;
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] == '\r' || value.p[i] == '\n' || value.p[i] == '\0')
			return ERR_INVALID;
	if (r->n_headers == REQUEST_MAX_HEADERS ||
	    r->headers.len + name.n + value.n + 3 > MAX_HEADERS_BYTES)
		return ERR_LIMIT;
	buf_add_str(&r->headers, name);
	buf_add(&r->headers, ": ", 2);
	buf_add_str(&r->headers, value);
	buf_add_char(&r->headers, '\0');
	r->n_headers++;
	return 0;
}

struct str
request_header(const struct request *r, const char *name)
{
	const char *line = buf_text(&r->headers);
	size_t n = strlen(name);

	for (size_t i = 0; i < r->n_headers; i++, line += strlen(line) + 1)
		if (strncasecmp(line, name, n) == 0 && line[n] == ':')
			return str_of(line + n + 2);
	return STR("");
}

void
request_add_uuid(struct buf *b, const struct build_context *ctx, unsigned char n)
{
	unsigned char id[16];

	memcpy(id, ctx->random, sizeof(id));
	id[15] ^= n;
	id[6] = (unsigned char)((id[6] & 0x0f) | 0x40);
	id[8] = (unsigned char)((id[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(id); i++)
		buf_addf(b, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id[i]);
}
