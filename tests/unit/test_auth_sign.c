/* SPDX-License-Identifier: Apache-2.0 */
/* What is signed for each request, keys that cannot sign, and the times of replies. */
#include "tests/unit/auth_keys.h"
#include "tests/unit/unit.h"

#include <string.h>

#include "workers/auth/auth.h"
#include "workers/auth/rsa.h"
#include "workers/auth/schemes.h"
#include "workers/auth/steps.h"

static struct target *
simple_target(const struct kv *secrets, size_t n, const struct kv *params, size_t n_params)
{
	struct msg_conf_target m = { .id = STR("id"),
		.provider = STR("openai"),
		.dialect = STR("openai"),
		.mode = MODE_CHAT,
		.model = STR("m"),
		.api_base = STR("https://b.test"),
		.timeout_ms = 1,
		.secrets = { (struct kv *)(uintptr_t)secrets, n },
		.params = { (struct kv *)(uintptr_t)params, n_params } };
	struct target *t;

	assert_int_equal(target_new(&m, &t), 0);
	return t;
}

static int
ask_once(const struct auth_scheme *s, const struct target *t, struct auth_exchange *x,
    struct result *why)
{
	struct build_context ctx = { .now_ms = NOW_MS };
	struct request req;
	int rc;

	request_init(&req);
	rc = s->ask(t, x, &ctx, &req, why);
	request_clear(&req);
	return rc;
}

/* The first recorded signature, through the scheme: session token, region and service as a dialect
 * gives them. */
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
	buf_add_text(&req.body, "{\"messages\": [{\"role\": \"user\", \"content\": [{\"text\": "
				"\"Hey how's it going?\"}]}], "
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
		{ STR("oci_fingerprint"), STR("aa:bb") },
		{ STR("oci_key"), str_of(auth_rsa_pem) } };
	struct target *t = simple_target(secrets, 3, params, 1);
	const struct auth_scheme *s = auth_oci(t);
	struct build_context ctx = { .now_ms = NOW_MS };
	struct auth_exchange x;
	const char *value, *signature,
	    *begin = "Signature version=\"1\",keyId=\"ocid1.tenancy.oc1..t/ocid1.user.oc1..u/"
		     "aa:bb\",algorithm=\"rsa-sha256\",headers=\"date (request-target) host "
		     "content-length content-type "
		     "x-content-sha256\",signature=\"";
	const char *to_sign =
	    "date: Sat, 21 Nov 2026 08:33:20 GMT\n(request-target): post /20231130/actions/chat\n"
	    "host: inference.generativeai.us-ashburn-1.oci.oraclecloud.com\ncontent-length: 2\n"
	    "content-type: application/json\nx-content-sha256: "
	    "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=";
	unsigned char bytes[512];
	struct request req;
	struct result why;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int n;

	request_init(&req);
	result_init(&why);
	auth_exchange_init(&x);
	assert_int_equal(ask_once(s, t, &x, &why), AUTH_DONE);
	buf_add_text(&req.url, "https://inference.generativeai.us-ashburn-1.oci.oraclecloud.com/"
			       "20231130/actions/chat");
	buf_add_text(&req.body, "{}");
	assert_int_equal(request_add_header(&req, STR("content-type"), STR("application/json")), 0);
	assert_int_equal(s->sign(t, x.credential, &ctx, &req, &why), 0);
	assert_string_equal(request_header(&req, "date").p, "Sat, 21 Nov 2026 08:33:20 GMT");
	value = request_header(&req, "authorization").p;
	assert_memory_equal(value, begin, strlen(begin));
	signature = value + strlen(begin);
	n = EVP_DecodeBlock(bytes, (const unsigned char *)signature, (int)strlen(signature) - 1);
	assert_int_equal(n, 258);
	assert_int_equal(EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, auth_rsa_key), 1);
	assert_int_equal(
	    EVP_DigestVerify(md, bytes, 256, (const unsigned char *)to_sign, strlen(to_sign)), 1);
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
	assert_int_equal(
	    rsa_sign(STR("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
		STR("x"), &out, &what),
	    ERR_SYNTAX);
	assert_string_equal(what, "the private key is no PEM that can be read");
	assert_int_equal(rsa_sign(str_of(auth_locked_pem), STR("x"), &out, &what), ERR_DENIED);
	assert_string_equal(what, "the private key is encrypted, and there is no password");
	assert_int_equal(rsa_sign(str_of(auth_ec_pem), STR("x"), &out, &what), ERR_INVALID);
	assert_string_equal(what, "the private key is no RSA key");
	for (size_t i = 0; i < 100000; i++)
		buf_add_text(&huge, "A\n");
	assert_int_equal(rsa_sign(buf_str(&huge), STR("x"), &out, &what), ERR_SYNTAX);
	assert_int_equal(certificate_thumbprint(STR("none"), &out), ERR_SYNTAX);
	assert_int_equal(certificate_thumbprint(str_of(auth_rsa_pem), &out), ERR_SYNTAX);
	assert_int_equal(certificate_thumbprint(str_of(auth_certificate_pem), &out), 0);
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
		{ "2026-11-21T09:33:20+01:00", NOW_MS }, { "2026-11-21T07:33:20-01:00", NOW_MS },
		{ "", -1 }, { "tomorrow", -1 }, { "2026-11-21", -1 },
		{ "2026-11-21T08:33:20 or so", -1 } };

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
		cmocka_unit_test(test_aws_sign),
		cmocka_unit_test(test_oci_sign),
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, auth_make_keys, auth_free_keys);
}
