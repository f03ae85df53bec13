/* SPDX-License-Identifier: Apache-2.0 */
/* The settings table: each default keeps its own row's rules, values go there and back, ranges
 * hold. */
#include "shared/settings.h"

#include "tests/unit/unit.h"

static void
test_table(void **state)
{
	for (int i = 0; i < SETTING_COUNT; i++) {
		const struct setting_row *row = setting_row((enum setting)i);

		for (int k = 0; k < i; k++)
			assert_string_not_equal(setting_row((enum setting)k)->path, row->path);
		assert_non_null(strchr(row->path, '.'));
		assert_true(strlen(row->text) > 10);
		assert_true(row->min <= row->max);
	}
}

static void
test_defaults_round_trip(void **state)
{
	struct settings s, t;

	settings_init(&s);
	settings_init(&t);
	for (int i = 0; i < SETTING_COUNT; i++) {
		struct buf b = BUF_INIT(10000);

		assert_false(s.given[i]);
		settings_get_text(&s, (enum setting)i, &b);
		assert_int_equal(settings_set(&t, (enum setting)i, buf_str(&b), NULL), 0);
		assert_true(t.given[i]);
		assert_true(s.num[i] == t.num[i]);
		if (s.text[i])
			assert_string_equal(s.text[i], t.text[i]);
		buf_clear(&b);
	}
	settings_clear(&s);
	settings_clear(&t);
}

static void
test_values(void **state)
{
	static const struct {
		enum setting id;
		const char *in;
		int rc;
		int64_t want;
		const char *expected;
	} cases[] = {
		{ SETTING_WORKERS, "4", 0, 4, NULL },
		{ SETTING_WORKERS, "65", ERR_LIMIT, 0, "a whole number from 0 to 64" },
		{ SETTING_WORKERS, "-1", ERR_LIMIT, 0, NULL },
		{ SETTING_WORKERS, "", ERR_INVALID, 0, NULL },
		{ SETTING_WORKERS, "four", ERR_INVALID, 0, NULL },
		{ SETTING_WORKERS, "4.5", ERR_INVALID, 0, NULL },
		{ SETTING_WORKERS, "+", ERR_INVALID, 0, NULL },
		{ SETTING_WORKERS, "99999999999999999999", ERR_LIMIT, 0, NULL },
		{ SETTING_RECHECK, "15", 0, 15000, NULL },
		{ SETTING_RECHECK, "250ms", 0, 250, NULL },
		{ SETTING_RECHECK, "1.5m", 0, 90000, NULL },
		{ SETTING_RECHECK, "2h", 0, 7200000, NULL },
		{ SETTING_RECHECK, "50ms", ERR_LIMIT, 0, "a duration from 100ms to 1d" },
		{ SETTING_RECHECK, "1e3", ERR_INVALID, 0, NULL },
		{ SETTING_RECHECK, "1.2.3s", ERR_INVALID, 0, NULL },
		{ SETTING_RECHECK, "5 s", ERR_INVALID, 0, NULL },
		{ SETTING_RECHECK, "-5s", ERR_INVALID, 0, NULL },
		{ SETTING_MAX_BODY, "2MB", 0, 2000000, NULL },
		{ SETTING_MAX_BODY, "64KiB", 0, 65536, NULL },
		{ SETTING_MAX_BODY, "1", ERR_LIMIT, 0, "a size from 1024 to 67108864 bytes" },
		{ SETTING_ALLOW_LINK_LOCAL, "yes", 0, 1, NULL },
		{ SETTING_ALLOW_LINK_LOCAL, "False", 0, 0, NULL },
		{ SETTING_ALLOW_LINK_LOCAL, "maybe", ERR_INVALID, 0, "true or false" },
		{ SETTING_BACKGROUND, "", 0, -1, NULL },
		{ SETTING_BACKGROUND, "true", 0, 1, NULL },
		{ SETTING_BACKGROUND, "2", ERR_INVALID, 0, "true or false" },
	};
	struct settings s;

	settings_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf expected = BUF_INIT(1000);
		int64_t before = s.num[cases[i].id];

		assert_int_equal(
		    settings_set(&s, cases[i].id, str_of(cases[i].in), &expected), cases[i].rc);
		assert_true(s.num[cases[i].id] == (cases[i].rc == 0 ? cases[i].want : before));
		if (cases[i].expected)
			assert_string_equal(buf_text(&expected), cases[i].expected);
		buf_clear(&expected);
	}
	settings_clear(&s);
}

static void
test_texts_and_lists(void **state)
{
	struct settings s;
	struct str item;

	settings_init(&s);
	assert_true(settings_list_item(&s, SETTING_LISTEN, 0, &item));
	assert_true(str_is(item, "127.0.0.1:4001"));
	assert_false(settings_list_item(&s, SETTING_LISTEN, 1, &item));
	assert_int_equal(settings_set(&s, SETTING_LISTEN, STR("a:1\nb:2\n\nc:3"), NULL), 0);
	assert_true(settings_list_item(&s, SETTING_LISTEN, 1, &item) && str_is(item, "b:2"));
	assert_true(settings_list_item(&s, SETTING_LISTEN, 2, &item) && item.n == 0);
	assert_true(settings_list_item(&s, SETTING_LISTEN, 3, &item) && str_is(item, "c:3"));
	assert_false(settings_list_item(&s, SETTING_LISTEN, 4, &item));
	assert_int_equal(settings_set(&s, SETTING_LISTEN, STR(""), NULL), 0);
	assert_false(settings_list_item(&s, SETTING_LISTEN, 0, &item));
	assert_int_equal(settings_set(&s, SETTING_USER, STR("a\0b"), NULL), ERR_INVALID);
	assert_int_equal(
	    settings_set(&s, SETTING_LOG_LEVEL, STR("0123456789abcdefg"), NULL), ERR_LIMIT);
	assert_string_equal(s.text[SETTING_LOG_LEVEL], "info");
	settings_clear(&s);
}

static void
test_fallbacks(void **state)
{
	struct settings s;

	settings_init(&s);
	assert_int_equal(settings_interval_ms(&s), 300000);
	assert_int_equal(settings_concurrency(&s), 256);
	assert_int_equal(settings_set(&s, SETTING_HC_INTERVAL, STR("60"), NULL), 0);
	assert_int_equal(settings_set(&s, SETTING_HC_CONCURRENCY, STR("7"), NULL), 0);
	assert_int_equal(settings_interval_ms(&s), 60000);
	assert_int_equal(settings_concurrency(&s), 7);
	assert_int_equal(settings_set(&s, SETTING_INTERVAL, STR("1500ms"), NULL), 0);
	assert_int_equal(settings_set(&s, SETTING_CONCURRENCY, STR("9"), NULL), 0);
	assert_int_equal(settings_interval_ms(&s), 1500);
	assert_int_equal(settings_concurrency(&s), 9);
	settings_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_defaults_round_trip),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_texts_and_lists),
		cmocka_unit_test(test_fallbacks),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
