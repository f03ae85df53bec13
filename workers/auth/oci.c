/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Oracle Cloud signs each request with the user's own key (draft-cavage-http-signatures-08):
 * nothing is fetched, and an RSA signature is made for each probe, because it covers the date.
 */
#include "workers/auth/schemes.h"

#include <time.h>

#include "workers/auth/digest.h"
#include "workers/auth/rsa.h"
#include "workers/auth/steps.h"

static int
identity(const struct target *t, struct buf *key, struct result *why)
{
	static const char *const parts[] = { "oci_key", "oci_tenancy", "oci_fingerprint",
		"oci_user" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		identity_add_named(key, t, parts[i]);
	return 0;
}

static struct str
either(const struct target *t, const char *name)
{
	struct str s = secret_of(t, name);

	return s.n > 0 ? s : param_of(t, name);
}

static int
ask(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	static const char *const needed[] = { "oci_user", "oci_fingerprint", "oci_tenancy",
		"oci_key" };
	struct buf signature = BUF_INIT(4096);
	const char *what = "";
	int err;

	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (either(t, needed[i]).n == 0)
			return auth_refuse(t, why, NULL, "OCI needs %s%s", needed[i],
			    i == 3 ? " or oci_key_file" : "");
	/* A key that does not sign is said once, not at each probe. */
	err = rsa_sign(secret_of(t, "oci_key"), STR("llmhealth"), &signature, &what);
	buf_clear(&signature);
	return err < 0 ? auth_refuse(t, why, NULL, "oci_key: %s", what) : AUTH_DONE;
}

static int
judge(const struct target *t, struct auth_exchange *x, const struct build_context *ctx,
    const struct response *resp, struct result *why)
{
	return auth_refuse(t, why, NULL, "OCI has no token service");
}

static void
add_to_sign(struct buf *b, const struct request *req, struct str host, struct str target,
    const char *date, const char *digest)
{
	buf_addf(b, "date: %s\n(request-target): ", date);
	for (const char *m = req->method; *m; m++)
		buf_add_char(b, (char)(*m >= 'A' && *m <= 'Z' ? *m + 32 : *m));
	buf_addf(b, " %.*s\nhost: %.*s", (int)target.n, target.p, (int)host.n, host.p);
	if (digest == NULL)
		return;
	buf_addf(b, "\ncontent-length: %zu\ncontent-type: ", req->body.len);
	buf_add_str(b, request_header(req, "content-type"));
	buf_addf(b, "\nx-content-sha256: %s", digest);
}

static int
sign(const struct target *t, const struct credential *c, const struct build_context *ctx,
    struct request *req, struct result *why)
{
	struct str url = buf_str(&req->url), host, target,
		   id[3] = { either(t, "oci_tenancy"), either(t, "oci_user"),
			   either(t, "oci_fingerprint") };
	struct buf text = BUF_INIT(16384), signature = BUF_INIT(4096), value = BUF_INIT(8192),
		   digest = BUF_INIT(64);
	bool body = strcmp(req->method, "GET") != 0 && strcmp(req->method, "DELETE") != 0;
	size_t at = str_starts(url, "https://") ? 8 : 7, n = 0;
	time_t now = (time_t)(ctx->now_ms / 1000);
	uint8_t bytes[DIGEST_LEN];
	char date[64];
	const char *what = "the request is too large";
	struct tm tm;
	int err;

	if (url.n < at)
		return auth_refuse(
		    t, why, NULL, "the request cannot be signed: its URL is not valid");
	while (at + n < url.n && !strchr("/?#", url.p[at + n]))
		n++;
	host = (struct str){ url.p + at, n };
	target = at + n < url.n ? (struct str){ url.p + at + n, url.n - at - n } : STR("/");
	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	digest_sha256(buf_str(&req->body), bytes);
	digest_add_base64(&digest, bytes, sizeof(bytes));
	add_to_sign(&text, req, host, target, date, body ? buf_text(&digest) : NULL);
	err = rsa_sign(secret_of(t, "oci_key"), buf_str(&text), &signature, &what);
	buf_addf(&value,
	    "Signature "
	    "version=\"1\",keyId=\"%.*s/%.*s/%.*s\",algorithm=\"rsa-sha256\",headers=\"date "
	    "(request-target) host%s\",signature=\"",
	    (int)id[0].n, id[0].p, (int)id[1].n, id[1].p, (int)id[2].n, id[2].p,
	    body ? " content-length content-type x-content-sha256" : "");
	digest_add_base64(&value, buf_text(&signature), signature.len);
	buf_add_char(&value, '"');
	if (err == 0 && (!buf_ok(&text) || !buf_ok(&value)))
		err = ERR_LIMIT;
	if (err == 0)
		err = request_add_header(req, STR("Date"), str_of(date));
	if (err == 0 && body)
		err = request_add_header(req, STR("X-Content-SHA256"), buf_str(&digest));
	if (err == 0)
		err = request_add_header(req, STR("Authorization"), buf_str(&value));
	buf_clear(&text);
	buf_clear(&signature);
	buf_clear(&value);
	buf_clear(&digest);
	return err < 0 ? auth_refuse(t, why, NULL, "the request cannot be signed: %s", what) : 0;
}

static const struct auth_scheme oci = { "oci", identity, ask, judge, sign };

const struct auth_scheme *
auth_oci(const struct target *t)
{
	return &oci;
}
