/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The auth schemes against tests/fixtures/auth/exchanges.json: what a target is asked step by step, what is
 * made of good answers, and what is said of bad ones. Keys and certificates are made here.
 */
#include "tests/unit/fixture.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "workers/auth/auth.h"
#include "workers/auth/digest.h"
#include "workers/auth/rsa.h"
#include "workers/auth/schemes.h"
#include "workers/auth/steps.h"

#define NOW_MS INT64_C(1795250000000) /* 2026-11-21T08:33:20Z */
#define MAX_PAIRS 24

static size_t wrong;
#define WRONG(...) (print_error(__VA_ARGS__), print_error("\n"), wrong++)

static char *rsa_pem, *ec_pem, *locked_pem, *certificate_pem;
static EVP_PKEY *rsa_key;

static const struct {
	const char *name;
	const struct auth_scheme *(*scheme)(const struct target *t);
} schemes[] = {
	{ "aws", auth_aws },
	{ "chatgpt", auth_chatgpt },
	{ "databricks", auth_databricks },
	{ "entra", auth_entra },
	{ "gigachat", auth_gigachat },
	{ "github_copilot", auth_github_copilot },
	{ "google", auth_google },
	{ "ibm_iam", auth_ibm_iam },
	{ "oci", auth_oci },
	{ "sap", auth_sap },
	{ "snowflake", auth_snowflake },
};

/* ---- keys ---- */

static char *
take_bio(BIO *bio)
{
	char *data, *copy;
	long n = BIO_get_mem_data(bio, &data);

	copy = str_dup((struct str){ data, (size_t)n });
	BIO_free(bio);
	return copy;
}

static char *
pem_of(EVP_PKEY *key, bool locked)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, locked ? EVP_aes_128_cbc() : NULL,
			     locked ? (const unsigned char *)"pw" : NULL, locked ? 2 : 0, NULL, NULL), 1);
	return take_bio(bio);
}

static char *
make_certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *pem, *both;
	struct buf b = BUF_INIT(65536);

	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	X509_free(x);
	pem = take_bio(bio);
	both = pem_of(key, false);
	buf_addf(&b, "%s%s", both, pem);
	free(pem);
	free(both);
	return buf_take(&b);
}

static int
make_keys(void **state)
{
	EVP_PKEY *ec = EVP_EC_gen("P-256");

	rsa_key = EVP_RSA_gen(2048);
	assert_non_null(rsa_key);
	rsa_pem = pem_of(rsa_key, false);
	locked_pem = pem_of(rsa_key, true);
	ec_pem = pem_of(ec, false);
	certificate_pem = make_certificate(rsa_key);
	EVP_PKEY_free(ec);
	return 0;
}

static int
free_keys(void **state)
{
	EVP_PKEY_free(rsa_key);
	free(rsa_pem);
	free(locked_pem);
	free(ec_pem);
	free(certificate_pem);
	rsa_forget();
	return 0;
}

/* ---- fixtures ---- */

/* "{{RSA}}" and its like in a fixture stand for what was made; in JSON its line breaks are escaped. */
static char *
filled(const char *text)
{
	const struct {
		const char *name, *value;
	} rows[] = { { "{{RSA}}", rsa_pem }, { "{{EC}}", ec_pem }, { "{{LOCKED}}", locked_pem },
		{ "{{CERTIFICATE}}", certificate_pem } };
	struct buf b = BUF_INIT((size_t)1 << 20);
	bool json = *text == '{' && text[1] != '{';

	while (*text) {
		size_t i;

		for (i = 0; i < ARRAY_LEN(rows) && strncmp(text, rows[i].name, strlen(rows[i].name)) != 0; i++)
			;
		if (i == ARRAY_LEN(rows)) {
			buf_add_char(&b, *text++);
			continue;
		}
		for (const char *p = rows[i].value; *p; p++)
			if (*p == '\n' && json)
				buf_add_text(&b, "\\n");
			else
				buf_add_char(&b, *p);
		text += strlen(rows[i].name);
	}
	return buf_take(&b);
}

