/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the stand-in share: its options, its counters, and what it remembers of models,
 * paths and words. One process, one thread, one of these.
 */
#ifndef TESTS_STANDIN_STANDIN_H
#define TESTS_STANDIN_STANDIN_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/standin/behaviour.h"
#include "tests/standin/reply.h"
#include "tests/standin/request.h"
#include "tests/standin/route.h"
#include "tests/standin/strict.h"
#include "tests/standin/table.h"

#define STANDIN_MODELS_MAX 16384
#define STANDIN_PATHS_MAX 1024
#define STANDIN_WORDS_MAX 1024
#define STANDIN_LOGGED_BODY_MAX (64 * 1024)

/* A prepared answer: what a plain healthy request gets, whole but for its x-request-id. */
struct ready {
	struct ready *next;
	const struct route *route;
	bool stream;
	char *bytes;
	size_t n, id_at;
};

struct model {
	struct entry entry;
	uint64_t requests;
	struct behaviour own;	/* what its name says */
	struct behaviour *told; /* what /_standin/behaviour said; NULL: nothing */
	struct ready *ready;
};

struct place {
	struct entry entry;
	uint64_t requests;
	const struct route *route; /* the first of any method; NULL: an unknown path */
	bool varies;		   /* a row of dialects.def may come before it */
};

struct saying {
	struct entry entry;
	struct behaviour behaviour;
};

struct standin {
	const char *key; /* the only one accepted; NULL: any or none */
	struct strict strict;
	uint32_t latency_ms; /* of an answer whose behaviour says nothing else */
	int log_fd;	     /* of the requests log; -1: none */

	struct table models, places, sayings;
	struct behaviour *everyone; /* what /_standin/behaviour said of "*" */

	uint64_t requests, bad_requests, connections, tls_handshakes, tls_resumed, tls_failures;
	uint64_t websockets, websockets_closed; /* opened; closed by the client with 1000 */
	uint64_t in_flight, peak_in_flight, open_connections, peak_open_connections;
};

void standin_init(struct standin *s);
void standin_clear(struct standin *s);
/* What is known of a model, new or not; NULL for an empty or overlong name and when there are too
 * many. */
struct model *standin_model(struct standin *s, struct str name);

/* Decides and makes the answer to one whole request, and counts it. */
void answer_request(struct standin *s, const struct request *r, struct reply *reply);
/* Whether it is one for control_request(), which counts nowhere. */
bool answer_is_control(const struct request *r);
/* Whether a request that expects 100 Continue is to be left without it (the word stall100). */
bool answer_stalls_continue(struct standin *s, const struct request *r);

/* Answers /_standin/...: stats, reset, behaviour. */
void control_request(struct standin *s, const struct request *r, struct reply *reply);

/* Appends a line about the request to the requests log. `number` is the request's own. */
void reqlog_write(
    const struct standin *s, const struct request *r, struct str model, uint64_t number);

#endif
