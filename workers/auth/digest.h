/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and HMAC over OpenSSL, hex, base64 and base64url: what signing needs. */
#ifndef WORKERS_AUTH_DIGEST_H
#define WORKERS_AUTH_DIGEST_H

#include <stdint.h>

#include "shared/buf.h"
#include "shared/str.h"

#define DIGEST_LEN 32

void digest_sha256(struct str data, uint8_t out[DIGEST_LEN]);
void digest_sha1(struct str data, uint8_t out[20]);
void digest_hmac_sha256(struct str key, struct str data, uint8_t out[DIGEST_LEN]);

/* Append. */
void digest_add_hex(struct buf *b, const uint8_t *p, size_t n);
void digest_add_base64(struct buf *b, const void *p, size_t n);
/* RFC 4648 section 5, without padding. */
void digest_add_base64url(struct buf *b, const void *p, size_t n);

#endif