struct owned {
	struct kv v[MAX_PAIRS];
	char *texts[MAX_PAIRS];
	size_t n;
};

static void
fill_pairs(struct owned *o, const json_t *object)
{
	const char *key;
	json_t *value;

	o->n = 0;
	json_object_foreach((json_t *)object, key, value) {
		char *dumped = json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT);

		assert_true(o->n < MAX_PAIRS);
		o->texts[o->n] = filled(dumped ? dumped : json_string_value(value));
		o->v[o->n] = (struct kv){ str_of(key), str_of(o->texts[o->n]) };
		o->n++;
		free(dumped);
	}
}

static void
free_pairs(struct owned *o)
{
	for (size_t i = 0; i < o->n; i++)
		free(o->texts[i]);
}

static struct target *
target_of(const json_t *one)
{
	struct owned params, secrets;
	const char *provider = fixture_text(one, "provider"), *base = fixture_text(one, "api_base");
	struct target *t;

	fill_pairs(&params, json_object_get(one, "params"));
	fill_pairs(&secrets, json_object_get(one, "secrets"));
	struct msg_conf_target m = { .id = STR("id"), .provider = str_of(*provider ? provider : "openai"),
		.dialect = STR("openai"), .mode = MODE_CHAT, .model = STR("m"),
		.api_base = str_of(*base ? base : "https://base.test"), .timeout_ms = 1000,
		.params = { params.v, params.n }, .secrets = { secrets.v, secrets.n } };

	assert_int_equal(target_new(&m, &t), 0);
	free_pairs(&params);
	free_pairs(&secrets);
	return t;
}

static const struct auth_scheme *
scheme_of(const json_t *one, const struct target *t)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strcmp(schemes[i].name, fixture_text(one, "scheme")) == 0)
			return schemes[i].scheme(t);
	fail_msg("%s: no such scheme", fixture_text(one, "case"));
	return NULL;
}

static struct str
no_header(const struct response *r, const char *name)
{
	return STR("");
}

/* ---- JWTs ---- */

static void
decode_base64url(struct str s, struct buf *out)
{
	struct buf padded = BUF_INIT(65536);
	unsigned char bytes[49152];
	int n;

	for (size_t i = 0; i < s.n; i++)
		buf_add_char(&padded, s.p[i] == '-' ? '+' : s.p[i] == '_' ? '/' : s.p[i]);
	while (padded.len % 4)
		buf_add_char(&padded, '=');
	n = EVP_DecodeBlock(bytes, (const unsigned char *)buf_text(&padded), (int)padded.len);
	assert_true(n > 0);
	/* without what the padding stands for */
	buf_add(out, bytes, s.n * 3 / 4);
	buf_clear(&padded);
}

/* Whether the text between is a JWT of our key; its header and claims are appended to `said`. */
static bool
is_jwt(struct str jwt, struct buf *said)
{
	const char *dot = memchr(jwt.p, '.', jwt.n), *dot2;
	struct buf signature = BUF_INIT(4096);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool right;

	assert_non_null(dot);
	dot2 = memchr(dot + 1, '.', (size_t)(jwt.p + jwt.n - dot - 1));
	assert_non_null(dot2);
	decode_base64url((struct str){ jwt.p, (size_t)(dot - jwt.p) }, said);
	decode_base64url((struct str){ dot + 1, (size_t)(dot2 - dot - 1) }, said);
	decode_base64url((struct str){ dot2 + 1, (size_t)(jwt.p + jwt.n - dot2 - 1) }, &signature);
	right = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, rsa_key) == 1 &&
		EVP_DigestVerify(ctx, (const unsigned char *)buf_text(&signature), signature.len,
		    (const unsigned char *)jwt.p, (size_t)(dot2 - jwt.p)) == 1;
	EVP_MD_CTX_free(ctx);
	buf_clear(&signature);
	return right;
}

