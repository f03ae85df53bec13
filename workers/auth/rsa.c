/* SPDX-License-Identifier: Apache-2.0 */
/* Over OpenSSL's EVP and PEM. Parsing a key takes as long as using it, so a few are kept. */
#include "workers/auth/rsa.h"

#include <openssl/evp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "shared/secret.h"
#include "workers/auth/digest.h"

#define KEPT 16
#define MAX_SIGNATURE 2048
#define MAX_PEM ((size_t)64 << 10)

static struct {
	uint8_t digest[DIGEST_LEN]; /* of the PEM */
	EVP_PKEY *key;
} kept[KEPT];

void
rsa_forget(void)
{
	for (size_t i = 0; i < KEPT; i++) {
		EVP_PKEY_free(kept[i].key);
		kept[i].key = NULL;
	}
}

static int
no_password(char *to, int size, int writing, void *wanted)
{
	*(bool *)wanted = true;
	return -1;
}

/* A config often has a PEM on one line, its line breaks as two characters. */
static void
add_pem(struct buf *b, struct str pem)
{
	for (size_t i = 0; i < pem.n; i++) {
		if (pem.p[i] == '\\' && i + 1 < pem.n && pem.p[i + 1] == 'n') {
			buf_add_char(b, '\n');
			i++;
		} else {
			buf_add_char(b, pem.p[i]);
		}
	}
}

static BIO *
open_pem(struct str pem, struct buf *text)
{
	*text = BUF_INIT(MAX_PEM);
	add_pem(text, pem);
	return buf_ok(text) ? BIO_new_mem_buf(buf_text(text), (int)text->len) : NULL;
}

static void
close_pem(BIO *bio, struct buf *text)
{
	BIO_free(bio);
	if (text->data)
		secret_wipe(text->data, text->len);
	buf_clear(text);
	ERR_clear_error();
}

static int
parse(struct str pem, EVP_PKEY **out, const char **what)
{
	struct buf text;
	bool wanted = false;
	BIO *bio = open_pem(pem, &text);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, &wanted) : NULL;

	close_pem(bio, &text);
	if (key == NULL) {
		*what = wanted ? "the private key is encrypted, and there is no password"
			       : "the private key is no PEM that can be read";
		return wanted ? ERR_DENIED : ERR_SYNTAX;
	}
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
		EVP_PKEY_free(key);
		*what = "the private key is no RSA key";
		return ERR_INVALID;
	}
	*out = key;
	return 0;
}

static int
find(struct str pem, EVP_PKEY **key, const char **what)
{
	static size_t next;
	uint8_t digest[DIGEST_LEN];
	int err;

	digest_sha256(pem, digest);
	for (size_t i = 0; i < KEPT; i++)
		if (kept[i].key && memcmp(kept[i].digest, digest, sizeof(digest)) == 0) {
			*key = kept[i].key;
			return 0;
		}
	err = parse(pem, key, what);
	if (err < 0)
		return err;
	EVP_PKEY_free(kept[next].key);
	kept[next].key = *key;
	memcpy(kept[next].digest, digest, sizeof(digest));
	next = (next + 1) % KEPT;
	return 0;
}

int
rsa_sign(struct str pem, struct str data, struct buf *signature, const char **what)
{
	const char *unwanted;
	EVP_PKEY *key;
	EVP_MD_CTX *ctx;
	unsigned char bytes[MAX_SIGNATURE];
	size_t n = sizeof(bytes);
	int err;

	if (what == NULL)
		what = &unwanted;
	err = find(pem, &key, what);
	if (err < 0)
		return err;
	ctx = EVP_MD_CTX_new();
	if (ctx == NULL || EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
	    EVP_DigestSign(ctx, bytes, &n, (const unsigned char *)data.p, data.n) != 1) {
		*what = "the private key does not sign";
		err = ERR_INVALID;
	} else {
		buf_add(signature, bytes, n);
	}
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return err;
}

int
jwt_sign(struct str pem, struct str header, struct str claims, struct buf *jwt, const char **what)
{
	struct buf signature = BUF_INIT(MAX_SIGNATURE);
	size_t start = jwt->len;
	int err;

	digest_add_base64url(jwt, header.p, header.n);
	buf_add_char(jwt, '.');
	digest_add_base64url(jwt, claims.p, claims.n);
	err = rsa_sign(
	    pem, (struct str){ buf_text(jwt) + start, jwt->len - start }, &signature, what);
	buf_add_char(jwt, '.');
	digest_add_base64url(jwt, buf_text(&signature), signature.len);
	buf_clear(&signature);
	return err;
}

int
certificate_thumbprint(struct str pem, struct buf *out)
{
	struct buf text;
	BIO *bio = open_pem(pem, &text);
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	unsigned char *der = NULL;
	uint8_t digest[20];
	int n;

	close_pem(bio, &text);
	if (certificate == NULL)
		return ERR_SYNTAX;
	n = i2d_X509(certificate, &der);
	X509_free(certificate);
	if (n <= 0)
		return ERR_SYNTAX;
	digest_sha1((struct str){ (const char *)der, (size_t)n }, digest);
	OPENSSL_free(der);
	digest_add_base64url(out, digest, sizeof(digest));
	return 0;
}

int
public_key_fingerprint(struct str pem, struct buf *out, const char **what)
{
	unsigned char *der = NULL;
	uint8_t digest[DIGEST_LEN];
	EVP_PKEY *key;
	int n, err = find(pem, &key, what);

	if (err < 0)
		return err;
	n = i2d_PUBKEY(key, &der);
	if (n <= 0) {
		*what = "the private key has no public half";
		return ERR_INVALID;
	}
	digest_sha256((struct str){ (const char *)der, (size_t)n }, digest);
	OPENSSL_free(der);
	digest_add_base64(out, digest, sizeof(digest));
	return 0;
}
