/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a PostgreSQL database can be reached and used: a new connection with the password of its
 * URL, `SELECT 1`, and its end. libpq does that without blocking; it would resolve names itself, and
 * blocking, so that is done before. Built without libpq it says so.
 */
#ifndef WORKERS_POSTGRES_H
#define WORKERS_POSTGRES_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/str.h"

struct event_base;
struct postgres;

struct postgres_outcome {
	uint32_t state; /* SERVICE_* */
	uint32_t latency_us;
	const char *why; /* static; "" when it works. Nothing of the URL or of the server is in it */
};

/* From the loop, once for each test; another one may be started in it. */
typedef void (*postgres_done)(const struct postgres_outcome *outcome, void *arg);

struct postgres *postgres_new(struct event_base *base);
/* What is under way ends without a call. Accepts NULL. */
void postgres_free(struct postgres *p);
/* For the next tests; empty: none is configured. A copy is kept, and wiped. */
void postgres_set_url(struct postgres *p, struct str url);
/* ERR_EXISTS while one is under way. */
int postgres_test(struct postgres *p, int64_t timeout_ms, postgres_done done, void *arg) MUST_CHECK;

/*
 * The URL as libpq reads it: LiteLLM's client (Prisma) has parameters of its own, which libpq refuses
 * (https://www.prisma.io/docs/orm/overview/databases/postgresql#arguments). ERR_SYNTAX when it is none.
 */
int postgres_url(struct str url, struct buf *out) MUST_CHECK;
/* Our words for what libpq said, in its terse form with the SQLSTATE. */
const char *postgres_words(const char *said);

#endif
