/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/auth_keys.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "workers/auth/rsa.h"

char *auth_rsa_pem, *auth_ec_pem, *auth_locked_pem, *auth_certificate_pem;
EVP_PKEY *auth_rsa_key;

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

	assert_int_equal(
	    PEM_write_bio_PrivateKey(bio, key, locked ? EVP_aes_128_cbc() : NULL,
		locked ? (const unsigned char *)"pw" : NULL, locked ? 2 : 0, NULL, NULL),
	    1);
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

int
auth_make_keys(void **state)
{
	EVP_PKEY *ec = EVP_EC_gen("P-256");

	auth_rsa_key = EVP_RSA_gen(2048);
	assert_non_null(auth_rsa_key);
	auth_rsa_pem = pem_of(auth_rsa_key, false);
	auth_locked_pem = pem_of(auth_rsa_key, true);
	auth_ec_pem = pem_of(ec, false);
	auth_certificate_pem = make_certificate(auth_rsa_key);
	EVP_PKEY_free(ec);
	return 0;
}

int
auth_free_keys(void **state)
{
	EVP_PKEY_free(auth_rsa_key);
	free(auth_rsa_pem);
	free(auth_locked_pem);
	free(auth_ec_pem);
	free(auth_certificate_pem);
	rsa_forget();
	return 0;
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

bool
auth_is_jwt(struct str jwt, struct buf *said)
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
	right = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, auth_rsa_key) == 1 &&
		EVP_DigestVerify(ctx, (const unsigned char *)buf_text(&signature), signature.len,
		    (const unsigned char *)jwt.p, (size_t)(dot2 - jwt.p)) == 1;
	EVP_MD_CTX_free(ctx);
	buf_clear(&signature);
	return right;
}
