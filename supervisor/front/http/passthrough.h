/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /chat/completions: a chat for the one deployment whose id is named, passed on as it is, the
 * answer passed back as it comes. Any other model is refused: this is no gateway.
 */
#ifndef SUPERVISOR_FRONT_HTTP_PASSTHROUGH_H
#define SUPERVISOR_FRONT_HTTP_PASSTHROUGH_H

#include "supervisor/front/http/route.h"

struct http;
struct passthrough;

enum passthrough_outcome {
	PASSTHROUGH_ANSWERED,  /* the provider's answer left whole, whatever its status */
	PASSTHROUGH_FAILED,    /* there was none */
	PASSTHROUGH_CUT,       /* it broke off */
	PASSTHROUGH_CANCELLED, /* the client went */
	PASSTHROUGH_BUSY,      /* more than llmhealth.passthrough.concurrent */
	PASSTHROUGH_OUTCOMES,
};

struct passthrough_counts {
	size_t in_flight;
	uint64_t ended[PASSTHROUGH_OUTCOMES];
	uint64_t bytes_in, bytes_out;
};

struct passthrough *passthrough_new(struct http *h);
/* All connections must be closed. */
void passthrough_free(struct passthrough *p);
void passthrough_counts(const struct passthrough *p, struct passthrough_counts *counts);
const char *passthrough_outcome(enum passthrough_outcome outcome);

void passthrough_handle(struct conn *c, const struct http_request *r, enum caller caller);

#endif
