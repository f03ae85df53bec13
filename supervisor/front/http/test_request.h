/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of POST /health/test_connection, read into what a worker is to ask. Pure but for the fleet
 * that it looks deployments up in.
 *
 * Parameters that say where or with what to ask (every one that is not known to be harmless) make
 * it the caller's own target: then no configured value is used.
 */
#ifndef SUPERVISOR_FRONT_HTTP_TEST_REQUEST_H
#define SUPERVISOR_FRONT_HTTP_TEST_REQUEST_H

#include <stdbool.h>

#include "shared/buf.h"
#include "shared/err.h"
#include "shared/msgs.h"
#include "supervisor/front/fleet.h"

#define TEST_TIMEOUT_MS 60000

enum test_outcome {
	TEST_ASK,     /* `message` is ready */
	TEST_INVALID, /* 422: `problem` */
	TEST_REFUSED, /* `status`, and `error` as `{"detail":{"error":…}}` */
	TEST_ERROR,   /* 200, "error": nothing can be asked, for `error` */
};

struct groups;
struct test_request;

/* Never fails; the outcome is in it. The groups are those of the fleet. */
struct test_request *test_request_new(struct str body, const struct fleet *f, const struct groups *g);
/* Wipes and frees; accepts NULL. */
void test_request_free(struct test_request *t);

enum test_outcome test_request_outcome(const struct test_request *t);
/* Lives as long as the request, and the HTTP request's id does. */
const struct msg_test *test_request_message(struct test_request *t, struct str id);
/* Whether nothing but what the caller gave is used. */
bool test_request_is_own(const struct test_request *t);
int test_request_status(const struct test_request *t);
struct str test_request_error(const struct test_request *t);
/* The problem of a 422: type, place as JSON, words. */
void test_request_problem(const struct test_request *t, const char **type, struct str *loc,
    struct str *message);
/* Appends the members of the result that come before what the probe says. */
void test_request_add_shown(const struct test_request *t, struct buf *b);
/* The deployment that it began with, "" for none; for logs. */
const char *test_request_id(const struct test_request *t);

#endif
