/* SPDX-License-Identifier: Apache-2.0 */
/* Written from the providers' own texts, not with the code of workers/auth/, which it is to test.
 */
#include "tests/standin/strict.h"

#include <fnmatch.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "shared/buf.h"

#define TEXT_MAX (1 << 20)
#define SKEW_S 300

struct str
strict_header(const struct request *r, const char *name)
{
	struct str rest = r->headers, key, value;

	while (request_next_header(&rest, &key, &value))
		if (key.n == strlen(name) && strncasecmp(key.p, name, key.n) == 0)
			return value;
	return STR("");
}

/* The text between `before` and the next `after`, or the end. */
static struct str
between(struct str s, const char *before, const char *after)
{
	const char *at = s.n ? memmem(s.p, s.n, before, strlen(before)) : NULL, *end;

	if (at == NULL)
		return STR("");
	at += strlen(before);
	s = (struct str){ at, s.n - (size_t)(at - s.p) };
	end = s.n ? memmem(s.p, s.n, after, strlen(after)) : NULL;
	if (end != NULL)
		s.n = (size_t)(end - s.p);
	return s;
}

/* The next part of *rest up to `mark`; false at the end. */
static bool
next_part(struct str *rest, char mark, struct str *part)
{
	const char *at;

	if (rest->n == 0)
		return false;
	at = memchr(rest->p, mark, rest->n);
	*part = (struct str){ rest->p, at ? (size_t)(at - rest->p) : rest->n };
	rest->n -= part->n + (at != NULL);
	rest->p += part->n + (at != NULL);
	return true;
}

static void
add_hex(struct buf *b, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%02x", p[i]);
}

static void
sha256(struct str data, unsigned char out[32])
{
	EVP_Digest(data.p, data.n, out, NULL, EVP_sha256(), NULL);
}

static void
hmac(const void *key, size_t key_n, struct str data, unsigned char out[32])
{
	HMAC(EVP_sha256(), key, (int)key_n, (const unsigned char *)data.p, data.n, out, NULL);
}

/* Each byte of the path as sent that is not unreserved, escaped once more; the slashes stay. */
static void
add_escaped(struct buf *b, struct str path)
{
	for (size_t i = 0; i < path.n; i++) {
		unsigned char c = (unsigned char)path.p[i];

		if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
		    strchr("-_.~/", c))
			buf_add_char(b, (char)c);
		else
			buf_addf(b, "%%%02X", c);
	}
}

static void
add_canonical(struct buf *b, const struct request *r, struct str signed_headers)
{
	unsigned char digest[32];
	struct str rest = signed_headers, name;

	buf_add_str(b, r->method);
	buf_add_char(b, '\n');
	add_escaped(b, r->path);
	buf_add_char(b, '\n');
	buf_add_str(b, r->query);
	buf_add_char(b, '\n');
	while (next_part(&rest, ';', &name)) {
		char text[128];

		snprintf(text, sizeof(text), "%.*s", (int)name.n, name.p);
		buf_add_str(b, name);
		buf_add_char(b, ':');
		buf_add_str(b, strict_header(r, text));
		buf_add_char(b, '\n');
	}
	buf_add_char(b, '\n');
	buf_add_str(b, signed_headers);
	buf_add_char(b, '\n');
	sha256(r->body, digest);
	add_hex(b, digest, sizeof(digest));
}

static bool
names(struct str list, const char *wanted)
{
	struct str name;

	while (next_part(&list, ';', &name))
		if (str_is(name, wanted))
			return true;
	return false;
}

static int64_t
amz_time(struct str date)
{
	char text[32];
	struct tm tm = { 0 };

	snprintf(text, sizeof(text), "%.*s", (int)date.n, date.p);
	return strptime(text, "%Y%m%dT%H%M%SZ", &tm) ? (int64_t)timegm(&tm) : INT64_MIN / 2;
}

