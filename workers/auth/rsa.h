/* SPDX-License-Identifier: Apache-2.0 */
/* RSA keys and certificates in PEM, and what is signed with them. */
#ifndef WORKERS_AUTH_RSA_H
#define WORKERS_AUTH_RSA_H

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/str.h"

/*
 * Appends the RSA-SHA256 (PKCS #1 v1.5) signature of the data. ERR_SYNTAX when the PEM holds no
 * private key, ERR_DENIED when it wants a password, ERR_INVALID when it is no RSA key; *what (may
 * be NULL) then says so: "the private key is no PEM", static. A key that was parsed is kept for the
 * next time.
 */
int rsa_sign(struct str pem, struct str data, struct buf *signature, const char **what) MUST_CHECK;

/* Appends header.claims.signature; both are JSON objects. Errors as above. */
int jwt_sign(struct str pem, struct str header, struct str claims, struct buf *jwt,
    const char **what) MUST_CHECK;

/* Appends the SHA-1 digest of the PEM's first certificate, base64url. ERR_SYNTAX when there is
 * none. */
int certificate_thumbprint(struct str pem, struct buf *out) MUST_CHECK;
/* Appends the base64 SHA-256 digest of the public key of a private one (DER). Errors as rsa_sign().
 */
int public_key_fingerprint(struct str pem, struct buf *out, const char **what) MUST_CHECK;

/* Forgets the keys that are kept: for tests. */
void rsa_forget(void);

#endif
