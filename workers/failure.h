/* SPDX-License-Identifier: Apache-2.0 */
/* A transfer without a whole answer: our reason for it, and our words. */
#ifndef WORKERS_FAILURE_H
#define WORKERS_FAILURE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/reason.h"

struct target;

/* Limits of ours that ended a transfer. */
enum failure_limit {
	FAILURE_NO_LIMIT,
	FAILURE_BODY_TOO_LARGE,
	FAILURE_HEADERS_TOO_LARGE,
	FAILURE_ADDRESS_REFUSED,
};

/* What is known of the transfer. */
struct failure {
	CURL *easy;
	CURLcode code;
	const char *said; /* curl's error text, "" for none */
	const struct target *target;
	const char *host;    /* that was asked for */
	const char *address; /* that was tried last: "127.0.0.1:9"; "" for none */
	const char *refused; /* FAILURE_ADDRESS_REFUSED: what the address is */
	enum failure_limit limit;
	bool wanted_certificate; /* the server wanted one of the client, and there was none */
	int status;		 /* of the answer that began; 0: none */
	bool head_over;		 /* its headers came */
	uint64_t body_bytes;	 /* of it that came */
	uint64_t max_body;
	int64_t timeout_ms; /* that was set */
};

/* Appends the words and returns the reason. */
enum reason failure_judge(const struct failure *f, struct buf *words);

#endif
