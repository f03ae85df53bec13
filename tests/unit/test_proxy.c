/* SPDX-License-Identifier: Apache-2.0 */
/* NO_PROXY as Python reads it. */
#include "tests/unit/unit.h"

#include "shared/err.h"
#include "workers/proxy.h"

static void
test_no_proxy(void **state)
{
	static const struct {
		const char *no_proxy, *host;
		unsigned port;
		bool skipped;
	} cases[] = {
		{ "", "a.test", 443, false },
		{ "*", "a.test", 443, true },
		{ "a.test", "a.test", 443, true },
		{ "A.TEST", "a.test", 443, true },
		{ "a.test", "b.a.test", 443, true },
		{ ".a.test", "b.a.test", 443, true },
		{ ".a.test", "a.test", 443, true },
		{ "a.test", "ba.test", 443, false },
		{ "a.test", "a.test.b", 443, false },
		{ "x.test, a.test ,y.test", "a.test", 443, true },
		{ ",,a.test", "a.test", 443, true },
		{ ",", "a.test", 443, false },
		{ "a.test:8080", "a.test", 8080, true },
		{ "a.test:8080", "a.test", 443, false },
		{ "127.0.0.1", "127.0.0.1", 80, true },
		{ "localhost", "127.0.0.1", 80, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (proxy_skipped(cases[i].no_proxy, cases[i].host, cases[i].port) !=
		    cases[i].skipped)
			fail_msg("`%s` for %s:%u: wanted %d", cases[i].no_proxy, cases[i].host,
			    cases[i].port, cases[i].skipped);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_proxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