/*
 * Compares with a text in which {{JWT}} stands for any of our key, {{HEX64}} for a signature, {{UUID}} for an
 * id. What JWTs say is appended to `said`.
 */
static bool
matches(struct str got, const char *wanted, struct buf *said)
{
	while (*wanted) {
		size_t n = 0;

		if (strncmp(wanted, "{{JWT}}", 7) == 0) {
			while (n < got.n && got.p[n] != '&')
				n++;
			if (!is_jwt((struct str){ got.p, n }, said))
				return false;
			wanted += 7;
		} else if (strncmp(wanted, "{{HEX64}}", 9) == 0) {
			n = 64;
			if (got.n < n || strspn(got.p, "0123456789abcdef") < n)
				return false;
			wanted += 9;
		} else if (strncmp(wanted, "{{UUID}}", 8) == 0) {
			n = 36;
			if (got.n < n || got.p[14] != '4')
				return false;
			wanted += 8;
		} else {
			n = 1;
			if (got.n == 0 || *got.p != *wanted)
				return false;
			wanted++;
		}
		got.p += n;
		got.n -= n;
	}
	return got.n == 0;
}

/* ---- one case ---- */

static void
check_request(const char *name, const json_t *step, const struct request *req, const struct auth_exchange *x,
    struct buf *said)
{
	const json_t *headers = json_object_get(step, "headers");
	const char *header, *method = fixture_text(step, "method");
	json_t *value;

	if (strcmp(req->method, *method ? method : "POST") != 0)
		WRONG("%s: the method is %s", name, req->method);
	if (!matches(buf_str(&req->url), fixture_text(step, "url"), said))
		WRONG("%s: the URL is %s", name, buf_text(&req->url));
	if (!matches(buf_str(&req->body), fixture_text(step, "body"), said))
		WRONG("%s: the body is %s", name, buf_text(&req->body));
	json_object_foreach((json_t *)headers, header, value)
		if (!matches(request_header(req, header), json_string_value(value), said))
			WRONG("%s: %s is %s", name, header, request_header(req, header).p);
	if (x->metadata != json_is_true(json_object_get(step, "metadata")))
		WRONG("%s: metadata is %d", name, x->metadata);
}

static void
check_credential(const char *name, const json_t *wanted, const struct credential *c)
{
	const struct {
		const char *key;
		struct str got;
	} rows[] = {
		{ "token", secret_reveal(c->token) },
		{ "access_key", secret_reveal(c->access_key) },
		{ "secret_key", secret_reveal(c->secret_key) },
		{ "session_token", secret_reveal(c->session_token) },
		{ "base", str_of(c->base) },
		{ "account", str_of(c->account) },
	};
	struct buf said = BUF_INIT(65536);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!matches(rows[i].got, fixture_text(wanted, rows[i].key), &said))
			WRONG("%s: %s is %.*s", name, rows[i].key, (int)rows[i].got.n, rows[i].got.p);
	if (*fixture_text(wanted, "says") && !strstr(buf_text(&said), fixture_text(wanted, "says")))
		WRONG("%s: the token says %s", name, buf_text(&said));
	if (c->expires_ms != (json_object_get(wanted, "expires_in_s") ?
		NOW_MS + json_integer_value(json_object_get(wanted, "expires_in_s")) * 1000 : 0))
		WRONG("%s: expires in %lld ms", name, (long long)(c->expires_ms - NOW_MS));
	buf_clear(&said);
}

/* Runs the steps; returns what the last of them said. */
static int
run_steps(const json_t *one, const struct target *t, const struct auth_scheme *scheme, struct auth_exchange *x,
    struct result *why)
{
	const char *name = fixture_text(one, "case");
	const json_t *steps = json_object_get(one, "steps");
	struct build_context ctx = { .now_ms = NOW_MS };
	struct buf said = BUF_INIT(65536);
	struct request req;
	size_t i = 0;
	int rc;