static const char *
refuse_aws(const struct strict *strict, const struct request *r, int64_t now_s)
{
	struct str auth = strict_header(r, "authorization"), date = strict_header(r, "x-amz-date");
	struct str scope = between(auth, "Credential=", ","), id, part[4] = { { NULL, 0 } };
	struct str headers = between(auth, "SignedHeaders=", ","), rest;
	struct buf text = BUF_INIT(TEXT_MAX), to_sign = BUF_INIT(TEXT_MAX), hex = BUF_INIT(128);
	unsigned char digest[32], key[32];
	const char *why = NULL, *secret = strict->aws_secret;
	char first[256];

	if (!str_starts(auth, "AWS4-HMAC-SHA256 "))
		return "Missing Authentication Token";
	rest = scope;
	if (!next_part(&rest, '/', &id))
		return "Credential is missing";
	for (size_t i = 0; i < 4; i++)
		if (!next_part(&rest, '/', &part[i]))
			return "Credential should be scoped to a date, a region and a service";
	if (!names(headers, "host") || !names(headers, "x-amz-date") ||
	    (strict_header(r, "x-amz-security-token").n > 0 &&
		!names(headers, "x-amz-security-token")))
		return "'Host', 'X-Amz-Date' and the session token must be signed headers";
	if (part[0].n != 8 || date.n != 16 || llabs(amz_time(date) - now_s) > SKEW_S ||
	    memcmp(part[0].p, date.p, 8) != 0)
		return "Signature expired";
	/* What STS gave works with its session token only. */
	if (str_is(id, "ASIASTANDIN")) {
		secret = "standin-sts-secret";
		if (!str_is(strict_header(r, "x-amz-security-token"), "standin-sts-session"))
			return "The security token included in the request is invalid.";
	}
	if (secret == NULL)
		return NULL;
	add_canonical(&text, r, headers);
	sha256(buf_str(&text), digest);
	rest = (struct str){ id.p + id.n + 1, scope.n - id.n - 1 };
	buf_addf(
	    &to_sign, "AWS4-HMAC-SHA256\n%.*s\n%.*s\n", (int)date.n, date.p, (int)rest.n, rest.p);
	add_hex(&to_sign, digest, sizeof(digest));
	snprintf(first, sizeof(first), "AWS4%s", secret);
	hmac(first, strlen(first), part[0], key);
	for (size_t i = 1; i < 4; i++)
		hmac(key, sizeof(key), part[i], key);
	hmac(key, sizeof(key), buf_str(&to_sign), digest);
	add_hex(&hex, digest, sizeof(digest));
	if (!str_is(between(auth, "Signature=", ","), buf_text(&hex)))
		why = "The request signature we calculated does not match the signature you "
		      "provided.";
	buf_clear(&text);
	buf_clear(&to_sign);
	buf_clear(&hex);
	return why;
}

/* Base64 of either alphabet, padded or not; false when it is none. */
static bool
decode(struct str in, struct buf *out)
{
	char *padded, *to = buf_reserve(out, in.n + 8);
	int pads = 0, n;

	if (to == NULL)
		return false;
	padded = xcalloc(1, in.n + 8);
	memcpy(padded, in.p, in.n);
	while (in.n > 0 && padded[in.n - 1] == '=')
		in.n--;
	for (size_t i = 0; i < in.n; i++)
		padded[i] = padded[i] == '-' ? '+' : padded[i] == '_' ? '/' : padded[i];
	for (; (in.n + (size_t)pads) % 4; pads++)
		padded[in.n + (size_t)pads] = '=';
	n = EVP_DecodeBlock((unsigned char *)to, (unsigned char *)padded, (int)in.n + pads) - pads;
	free(padded);
	if (n < 0)
		return false;
	buf_commit(out, (size_t)n);
	return true;
}

static bool
verifies(const struct strict *strict, struct str data, struct str base64)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct buf signature = BUF_INIT(TEXT_MAX);
	bool ok = decode(base64, &signature) &&
		  EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, strict->public_key) == 1 &&
		  EVP_DigestVerify(ctx, (unsigned char *)buf_text(&signature), signature.len,
		      (const unsigned char *)data.p, data.n) == 1;

	EVP_MD_CTX_free(ctx);
	buf_clear(&signature);
	return ok;
}

static const char *
refuse_oci(const struct strict *strict, const struct request *r)
{
	struct str auth = strict_header(r, "authorization"), rest, name, digest;
	struct str headers = between(auth, "headers=\"", "\"");
	struct buf text = BUF_INIT(TEXT_MAX), body = BUF_INIT(64);
	unsigned char sum[32];
	bool ok;

	if (!str_starts(auth, "Signature version=\"1\",") ||
	    between(auth, "keyId=\"", "\"").n == 0 ||
	    !str_is(between(auth, "algorithm=\"", "\""), "rsa-sha256"))
		return "The required information to complete authentication was not provided.";
	for (rest = headers; next_part(&rest, ' ', &name);) {
		char plain[128];

		snprintf(plain, sizeof(plain), "%.*s", (int)name.n, name.p);
		buf_addf(&text, "%s%s: ", text.len ? "\n" : "", plain);
		if (strcmp(plain, "(request-target)") == 0)
			buf_addf(&text, "%s %.*s", str_is(r->method, "GET") ? "get" : "post",
			    (int)r->target.n, r->target.p);
		else
			buf_add_str(&text, strict_header(r, plain));
	}
	digest = strict_header(r, "x-content-sha256");
	sha256(r->body, sum);
	ok =
	    (r->body.n == 0 || (decode(digest, &body) && body.len == sizeof(sum) &&
				   memcmp(buf_text(&body), sum, sizeof(sum)) == 0 &&
				   memmem(headers.p, headers.n, "x-content-sha256", 16) != NULL)) &&
	    memmem(headers.p, headers.n, "date (request-target) host", 26) != NULL &&
	    (strict->public_key == NULL ||
		verifies(strict, buf_str(&text), between(auth, "signature=\"", "\"")));
	buf_clear(&text);
	buf_clear(&body);
	return ok ? NULL : "Failed to verify the HTTP(S) Signature";
}

