/* SPDX-License-Identifier: Apache-2.0 */
/* Label values, numbers and the choice of a format. */
#include "tests/unit/unit.h"

#include "supervisor/front/histogram.h"
#include "supervisor/front/http/exposition.h"

static void
test_values(void **state)
{
	static const struct {
		struct str from;
		const char *to;
	} cases[] = {
		{ STR(""), "" },
		{ STR("plain {}=, text"), "plain {}=, text" },
		{ STR("a\"b\\c\nd"), "a\\\"b\\\\c\\nd" },
		{ STR("\r\t\x01"), "\r\t\x01" },
		{ STR("\xc3\xa9\xf0\x9f\xa6\x99"), "\xc3\xa9\xf0\x9f\xa6\x99" },
		{ STR("\xff"
		      "a\xc3"),
		    "\xef\xbf\xbd"
		    "a\xef\xbf\xbd" },
		{ STR("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	};
	char text[4 * EXPOSITION_LABEL_MAX];
	struct buf b = BUF_INIT(65536);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&b);
		exposition_value(&b, cases[i].from);
		assert_string_equal(buf_text(&b), cases[i].to);
	}
	/* Never cut inside a character: of two bytes each, the last one fits just so. */
	for (size_t i = 0; i < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	buf_reset(&b);
	exposition_value(&b, (struct str){ text, sizeof(text) });
	assert_int_equal(b.len, EXPOSITION_LABEL_MAX);
	buf_reset(&b);
	exposition_value(&b, (struct str){ text + 1, sizeof(text) - 1 });
	assert_int_equal(b.len, 3 + EXPOSITION_LABEL_MAX);
	buf_clear(&b);
}

static void
test_numbers(void **state)
{
	struct buf b = BUF_INIT(4096);

	exposition_us(&b, 0);
	buf_add_char(&b, ' ');
	exposition_us(&b, 1000001);
	buf_add_char(&b, ' ');
	exposition_us(&b, 12345);
	buf_add_char(&b, ' ');
	exposition_ms(&b, 1795252047071);
	buf_add_char(&b, ' ');
	exposition_ms(&b, -5);
	assert_string_equal(buf_text(&b), "0.000000 1.000001 0.012345 1795252047.071 0.000");
	buf_clear(&b);
}

static void
test_families(void **state)
{
	struct buf b = BUF_INIT(4096);

	exposition_family(&b, false, "a", "a_total", METRIC_COUNTER, "What.");
	exposition_family(&b, true, "a", "a_total", METRIC_COUNTER, "What.");
	exposition_family(&b, false, "b", "b_info", METRIC_INFO, "Why.");
	exposition_family(&b, true, "b", "b_info", METRIC_INFO, "Why.");
	assert_string_equal(buf_text(&b),
	    "# HELP a_total What.\n# TYPE a_total counter\n# HELP a What.\n# TYPE a counter\n"
	    "# HELP b_info Why.\n# TYPE b_info gauge\n# HELP b Why.\n# TYPE b info\n");
	buf_clear(&b);
}

static void
test_the_choice_of_a_format(void **state)
{
	static const struct {
		const char *accept;
		bool openmetrics;
	} cases[] = {
		{ "", false },
		{ "*/*", false },
		{ "text/*", false },
		{ "application/openmetrics-text", true },
		{ "APPLICATION/openmetrics-text ; version=1.0.0 ; Q=0.1", true },
		{ "application/openmetrics-text;q=0", false },
		{ "application/openmetrics-text;q=0.000", false },
		{ "application/openmetrics-text;q=0.4,text/plain;q=0.5", false },
		{ "text/plain;q=0.5,application/openmetrics-text;q=0.5", true },
		{ "application/openmetrics-text;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		    true },
		{ "application/openmetrics-text;q=,text/plain", false },
		{ "application/openmetrics-text;q=abc", false },
		{ "application/openmetrics-text;q=1.999", true },
		{ "application/openmetrics-textile", false },
		{ ",,;;==,application/openmetrics-text", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (exposition_openmetrics(str_of(cases[i].accept)) != cases[i].openmetrics)
			fail_msg("%s", cases[i].accept);
}

static void
test_buckets(void **state)
{
	struct histogram h = { 0 };

	assert_int_equal(histogram_add(&h, 0), 0);
	assert_int_equal(histogram_add(&h, 1000), 0);
	assert_int_equal(histogram_add(&h, 1001), 1);
	assert_int_equal(histogram_add(&h, 120000000), HISTOGRAM_BUCKETS - 2);
	assert_int_equal(histogram_add(&h, 120000001), HISTOGRAM_BUCKETS - 1);
	assert_int_equal(h.counts[0], 2);
	assert_int_equal(h.sum_us, 240002002);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_the_choice_of_a_format),
		cmocka_unit_test(test_buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