	request_init(&req);
	for (;;) {
		const json_t *step = json_array_get(steps, i), *reply = json_object_get(step, "reply");
		struct response resp = { .header = no_header };
		char *dumped = NULL;

		request_reset(&req);
		rc = scheme->ask(t, x, &ctx, &req, why);
		if (rc == AUTH_READ && strcmp(buf_text(&x->path), fixture_text(one, "path")) == 0) {
			x->file = fixture_str(one, "file");
			rc = scheme->ask(t, x, &ctx, &req, why);
			x->file = (struct str){ NULL, 0 };
		}
		if (rc != AUTH_SEND)
			break;
		if (step == NULL) {
			WRONG("%s: it asks once more, %s", name, buf_text(&req.url));
			break;
		}
		check_request(name, step, &req, x, &said);
		x->step++;
		i++;
		resp.status = (int)json_integer_value(json_object_get(step, "status"));
		if (resp.status == 0)
			resp.status = 200;
		if (reply && !json_is_string(reply))
			resp.body = str_of(dumped = json_dumps(reply, JSON_COMPACT));
		else
			resp.body = fixture_str(step, "reply");
		rc = scheme->judge(t, x, &ctx, &resp, why);
		free(dumped);
		if (rc != AUTH_MORE)
			break;
	}
	if (i != json_array_size(steps))
		WRONG("%s: only %zu steps were made", name, i);
	if (*fixture_text(one, "says") && !strstr(buf_text(&said), fixture_text(one, "says")))
		WRONG("%s: it says %s", name, buf_text(&said));
	request_clear(&req);
	buf_clear(&said);
	return rc;
}

static void
check_case(const json_t *one)
{
	const char *name = fixture_text(one, "case"), *failure = fixture_text(one, "failure");
	struct target *t = target_of(one);
	const struct auth_scheme *scheme = scheme_of(one, t);
	struct buf key = BUF_INIT((size_t)1 << 20);
	struct auth_exchange x;
	struct result why;
	int rc;

	if (json_is_true(json_object_get(one, "none"))) {
		if (scheme)
			WRONG("%s: a scheme is named", name);
		target_free(t);
		return;
	}
	if (scheme == NULL) {
		WRONG("%s: no scheme", name);
		target_free(t);
		return;
	}
	result_init(&why);
	auth_exchange_init(&x);
	if (scheme->identity(t, &key, &why) != 0 || key.len == 0)
		WRONG("%s: no identity", name);
	rc = run_steps(one, t, scheme, &x, &why);
	if (*failure) {
		if (rc >= 0)
			WRONG("%s: it does not fail", name);
		else if (strcmp(buf_text(&why.detail), failure) != 0)
			WRONG("%s: it says `%s`", name, buf_text(&why.detail));
		if (rc < 0 && (why.reason != REASON_AUTH || why.error.len == 0))
			WRONG("%s: reason %d", name, (int)why.reason);
	} else if (rc != AUTH_DONE) {
		WRONG("%s: it says %d, `%s`", name, rc, buf_text(&why.detail));
	} else {
		check_credential(name, json_object_get(one, "credential"), x.credential);
	}
	auth_exchange_clear(&x);
	result_clear(&why);
	buf_clear(&key);
	target_free(t);
}

static void
test_exchanges(void **state)
{
	json_t *list = fixture_load("tests/fixtures/auth/exchanges.json"), *one;
	size_t i;

	wrong = 0;
	json_array_foreach(list, i, one)
		check_case(one);
	assert_int_equal(wrong, 0);
	json_decref(list);
}

/* ---- signing ---- */

static struct target *
simple_target(const struct kv *secrets, size_t n, const struct kv *params, size_t n_params)
{
	struct msg_conf_target m = { .id = STR("id"), .provider = STR("openai"), .dialect = STR("openai"),
		.mode = MODE_CHAT, .model = STR("m"), .api_base = STR("https://b.test"), .timeout_ms = 1,
		.secrets = { (struct kv *)(uintptr_t)secrets, n },
		.params = { (struct kv *)(uintptr_t)params, n_params } };
	struct target *t;

	assert_int_equal(target_new(&m, &t), 0);
	return t;
}