static int64_t
claim(struct str claims, const char *name)
{
	struct str value;
	char text[32];

	if (!request_json_member(claims, name, &value))
		return 0;
	snprintf(text, sizeof(text), "%.*s", (int)value.n, value.p);
	return strtoll(text, NULL, 10);
}

static const char *
refuse_jwt(const struct strict *strict, const struct request *r, int64_t now_s)
{
	struct str jwt, grant, rest, part[3];
	struct buf head = BUF_INIT(TEXT_MAX), claims = BUF_INIT(TEXT_MAX);
	struct str alg = { "", 0 }, aud = { "", 0 };
	const char *why = NULL;
	size_t n = 0;

	if (!request_query_field(r->body, "grant_type", &grant) ||
	    !request_query_field(r->body, "assertion", &jwt) ||
	    memmem(grant.p, grant.n, "jwt-bearer", 10) == NULL)
		return "Bad Request";
	for (rest = jwt; n < 3 && next_part(&rest, '.', &part[n]);)
		n++;
	if (n < 3 || !decode(part[0], &head) || !decode(part[1], &claims) ||
	    !request_json_member(buf_str(&head), "alg", &alg) || !str_is(alg, "RS256"))
		why = "Invalid JWT";
	else if (!request_json_member(buf_str(&claims), "aud", &aud) || aud.n < 6 ||
		 memcmp(aud.p + aud.n - 6, "/token", 6) != 0)
		why = "Invalid JWT: audience";
	else if (claim(buf_str(&claims), "iat") > now_s + SKEW_S ||
		 claim(buf_str(&claims), "exp") < now_s ||
		 claim(buf_str(&claims), "exp") > now_s + 3600 + SKEW_S)
		why =
		    "Invalid JWT: Token must be a short-lived token and in a reasonable timeframe.";
	else if (strict->public_key != NULL &&
		 !verifies(strict, (struct str){ jwt.p, (size_t)(part[2].p - jwt.p) - 1 }, part[2]))
		why = "Invalid JWT Signature.";
	buf_clear(&head);
	buf_clear(&claims);
	return why;
}

static bool
is_secret(const struct strict *strict, struct str text)
{
	for (size_t i = 0; i < strict->n_secrets; i++)
		if (str_is(text, strict->secrets[i]))
			return true;
	return strict->n_secrets == 0 && text.n > 0;
}

/* A field of a form that holds a secret, or a JWT signed by the client's key. */
static const char *
refuse_form(const struct strict *strict, const char *field, const struct request *r)
{
	struct str value = { "", 0 }, rest, part[3];
	struct buf text = BUF_INIT(TEXT_MAX);
	char *to = buf_reserve(&text, r->body.n + 1);
	size_t n = 0;
	bool ok;

	(void)request_query_field(r->body, field, &value);
	value = request_url_decode(value, to, r->body.n + 1);
	ok = is_secret(strict, value);
	for (rest = value; !ok && n < 3 && next_part(&rest, '.', &part[n]);)
		n++;
	if (n == 3 && strict->public_key)
		ok = verifies(strict, (struct str){ value.p, (size_t)(part[2].p - value.p) - 1 },
		    part[2]);
	buf_clear(&text);
	return ok ? NULL : "The secret is not the client's.";
}

/* Authorization: Basic, of which the password or the whole is a secret. */
static const char *
refuse_basic(const struct strict *strict, const struct request *r)
{
	struct str auth = strict_header(r, "authorization"), whole;
	struct buf text = BUF_INIT(TEXT_MAX);
	const char *colon;
	bool ok = false;

	if (!str_starts(auth, "Basic "))
		return "Basic authentication is required.";
	whole = (struct str){ auth.p + 6, auth.n - 6 };
	if (decode(whole, &text)) {
		colon = memchr(buf_text(&text), ':', text.len);
		ok = is_secret(strict, whole) || (colon && is_secret(strict, str_of(colon + 1)));
	}
	buf_clear(&text);
	return ok ? NULL : "The secret is not the client's.";
}

/* A server of one's own, or a gateway, may need no key. */
static bool
is_own(struct str host)
{
	static const char *const globs[] = { "own.test*", "gw.test*", "triton.test*", "localhost*",
		"127.*", "*.internal*" };
	char text[256];

	snprintf(text, sizeof(text), "%.*s", (int)host.n, host.p);
	for (size_t i = 0; i < ARRAY_LEN(globs); i++)
		if (fnmatch(globs[i], text, 0) == 0)
			return true;
	return false;
}

