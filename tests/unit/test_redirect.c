/* SPDX-License-Identifier: Apache-2.0 */
/* Which redirects a request with a key follows, and to which URL. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "workers/redirect.h"

static void
test_where_to(void **state)
{
	static const struct {
		const char *url, *location, *next; /* NULL: not followed */
		int rc;
	} cases[] = {
		{ "http://a.test/v1/x", "/v2/y", "http://a.test/v2/y", 0 },
		{ "http://a.test/v1/x", "y?z=1", "http://a.test/v1/y?z=1", 0 },
		{ "http://a.test:80/v1/x", "http://A.test/y", "http://A.test/y", 0 },
		{ "http://a.test/x", "https://a.test/x", "https://a.test/x", 0 },
		{ "http://a.test:8080/x", "https://a.test:8443/x", "https://a.test:8443/x", 0 },
		{ "https://a.test/x", "https://a.test:443/y", "https://a.test:443/y", 0 },
		{ "http://a.test/x", "http://u:p@a.test/x", "http://a.test/x", 0 },
		{ "http://[::1]:80/x", "http://[::1]/y", "http://[::1]/y", 0 },
		{ "https://a.test/x", "http://a.test/x", NULL, ERR_DENIED },
		{ "http://a.test/x", "http://a.test:81/x", NULL, ERR_DENIED },
		{ "https://a.test/x", "https://a.test:8443/x", NULL, ERR_DENIED },
		{ "http://a.test/x", "http://b.test/x", NULL, ERR_DENIED },
		{ "http://a.test/x", "//b.test/x", NULL, ERR_DENIED },
		{ "http://a.test/x", "http://a.test.b.test/x", NULL, ERR_DENIED },
		{ "http://a.test/x", "http://a.test@b.test/x", NULL, ERR_DENIED },
		{ "http://a.test/x", "", NULL, ERR_SYNTAX },
		{ "http://a.test/x", "http://", NULL, ERR_SYNTAX },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *next = NULL, *host = NULL;
		int rc = redirect_resolve(cases[i].url, str_of(cases[i].location), &next, &host);

		if (rc != cases[i].rc || (next == NULL) != (cases[i].next == NULL) ||
		    (next && strcmp(next, cases[i].next) != 0))
			fail_msg("%s -> %s: %d %s, wanted %d %s", cases[i].url, cases[i].location,
			    rc, next ? next : "nowhere", cases[i].rc,
			    cases[i].next ? cases[i].next : "nowhere");
		free(next);
		free(host);
	}
}

static void
test_other_schemes(void **state)
{
	static const char *const locations[] = { "file:///etc/passwd", "gopher://a.test/",
		"ftp://a.test/" };

	for (size_t i = 0; i < ARRAY_LEN(locations); i++) {
		char *next = NULL;

		assert_true(
		    redirect_resolve("http://a.test/", str_of(locations[i]), &next, NULL) < 0);
		assert_null(next);
	}
}

static void
test_the_other_host_is_named(void **state)
{
	char *next = NULL, *host = NULL;

	assert_int_equal(
	    redirect_resolve("http://a.test/", STR("https://login.b.test/x"), &next, &host),
	    ERR_DENIED);
	assert_string_equal(host, "login.b.test");
	free(host);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where_to),
		cmocka_unit_test(test_other_schemes),
		cmocka_unit_test(test_the_other_host_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
