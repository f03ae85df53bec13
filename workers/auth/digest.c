/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC is made here of two digests: OpenSSL's own costs several times as much for each short text.
 */
#include "workers/auth/digest.h"

#include <openssl/evp.h>
#include <string.h>

#include "shared/log.h"
#include "shared/secret.h"

#define BLOCK 64

/* Fetched once: looking an algorithm up costs more than a digest. */
static EVP_MD *sha256_algorithm;
static EVP_MD_CTX *context;

static void
begin(void)
{
	if (context == NULL) {
		sha256_algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
		context = EVP_MD_CTX_new();
		if (sha256_algorithm == NULL || context == NULL)
			fatal("no SHA-256");
	}
	if (EVP_DigestInit_ex2(context, sha256_algorithm, NULL) != 1)
		fatal("SHA-256 does not begin");
}

static void
more(const void *p, size_t n)
{
	if (n > 0 && EVP_DigestUpdate(context, p, n) != 1)
		fatal("SHA-256 takes no more");
}

static void
end(uint8_t out[DIGEST_LEN])
{
	if (EVP_DigestFinal_ex(context, out, NULL) != 1)
		fatal("SHA-256 does not end");
}

void
digest_sha256(struct str data, uint8_t out[DIGEST_LEN])
{
	begin();
	more(data.p, data.n);
	end(out);
}

void
digest_sha1(struct str data, uint8_t out[20])
{
	if (EVP_Digest(data.p, data.n, out, NULL, EVP_sha1(), NULL) != 1)
		fatal("no SHA-1");
}

/* RFC 2104 */
void
digest_hmac_sha256(struct str key, struct str data, uint8_t out[DIGEST_LEN])
{
	uint8_t pad[BLOCK] = { 0 };

	if (key.n > BLOCK)
		digest_sha256(key, pad);
	else if (key.n > 0)
		memcpy(pad, key.p, key.n);
	for (size_t i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36;
	begin();
	more(pad, BLOCK);
	more(data.p, data.n);
	end(out);
	for (size_t i = 0; i < BLOCK; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	begin();
	more(pad, BLOCK);
	more(out, DIGEST_LEN);
	end(out);
	secret_wipe(pad, sizeof(pad));
}

void
digest_add_hex(struct buf *b, const uint8_t *p, size_t n)
{
	char *to = buf_reserve(b, n * 2);

	if (to == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		*to++ = "0123456789abcdef"[p[i] >> 4];
		*to++ = "0123456789abcdef"[p[i] & 15];
	}
	buf_commit(b, n * 2);
}

void
digest_add_base64(struct buf *b, const void *p, size_t n)
{
	char *to = buf_reserve(b, (n + 2) / 3 * 4 + 1);

	if (to)
		buf_commit(b, (size_t)EVP_EncodeBlock((unsigned char *)to, p, (int)n));
}

void
digest_add_base64url(struct buf *b, const void *p, size_t n)
{
	size_t start = b->len;

	digest_add_base64(b, p, n);
	for (size_t i = start; i < b->len; i++) {
		if (b->data[i] == '+')
			b->data[i] = '-';
		else if (b->data[i] == '/')
			b->data[i] = '_';
		else if (b->data[i] == '=') {
			b->len = i;
			b->data[i] = '\0';
		}
	}
}
