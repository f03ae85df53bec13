/* SPDX-License-Identifier: Apache-2.0 */
/* The server's TLS context, and certificates for tests. */
#ifndef TESTS_STANDIN_TLS_H
#define TESTS_STANDIN_TLS_H

#include <openssl/ssl.h>

#include "shared/err.h"

/*
 * A server context; with client_ca (a PEM file, or NULL) a client certificate of it is required.
 * NULL when a file is missing or wrong; OpenSSL's error queue says why. SSL_CTX_free() frees it.
 */
SSL_CTX *tls_context_new(const char *cert, const char *key, const char *client_ca);

/*
 * Makes a CA, a server certificate for localhost, 127.0.0.1 and ::1, and a client certificate (EC
 * P-256, a week long), and writes ca.pem, server.pem, server.key, client.pem and client.key into
 * `dir`.
 */
int tls_make_certificates(const char *dir) MUST_CHECK;

#endif
