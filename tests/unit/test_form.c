/* SPDX-License-Identifier: Apache-2.0 */
/* What a client would rather have: weights in Accept and Accept-Encoding; problem details. */
#include "tests/unit/unit.h"

#include "supervisor/front/http/accept.h"
#include "supervisor/front/http/problem.h"

static void
test_weight(void **state)
{
	static const struct {
		const char *list;
		int want;
	} cases[] = {
		{ "", -1 },
		{ "text/html", -1 },
		{ "a/b", 1000 },
		{ "A/B", 1000 },
		{ " a/b ;q=0.5", 500 },
		{ "x/y, a/b;v=1; q=0.25", 250 },
		{ "a/b;q=0.25, a/b;q=0.75", 750 },
		{ "a/b;q=0", 0 },
		{ "a/b;q=2", 0 },
		{ "a/b;q=0.1234", 123 },
		{ "a/b;q=", 0 },
		{ "*/*", -1 },
		{ ",,;,a/bc", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (accept_weight(str_of(cases[i].list), "a/b") != cases[i].want)
			fail_msg("%s: %d, expected %d", cases[i].list,
			    accept_weight(str_of(cases[i].list), "a/b"), cases[i].want);
}

static void
test_gzip(void **state)
{
	static const char *const yes[] = { "gzip", "GZIP", "deflate, gzip;q=0.1", "x-gzip", "*",
		"identity, *;q=0.5" };
	static const char *const no[] = { "", "identity", "gzip;q=0", "gzip;q=0, *", "br",
		"gzippy", "*;q=0", "gzip;q=x" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		if (!accept_gzip(str_of(yes[i])))
			fail_msg("%s", yes[i]);
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (accept_gzip(str_of(no[i])))
			fail_msg("%s", no[i]);
}

static void
test_problem(void **state)
{
	static const struct {
		int status;
		const char *body, *want; /* NULL: it stays as it is */
	} cases[] = {
		{ 404, "{\"detail\":\"Not Found\"}",
		    "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"detail\":\"Not "
		    "Found\"}" },
		{ 400, "{\"detail\":{\"error\":\"no \\\"x\\\"\"}}",
		    "{\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\"detail\":\"no "
		    "\\\"x\\\"\"}" },
		{ 401, "{\"error\":{\"message\":\"No key\",\"type\":\"auth_error\",\"code\":\"401\"}}",
		    "{\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401,\"detail\":\"No "
		    "key\",\"error\":{\"message\":\"No key\",\"type\":\"auth_error\",\"code\":\"401\"}}" },
		{ 422, "{\"detail\":[{\"type\":\"int_parsing\"}]}",
		    "{\"type\":\"about:blank\",\"title\":\"Unprocessable Entity\",\"status\":422,"
		    "\"detail\":\"the parameters are not valid\",\"errors\":[{\"type\":\"int_parsing\"}]}" },
		{ 503, "{\"status\":\"shutting_down\"}",
		    "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503,"
		    "\"detail\":\"shutting_down\"}" },
		{ 401, "\"Unauthorized access\"",
		    "{\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401,\"detail\":"
		    "\"Unauthorized access\"}" },
		{ 503, "{\"healthy_endpoints\":[],\"unhealthy_endpoints\":[]}", NULL },
		{ 500, "{\"error\":5}", NULL },
		{ 500, "not JSON", NULL },
		{ 500, "", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct blob *body = blob_copy(str_of(cases[i].body)), *made;
		struct reply r = { .status = cases[i].status, .type = REPLY_JSON, .body = body };

		made = problem_of(&r);
		assert_int_equal(made != NULL, cases[i].want != NULL);
		assert_int_equal(r.type, made ? REPLY_PROBLEM : REPLY_JSON);
		if (made && !str_is((struct str){ made->data, made->len }, cases[i].want))
			fail_msg("%.*s", (int)made->len, made->data);
		assert_ptr_equal(r.body, made ? made : body);
		blob_unref(made);
		blob_unref(body);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weight),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_problem),
	};

	return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}