static const char *const key_headers[] = { "authorization", "api-key", "x-api-key",
	"api_key", "xi-api-key", "x-goog-api-key", "x-key", "ocp-apim-subscription-key" };

/* How many different keys it holds; some send the same one twice. */
static size_t
count_keys(const struct request *r)
{
	struct str seen = { "", 0 };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(key_headers); i++) {
		struct str key = strict_header(r, key_headers[i]);

		if (str_starts(key, "Bearer "))
			key = (struct str){ key.p + 7, key.n - 7 };
		n += key.n > 0 && !str_eq(key, seen);
		if (key.n > 0)
			seen = key;
	}
	return n;
}

const char *
strict_objects(const struct strict *strict, const char *auth, const struct request *r)
{
	struct str type = r->content_type;
	char text[256];

	if (!strict->on)
		return NULL;
	if (count_keys(r) > 1)
		return "More than one key.";
	if (strict_header(r, "host").n == 0)
		return "Host is missing.";
	snprintf(text, sizeof(text), "%.*s", (int)type.n, type.p);
	if (r->body.n == 0 || (auth && *auth == '\0')) /* a server of one's own takes any */
		return NULL;
	if (type.n == 0)
		return "Content-Type is missing.";
	if ((*r->body.p == '{' || *r->body.p == '[') && strstr(text, "json") == NULL)
		return "Content-Type is not that of JSON.";
	return NULL;
}

static bool
is_azure(struct str host)
{
	static const char domain[] = ".azure.com";
	const char *colon = host.n ? memchr(host.p, ':', host.n) : NULL;
	size_t n = colon ? (size_t)(colon - host.p) : host.n;

	return n > sizeof(domain) && memcmp(host.p + n + 1 - sizeof(domain), domain, sizeof(domain) - 1) == 0;
}

/* A key of the resource's own in one of its headers, or the token that Entra's route gives. */
static const char *
refuse_azure(const struct strict *strict, const struct request *r)
{
	for (size_t i = 0; i < ARRAY_LEN(key_headers); i++) {
		struct str key = strict_header(r, key_headers[i]);
		bool bearer = str_starts(key, "Bearer ");

		if (bearer)
			key = (struct str){ key.p + 7, key.n - 7 };
		if (key.n > 0)
			return is_secret(strict, key) || (bearer && str_is(key, "standin-entra-token"))
				   ? NULL
				   : "Access denied due to invalid subscription key or wrong API endpoint.";
	}
	return "Access denied due to missing subscription key.";
}

/* "NAME: GLOB" */
static const char *
refuse_header(const char *auth, const struct request *r)
{
	const char *colon = strchr(auth, ':');
	char name[64], value[16384];
	struct str found;

	snprintf(name, sizeof(name), "%.*s", (int)(colon - auth), auth);
	found = strict_header(r, name);
	snprintf(value, sizeof(value), "%.*s", (int)found.n, found.p);
	return fnmatch(colon + 2, value, FNM_NOESCAPE) == 0 ? NULL
							    : "Invalid authentication credentials";
}

const char *
strict_refuses(
    const struct strict *strict, const char *auth, const struct request *r, int64_t now_s)
{
	char first[256];
	const char *bar;

	if (!strict->on || (auth && *auth == '\0'))
		return NULL;
	if (is_azure(strict_header(r, "host")))
		return refuse_azure(strict, r);
	if (auth == NULL)
		return count_keys(r) == 1 || is_own(strict_header(r, "host"))
			   ? NULL
			   : "You didn't provide an API key.";
	/* The first that fits; what is said is about the first. */
	if ((bar = strchr(auth, '|')) != NULL) {
		const char *why;

		snprintf(first, sizeof(first), "%.*s", (int)(bar - auth), auth);
		why = strict_refuses(strict, first, r, now_s);
		return why && strict_refuses(strict, bar + 1, r, now_s) ? why : NULL;
	}
	if (str_starts(str_of(auth), "form: "))
		return refuse_form(strict, auth + 6, r);
	if (strcmp(auth, "basic") == 0)
		return refuse_basic(strict, r);
	if (strcmp(auth, "aws") == 0)
		return refuse_aws(strict, r, now_s);
	if (strcmp(auth, "oci") == 0)
		return refuse_oci(strict, r);
	if (strcmp(auth, "jwt") == 0)
		return refuse_jwt(strict, r, now_s);
	return refuse_header(auth, r);
}

bool
strict_read_key(struct strict *strict, const char *path)
{
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return false;
	strict->public_key = PEM_read_PUBKEY(f, NULL, NULL, NULL);
	fclose(f);
	return strict->public_key != NULL;
}

void
strict_clear(struct strict *strict)
{
	EVP_PKEY_free(strict->public_key);
	strict->public_key = NULL;
}
