/* SPDX-License-Identifier: Apache-2.0 */
/* A test goes to a worker beside the schedule; a few at a time, because nothing else holds them back. */
#include "supervisor/front/http/test_connection.h"

#include <stdlib.h>

#include "shared/json.h"
#include "shared/log.h"
#include "shared/reason.h"
#include "supervisor/front/http/models.h"
#include "supervisor/front/http/server.h"
#include "supervisor/front/http/test_request.h"
#include "supervisor/front/http/validation.h"
#include "supervisor/front/pool.h"
#include "supervisor/front/scheduler.h"

#define MAX_TESTS 16

struct test {
	struct conn *conn;
	struct test_request *request;
	struct pool_job *job;
};

static void
add_text(struct buf *b, const char *key, struct str text)
{
	json_add_key(b, key);
	json_add_string(b, text);
}

static void
add_headers(struct buf *b, struct kvs headers)
{
	static const char *const shown[] = { "x-ratelimit-remaining-requests",
		"x-ratelimit-remaining-tokens", "x-ms-region" };

	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		for (size_t k = 0; k < headers.n; k++)
			if (str_is(headers.v[k].key, shown[i]))
				add_text(b, shown[i], headers.v[k].value);
}

/* LiteLLM's fields, then ours. */
static struct blob *
render(const struct test_request *t, const struct msg_result *r)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct blob *blob;

	buf_addf(&b, "{\"status\":\"%s\",\"result\":{", r->healthy ? "success" : "error");
	test_request_add_shown(t, &b);
	if (r->healthy) {
		add_headers(&b, r->headers);
	} else {
		add_text(&b, "error", r->error);
		json_add_key(&b, "raw_request_typed_dict");
		buf_add_str(&b, r->raw_request.n > 0 ? r->raw_request : STR("null"));
		json_add_key(&b, "exception_status");
		buf_add_int(&b, r->exception_status);
		add_text(&b, "reason", str_of(reason_name((enum reason)r->reason)));
		if (r->detail.n > 0)
			add_text(&b, "detail", r->detail);
	}
	if (r->total_us > 0) {
		json_add_key(&b, "latency_ms");
		buf_addf(&b, "%u.%03u", r->total_us / 1000, r->total_us % 1000);
	}
	buf_add_text(&b, "}}");
	blob = blob_copy(buf_str(&b));
	buf_clear(&b);
	return blob;
}

static void
test_free(struct test *t)
{
	test_request_free(t->request);
	free(t);
}

static void
on_done(void *arg, const struct msg_result *r)
{
	struct test *t = arg;
	struct conn *c = t->conn;
	struct reply reply = { .status = 200, .type = REPLY_JSON };

	conn_http(c)->n_tests--;
	log_event(LOG_LEVEL_INFO, "test_connection", LS("deployment", test_request_id(t->request)),
	    LV("request", conn_request_id(c)),
	    LS("own", test_request_is_own(t->request) ? "true" : "false"),
	    LS("reason", reason_name((enum reason)r->reason)), LI("us", r->total_us));
	reply.body = render(t->request, r);
	test_free(t);
	conn_reply_late(c, &reply);
	blob_unref(reply.body);
}

static void
on_cancel(void *arg)
{
	struct test *t = arg;

	conn_http(t->conn)->n_tests--;
	pool_cancel(scheduler_pool(conn_http(t->conn)->scheduler), t->job);
	test_free(t);
}

static void
reply_invalid(struct conn *c, const struct test_request *t)
{
	struct validation v;
	const char *type;
	struct str loc, message;

	test_request_problem(t, &type, &loc, &message);
	validation_init(&v, STR(""));
	validation_add(&v, type, loc.p, message.p);
	(void)validation_refused(c, &v);
	validation_clear(&v);
}

/* What cannot be asked is answered as a probe that failed. */
static void
reply_error(struct conn *c, const struct test_request *t)
{
	const struct msg_result r = {
		.reason = REASON_CONFIG,
		.exception_status = reason_status(REASON_CONFIG),
		.error = test_request_error(t),
	};

	route_reply_json(c, 200, render(t, &r));
}

static void
ask(struct conn *c, struct test_request *request)
{
	struct http *h = conn_http(c);
	const struct msg_test *m = test_request_message(request, conn_request_id(c));
	struct test *t = xcalloc(1, sizeof(*t));

	t->conn = c;
	t->request = request;
	h->n_tests++;
	t->job = pool_start_test(
	    scheduler_pool(h->scheduler), m, (int64_t)m->timeout_ms, on_done, t);
	conn_wait(c, on_cancel, t);
}

void
test_connection_handle(struct conn *c, const struct http_request *r, enum caller caller)
{
	struct http *h = conn_http(c);
	struct test_request *t = test_request_new(r->body, h->fleet, models_groups(h));

	switch (test_request_outcome(t)) {
	case TEST_ASK:
		if (h->n_tests < MAX_TESTS) {
			ask(c, t);
			return;
		}
		route_reply_json(c, 429,
		    route_error("", STR(""), "too many tests are under way, try again later"));
		break;
	case TEST_INVALID:
		reply_invalid(c, t);
		break;
	case TEST_REFUSED:
		route_reply_json(
		    c, test_request_status(t), route_error("", test_request_error(t), ""));
		break;
	case TEST_ERROR:
		reply_error(c, t);
		break;
	}
	test_request_free(t);
}
