/* SPDX-License-Identifier: Apache-2.0 */
/* A request, signed with SigV4: which of its headers are signed, and where the signature goes. */
#include <string.h>
#include <strings.h>

#include "workers/auth/aws_internal.h"
#include "workers/auth/sigv4.h"

bool
aws_is_scope(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '/')
			return false;
	return s.n > 0;
}

/* "https://host:8443/path?query" */
static bool
split_url(struct str url, struct str *host, struct str *path, struct str *query)
{
	size_t at = str_starts(url, "https://") ? 8 : str_starts(url, "http://") ? 7 : 0, n = 0;
	size_t standard = at == 8 ? 4 : 3; /* of ":443" and ":80" */

	if (at == 0)
		return false;
	while (at + n < url.n && !strchr("/?#", url.p[at + n]))
		n++;
	*host = (struct str){ url.p + at, n };
	/* curl leaves the standard port out of Host. */
	if (n > standard && memcmp(host->p + n - standard, at == 8 ? ":443" : ":80", standard) == 0)
		host->n -= standard;
	at += n;
	for (n = 0; at + n < url.n && url.p[at + n] != '?'; n++)
		;
	*path = (struct str){ url.p + at, n };
	at += n;
	*query = at < url.n ? (struct str){ url.p + at + 1, url.n - at - 1 } : STR("");
	return host->n > 0;
}

/* Which of the request's headers are signed: what the services look at, and x-amz-… */
static bool
is_signed(struct str name)
{
	return (name.n == 12 && strncasecmp(name.p, "content-type", 12) == 0) ||
	       (name.n > 6 && strncasecmp(name.p, "x-amz-", 6) == 0) ||
	       (name.n > 7 && strncasecmp(name.p, "x-goog-", 7) == 0) ||
	       (name.n > 7 && strncasecmp(name.p, "x-amzn-", 7) == 0);
}

static int
collect_headers(const struct request *req, struct str host, struct kv *headers, size_t *n)
{
	const char *line = buf_text(&req->headers);

	*n = 0;
	headers[(*n)++] = (struct kv){ STR("Host"), host };
	for (size_t i = 0; i < req->n_headers; i++, line += strlen(line) + 1) {
		struct str name = { line, strcspn(line, ":") };

		if (!is_signed(name))
			continue;
		if (*n == SIGV4_MAX_HEADERS)
			return ERR_LIMIT;
		headers[(*n)++] = (struct kv){ name, str_of(line + name.n + 2) };
	}
	return 0;
}

int
aws_sign_with(const struct credential *c, const char *service, const char *region, int64_t now_ms,
    struct request *req)
{
	struct kv headers[SIGV4_MAX_HEADERS];
	struct sigv4 r = { .method = req->method,
		.headers = headers,
		.body = buf_str(&req->body),
		.access_key = secret_reveal(c->access_key),
		.secret_key = secret_reveal(c->secret_key),
		.session_token = secret_reveal(c->session_token),
		.region = region,
		.service = service,
		.now_ms = now_ms };
	struct sigv4_signature s;
	struct str host;
	int err;

	if (!split_url(buf_str(&req->url), &host, &r.path, &r.query))
		return ERR_INVALID;
	if ((err = collect_headers(req, host, headers, &r.n_headers)) < 0)
		return err;
	sigv4_signature_init(&s);
	err = sigv4_sign(&r, &s);
	if (err == 0)
		err = request_add_header(req, STR("X-Amz-Date"), str_of(s.date));
	if (err == 0 && r.session_token.n > 0)
		err = request_add_header(req, STR("X-Amz-Security-Token"), r.session_token);
	if (err == 0)
		err = request_add_header(req, STR("Authorization"), buf_str(&s.value));
	sigv4_signature_clear(&s);
	return err;
}

int
aws_sign(const struct target *t, const struct credential *c, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	const char *service = req->sign_service, *region = buf_text(&req->sign_region);

	if (service == NULL || !aws_is_scope(str_of(region)))
		return auth_refuse(t, why, NULL, "the AWS region `%.80s` is none", region);
	if (c->access_key == NULL || c->secret_key == NULL)
		return auth_refuse(t, why, NULL, "no AWS credentials to sign with");
	if (aws_sign_with(c, service, region, ctx->now_ms, req) < 0)
		return auth_refuse(t, why, NULL,
		    "the request cannot be signed: its URL or headers are not valid, "
		    "or it is too large");
	return 0;
}
