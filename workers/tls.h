/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS of one transfer: verification, CA file, client certificate, and what went wrong in words that
 * a person can act on.
 */
#ifndef WORKERS_TLS_H
#define WORKERS_TLS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"

struct target;
struct tls;

/* The system's certificates, read when first needed and kept for all connections. */
struct tls *tls_new(void);
void tls_free(struct tls *tls);

/* Belongs to one handle and lives as long. */
struct tls_use {
	struct tls *tls;
	uint64_t number; /* of its last handshake; 0: none */
	bool system_store;
};

/* Sets the handle up as the target says. To be called once for a handle. */
void tls_setup(struct tls *tls, struct tls_use *use, CURL *easy, const struct target *t);

/* Whether in its last handshake the server wanted a client certificate, and there was none. */
bool tls_wanted_certificate(const struct tls_use *use);

/* Whether the connection in use speaks TLS, and whether its session was resumed. Inside curl's
 * callbacks only. */
bool tls_in_use(CURL *easy, bool *resumed);

/* When the server's certificate expires: unix time, 0 when there is none. Where tls_in_use(). */
int64_t tls_certificate_expires(CURL *easy);

/* Whether the failure is one of TLS. `said` is curl's error text. */
bool tls_failed(CURLcode code, const char *said);
/* Appends what was wrong: "the certificate has expired". */
void tls_add_words(
    struct buf *b, CURL *easy, CURLcode code, const char *said, const struct target *t);

#endif