static int
ask_once(const struct auth_scheme *s, const struct target *t, struct auth_exchange *x, struct result *why)
{
	struct build_context ctx = { .now_ms = NOW_MS };
	struct request req;
	int rc;

	request_init(&req);
	rc = s->ask(t, x, &ctx, &req, why);
	request_clear(&req);
	return rc;
}

/* The first recorded signature, through the scheme: session token, region and service as a dialect gives them. */
static void
test_aws_sign(void **state)
{
	const struct kv secrets[] = { { STR("aws_access_key_id"), STR("AKIATEST") },
		{ STR("aws_secret_access_key"), STR("SECRETTEST") } };
	struct target *t = simple_target(secrets, 2, NULL, 0);
	const struct auth_scheme *s = auth_aws(t);
	struct build_context ctx = { .now_ms = INT64_C(1795231823000) };
	struct auth_exchange x;
	struct request req;
	struct result why;

	request_init(&req);
	result_init(&why);
	auth_exchange_init(&x);
	assert_int_equal(ask_once(s, t, &x, &why), AUTH_DONE);
	buf_add_text(&req.url, "https://bedrock-runtime.us-west-2.amazonaws.com"
		"/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse");
	buf_add_text(&req.body, "{\"messages\": [{\"role\": \"user\", \"content\": [{\"text\": \"Hey how's it going?\"}]}], "
		"\"inferenceConfig\": {\"maxTokens\": 16}}");
	assert_int_equal(request_add_header(&req, STR("content-type"), STR("application/json")), 0);
	assert_int_equal(request_add_header(&req, STR("Accept"), STR("*/*")), 0);
	/* A dialect that names no region is a mistake, not a crash. */
	assert_int_equal(s->sign(t, x.credential, &ctx, &req, &why), ERR_DENIED);
	req.sign_service = "bedrock";
	buf_add_text(&req.sign_region, "us-west-2");
	assert_int_equal(s->sign(t, x.credential, &ctx, &req, &why), 0);
	assert_string_equal(request_header(&req, "x-amz-date").p, "20261121T033023Z");
	assert_non_null(strstr(request_header(&req, "authorization").p,
	    "Signature=05b8db508cda4419a6ca7f959c971818f2c04249bb8033e47f38baa923254ca9"));
	assert_int_equal(request_header(&req, "x-amz-security-token").n, 0);
	auth_exchange_clear(&x);
	result_clear(&why);
	request_clear(&req);
	target_free(t);
}

