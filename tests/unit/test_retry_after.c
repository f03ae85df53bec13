/* SPDX-License-Identifier: Apache-2.0 */
/* Retry-After and retry-after-ms: numbers, HTTP's dates, nonsense. */
#include "tests/unit/unit.h"

#include "shared/err.h"
#include "workers/retry_after.h"

#define NOW_MS INT64_C(1767225600000) /* Thu, 01 Jan 2026 00:00:00 GMT */

static void
test_values(void **state)
{
	static const struct {
		const char *ms, *text;
		int64_t want;
	} cases[] = {
		{ "", "", -1 },
		{ "", "7", 7000 },
		{ "", " 7 ", 7000 },
		{ "", "0", 0 },
		{ "", "1.5", 1500 },
		{ "1500", "7", 1500 },
		{ "20.5", "", 20 },
		{ "soon", "7", 7000 },
		{ "-5", "", -1 },
		{ "", "-5", -1 },
		{ "", "+5", -1 },
		{ "", "1e3", -1 },
		{ "", "0x10", -1 },
		{ "", "inf", -1 },
		{ "", ".", -1 },
		{ "", "1.2.3", -1 },
		{ "", "99999999999999999999", RETRY_AFTER_MAX_MS },
		{ "", "999999999999999999999999999999999999999999", -1 },
		{ "", "86401", RETRY_AFTER_MAX_MS },
		{ "", "Thu, 01 Jan 2026 00:00:30 GMT", 30000 },
		{ "", "Thursday, 01-Jan-26 00:00:30 GMT", 30000 },
		{ "", "Thu Jan  1 00:00:30 2026", 30000 },
		{ "", "Wed, 31 Dec 2025 23:59:00 GMT", 0 },
		{ "", "Thu, 01 Jan 2099 00:00:00 GMT", RETRY_AFTER_MAX_MS },
		{ "", "20260101", RETRY_AFTER_MAX_MS },
		{ "", "Thu", -1 },
		{ "", "in a moment, please", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t got = retry_after_parse(str_of(cases[i].ms), str_of(cases[i].text), NOW_MS);

		if (got != cases[i].want)
			fail_msg("`%s`, `%s`: %lld, wanted %lld", cases[i].ms, cases[i].text,
			    (long long)got, (long long)cases[i].want);
	}
}

/* A header's value need not end in NUL. */
static void
test_is_cut_where_it_ends(void **state)
{
	assert_int_equal(retry_after_parse((struct str){ "77", 1 }, STR(""), NOW_MS), 7);
	assert_int_equal(retry_after_parse(STR(""), (struct str){ "77", 1 }, NOW_MS), 7000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_is_cut_where_it_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
