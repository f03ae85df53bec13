/* SPDX-License-Identifier: Apache-2.0 */
/* The XML appender: nothing that it writes ends an attribute or is no character of XML 1.0. */
#include "shared/xml.h"

#include "tests/unit/unit.h"

static void
test_texts(void **state)
{
	static const struct {
		struct str in;
		const char *want;
	} cases[] = {
		{ STR(""), "" },
		{ STR("plain text"), "plain text" },
		{ STR("a<b>&\"c\" 'd'"), "a&lt;b&gt;&amp;&quot;c&quot; &apos;d&apos;" },
		{ STR("tab\tline\nend\r"), "tab\tline\nend\r" },
		{ STR("\0\x01\x1f\x7f"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\x7f" },
		{ STR("\xef\xbf\xbd \xef\xbf\xbe \xef\xbf\xbf"),
		    "\xef\xbf\xbd \xef\xbf\xbd \xef\xbf\xbd" },
		{ STR("\xef\xbb\xbf gr\xc3\xbc\xc3\x9f"), "\xef\xbb\xbf gr\xc3\xbc\xc3\x9f" },
		{ STR("cut \xef\xbf"), "cut \xef\xbf" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(1000);

		xml_add_text(&b, cases[i].in);
		assert_string_equal(buf_text(&b), cases[i].want);
		buf_clear(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_texts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