static void
test_oci_sign(void **state)
{
	const struct kv params[] = { { STR("oci_user"), STR("ocid1.user.oc1..u") } };
	const struct kv secrets[] = { { STR("oci_tenancy"), STR("ocid1.tenancy.oc1..t") },
		{ STR("oci_fingerprint"), STR("aa:bb") }, { STR("oci_key"), str_of(rsa_pem) } };
	struct target *t = simple_target(secrets, 3, params, 1);
	const struct auth_scheme *s = auth_oci(t);
	struct build_context ctx = { .now_ms = NOW_MS };
	struct auth_exchange x;
	const char *value, *signature, *begin = "Signature version=\"1\",keyId=\"ocid1.tenancy.oc1..t/ocid1.user.oc1..u/"
		"aa:bb\",algorithm=\"rsa-sha256\",headers=\"date (request-target) host content-length content-type "
		"x-content-sha256\",signature=\"";
	const char *to_sign = "date: Sat, 21 Nov 2026 08:33:20 GMT\n(request-target): post /20231130/actions/chat\n"
		"host: inference.generativeai.us-ashburn-1.oci.oraclecloud.com\ncontent-length: 2\n"
		"content-type: application/json\nx-content-sha256: RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=";
	unsigned char bytes[512];
	struct request req;
	struct result why;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int n;

	request_init(&req);
	result_init(&why);
	auth_exchange_init(&x);
	assert_int_equal(ask_once(s, t, &x, &why), AUTH_DONE);
	buf_add_text(&req.url, "https://inference.generativeai.us-ashburn-1.oci.oraclecloud.com/20231130/actions/chat");
	buf_add_text(&req.body, "{}");
	assert_int_equal(request_add_header(&req, STR("content-type"), STR("application/json")), 0);
	assert_int_equal(s->sign(t, x.credential, &ctx, &req, &why), 0);
	assert_string_equal(request_header(&req, "date").p, "Sat, 21 Nov 2026 08:33:20 GMT");
	value = request_header(&req, "authorization").p;
	assert_memory_equal(value, begin, strlen(begin));
	signature = value + strlen(begin);
	n = EVP_DecodeBlock(bytes, (const unsigned char *)signature, (int)strlen(signature) - 1);
	assert_int_equal(n, 258);
	assert_int_equal(EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, rsa_key), 1);
	assert_int_equal(EVP_DigestVerify(md, bytes, 256, (const unsigned char *)to_sign, strlen(to_sign)), 1);
	EVP_MD_CTX_free(md);
	auth_exchange_clear(&x);
	result_clear(&why);
	request_clear(&req);
	target_free(t);
}

/* A PEM that does not parse, is locked, of another kind, or huge: a clear reason each. */
static void
test_bad_keys(void **state)
{
	struct buf out = BUF_INIT(4096), huge = BUF_INIT((size_t)1 << 20);
	const char *what = NULL;

	assert_int_equal(rsa_sign(STR(""), STR("x"), &out, &what), ERR_SYNTAX);
	assert_int_equal(rsa_sign(STR("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), STR("x"), &out,
			     &what), ERR_SYNTAX);
	assert_string_equal(what, "the private key is no PEM that can be read");
	assert_int_equal(rsa_sign(str_of(locked_pem), STR("x"), &out, &what), ERR_DENIED);
	assert_string_equal(what, "the private key is encrypted, and there is no password");
	assert_int_equal(rsa_sign(str_of(ec_pem), STR("x"), &out, &what), ERR_INVALID);
	assert_string_equal(what, "the private key is no RSA key");
	for (size_t i = 0; i < 100000; i++)
		buf_add_text(&huge, "A\n");
	assert_int_equal(rsa_sign(buf_str(&huge), STR("x"), &out, &what), ERR_SYNTAX);
	assert_int_equal(certificate_thumbprint(STR("none"), &out), ERR_SYNTAX);
	assert_int_equal(certificate_thumbprint(str_of(rsa_pem), &out), ERR_SYNTAX);
	assert_int_equal(certificate_thumbprint(str_of(certificate_pem), &out), 0);
	assert_int_equal(out.len, 27);
	buf_clear(&out);
	buf_clear(&huge);
}

static void
test_times(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = { { "2026-11-21T08:33:20Z", NOW_MS }, { "2026-11-21T08:33:20.123Z", NOW_MS },
		{ "2026-11-21T09:33:20+01:00", NOW_MS }, { "2026-11-21T07:33:20-01:00", NOW_MS }, { "", -1 },
		{ "tomorrow", -1 }, { "2026-11-21", -1 }, { "2026-11-21T08:33:20 or so", -1 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(time_iso8601(str_of(cases[i].text)), cases[i].ms);
	assert_int_equal(time_seconds(STR("3600")), 3600000);
	assert_int_equal(time_seconds(STR("3599.5")), 3599000);
	assert_int_equal(time_seconds(STR("-1")), -1);
	assert_int_equal(time_seconds(STR("1e9")), -1);
	assert_int_equal(time_seconds(STR("99999999999999999999999999")), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchanges),
		cmocka_unit_test(test_aws_sign),
		cmocka_unit_test(test_oci_sign),
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
