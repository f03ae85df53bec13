/* SPDX-License-Identifier: Apache-2.0 */
/* Keys and certificates for the tests of auth, made anew in each run, and the check of what they
 * signed. */
#ifndef TESTS_UNIT_AUTH_KEYS_H
#define TESTS_UNIT_AUTH_KEYS_H

#include <openssl/evp.h>

#include "shared/buf.h"
#include "shared/str.h"

#define NOW_MS INT64_C(1795250000000) /* 2026-11-21T08:33:20Z */

/* An RSA key, one of another kind, one that wants a password, one with its certificate. */
extern char *auth_rsa_pem, *auth_ec_pem, *auth_locked_pem, *auth_certificate_pem;
extern EVP_PKEY *auth_rsa_key;

/* cmocka's, of a group. */
int auth_make_keys(void **state);
int auth_free_keys(void **state);

/* Whether the text is a JWT of the RSA key; its header and claims are appended to `said`. */
bool auth_is_jwt(struct str jwt, struct buf *said);

#endif
